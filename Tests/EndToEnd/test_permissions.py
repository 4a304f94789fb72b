"""What an ordinary user may not read or write is named; nothing is half done."""

import os
import shutil
from pathlib import Path

import pytest

from support.devices import loop_device
from support.images import MIB, make_image
from support.program import Program
from support.repository import Repository

pytestmark = pytest.mark.root
NOBODY = 65534


@pytest.fixture
def nobody(binary: Path, shared_folder: Path) -> Program:
    """The program, run by a user without any rights, with a home of his own."""
    copy = shared_folder / "holdfast"
    shutil.copy(binary, copy)
    home = shared_folder / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    return Program(copy, home).under("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


@pytest.fixture
def opened(repository: Repository, nobody: Program, shared_folder: Path) -> Repository:
    """A repository of that user, with a snapshot."""
    key_file = shared_folder / "full.key"
    shutil.copy(repository.key_file, key_file)
    repository.snapshot(make_image(shared_folder / "disk.img", MIB))
    shutil.copytree(repository.folder, shared_folder / "repository")
    for path in [key_file, *(shared_folder / "repository").rglob("*"), shared_folder / "repository"]:
        os.chown(path, NOBODY, NOBODY)
    return Repository(nobody, shared_folder / "repository", key_file)


def test_a_repository_that_may_not_be_read_is_named(opened: Repository) -> None:
    for closed in (opened.folder, opened.folder / "config", opened.folder / "snapshots"):
        mode = closed.stat().st_mode
        os.chown(closed, 0, 0)
        closed.chmod(0o700 if closed.is_dir() else 0o600)
        for command in (["snapshots"], ["check"]):
            outcome = opened.run(*command).require(1)
            assert str(opened.folder) in outcome.errors or closed.name in outcome.errors
            assert "permission" in outcome.errors.lower()
        os.chown(closed, NOBODY, NOBODY)
        closed.chmod(mode)
    assert len(opened.snapshot_ids()) == 1


def test_a_repository_that_may_not_be_written_still_restores(opened: Repository, shared_folder: Path) -> None:
    for path in [opened.folder, *opened.folder.rglob("*")]:
        os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)
    outcome = opened.run("backup", shared_folder / "disk.img").require(1)
    assert "permission" in outcome.errors.lower()
    assert opened.run("restore", "latest", "-").require(0).output_bytes == (shared_folder / "disk.img").read_bytes()
    opened.require_clean()


def test_a_source_that_may_not_be_read_is_named(opened: Repository, shared_folder: Path) -> None:
    secret = make_image(shared_folder / "secret.img", MIB)
    secret.chmod(0o600)
    outcome = opened.run("backup", secret).require(1)
    assert str(secret) in outcome.errors and "permission" in outcome.errors.lower()
    assert len(opened.snapshot_ids()) == 1


def test_a_target_that_may_not_be_written_is_named(opened: Repository, shared_folder: Path) -> None:
    outcome = opened.run("restore", "latest", shared_folder / "new.img").require(1)
    assert str(shared_folder / "new.img") in outcome.errors and "permission" in outcome.errors.lower()
    precious = shared_folder / "precious.img"
    precious.write_bytes(b"precious")
    assert str(precious) in opened.run("restore", "--yes", "latest", precious).require(1).errors
    assert precious.read_bytes() == b"precious" and not (shared_folder / "new.img").exists()


def test_a_loop_device_over_what_one_may_not_look_at_is_in_nobodys_way(opened: Repository, shared_folder: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    target = shared_folder / "mine.img"
    target.write_bytes(b"mine")
    os.chown(target, NOBODY, NOBODY)
    with loop_device(make_image(hidden / "disk.img", MIB)):
        opened.run("restore", "--yes", "latest", target).require(0)
    assert target.read_bytes() == (shared_folder / "disk.img").read_bytes()
