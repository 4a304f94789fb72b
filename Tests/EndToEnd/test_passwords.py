"""The ways in which a password reaches the program."""

import os
import re
from pathlib import Path

import pytest

from support.program import Program
from support.tracing import needs_strace


@pytest.fixture(scope="module")
def folder(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose password is “secret”."""
    root = tmp_path_factory.mktemp("passwords")
    Program(binary, root / "home").with_variables(HOLDFAST_PASSWORD="secret").run("init", "-r", root / "repository").require(0)
    return root / "repository"


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("secret\n")
    file.chmod(0o600)
    return file


def test_a_password_comes_from_a_file(holdfast: Program, folder: Path, password_file: Path) -> None:
    assert "warning" not in holdfast.run("snapshots", "-r", folder, "--password-file", password_file).require(0).errors
    holdfast.with_variables(HOLDFAST_PASSWORD_FILE=str(password_file)).run("snapshots", "-r", folder).require(0)


def test_a_password_file_that_others_can_read_brings_a_warning(holdfast: Program, folder: Path, password_file: Path) -> None:
    password_file.chmod(0o644)
    outcome = holdfast.run("snapshots", "-r", folder, "--password-file", password_file).require(0)
    assert "warning" in outcome.errors and str(password_file) in outcome.errors


def test_a_password_comes_from_a_command(holdfast: Program, folder: Path) -> None:
    holdfast.run("snapshots", "-r", folder, "--password-command", "echo secret").require(0)
    failed = holdfast.run("snapshots", "-r", folder, "--password-command", "echo secret; exit 3").require(1)
    assert "3" in failed.errors and "echo secret" in failed.errors


def test_a_password_in_the_environment_brings_a_warning(holdfast: Program, folder: Path) -> None:
    outcome = holdfast.with_variables(HOLDFAST_PASSWORD="secret").run("snapshots", "-r", folder).require(0)
    assert "warning" in outcome.errors and "HOLDFAST_PASSWORD" in outcome.errors


def test_without_password_and_terminal_it_says_what_to_give(holdfast: Program, folder: Path) -> None:
    process = holdfast.under("setsid", "--wait")
    assert "--password-file" in process.run("snapshots", "-r", folder).require(1).errors


def test_the_repository_may_come_from_the_environment_or_as_a_url(holdfast: Program, folder: Path, password_file: Path) -> None:
    holdfast.with_variables(HOLDFAST_REPOSITORY=str(folder)).run("snapshots", "--password-file", password_file).require(0)
    holdfast.run("--repository", f"file://{folder}", "snapshots", "--password-file", password_file).require(0)


def test_a_password_from_the_environment_is_handed_to_no_program(holdfast: Program, tmp_path: Path) -> None:
    secret = holdfast.with_variables(HOLDFAST_PASSWORD="correct horse", OTHER="seen")
    secret.run("init", "-r", tmp_path / "repository").require(0)
    secret.run("backup", "-r", tmp_path / "repository", "--stdin-command", "tr '\\0' '\\n' < /proc/self/environ").require(0)
    told = secret.run("restore", "-r", tmp_path / "repository", "latest", "-").require(0).output
    assert "OTHER=seen" in told and "horse" not in told and "HOLDFAST_PASSWORD" not in told


@needs_strace
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a single processor has no time for it")
def test_another_thread_draws_the_memory_of_a_password(holdfast: Program, folder: Path, password_file: Path, tmp_path: Path) -> None:
    log = tmp_path / "calls"
    traced = holdfast.under("strace", "-f", "--seccomp-bpf", "--quiet=all", "-o", str(log), "-e", "trace=execve,madvise,munmap")
    traced.run("snapshots", "-r", folder, "--password-file", password_file).require(0)
    calls = log.read_text()
    main = calls.split()[0]
    [(thread, place)] = re.findall(r"^(\d+) +madvise\((0x\w+), 268435456, (?:MADV_POPULATE_WRITE|0x17)", calls, re.MULTILINE)
    assert thread != main
    # It is done before the memory goes.
    ends = [match.start() for match in re.finditer(rf"^{thread} .*(?:madvise resumed>\)|madvise\({place}.*\)) += 0$", calls, re.MULTILINE)]
    [unmapped] = re.finditer(rf"^{main} +munmap\({place}, 268435456", calls, re.MULTILINE)
    assert len(ends) == 1 and ends[0] < unmapped.start()
