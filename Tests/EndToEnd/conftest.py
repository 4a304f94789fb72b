"""Fixtures of all tests: the program, a repository, scratch folders that other users can enter, and devices that are cleaned up."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.program import Program
from support.repository import Repository

PROJECT = Path(__file__).resolve().parents[2]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "root: mounts, attaches loop devices or changes its user, so that only root can run it")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root: it mounts, attaches loop devices or changes its user"))


@pytest.fixture(scope="session")
def binary() -> Path:
    path = Path(os.environ.get("HOLDFAST_BINARY", PROJECT / ".build/release/holdfast")).resolve()
    if not path.is_file():
        pytest.exit(f"{path}: there is no program to test; run “swift build -c release --product holdfast”, or set HOLDFAST_BINARY", 2)
    return path


@pytest.fixture
def holdfast(binary: Path, tmp_path: Path) -> Program:
    """The program, with a home, a cache and a state folder of its own."""
    return Program(binary, tmp_path / "home")


@pytest.fixture
def repository(holdfast: Program, tmp_path: Path) -> Repository:
    """An empty repository that a key file opens."""
    return Repository.create(holdfast, tmp_path / "repository", tmp_path / "full.key")


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where synchronising costs nothing, for what is done hundreds of times; an ordinary one if there is none."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="holdfast-test-", dir=memory))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user can enter; those of pytest are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="holdfast-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    """What a test enters here is left at its end, in reverse order: mounts, loop devices, processes."""
    with ExitStack() as stack:
        yield stack
