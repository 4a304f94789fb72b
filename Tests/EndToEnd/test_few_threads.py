"""Machines that have no room for more threads: what can be done with fewer is done, and nothing hangs."""

import subprocess
from pathlib import Path

import pytest

from support.images import MIB, make_image, overwrite
from support.repository import Repository
from support.tracing import needs_strace, under_strace

pytestmark = needs_strace

# The thread that waits for signals is the first; more than these no command starts here.
NUMBERS = range(1, 10)
COMMANDS = ["backup", "restore", "check", "prune", "init"]


def failing(repository: Repository, number: str) -> Repository:
    """The same where the threads of that number, counted by the thread that starts them, cannot be started."""
    traced = under_strace(repository.program, "--seccomp-bpf", "-e", "trace=clone3,clone", "-e", f"inject=clone3,clone:error=EAGAIN:when={number}")
    return repository.using(traced)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("is_lasting", [True, False], ids=["all from then on", "one"])
def test_threads_that_cannot_be_started_are_done_without_or_named(repository: Repository, tmp_path: Path, command: str, is_lasting: bool) -> None:
    image = make_image(tmp_path / "disk.img", 20 * MIB)
    first = repository.snapshot(image)
    overwrite(image, 3 * MIB, bytes(5 * MIB))
    overwrite(image, 12 * MIB, make_image(tmp_path / "other.img", 6 * MIB, seed=3).read_bytes())
    second = repository.snapshot(image)
    repository.run("forget", first).require(0)
    statuses = set()
    for number in NUMBERS:
        poor = failing(repository, f"{number}+" if is_lasting else str(number))
        target = tmp_path / f"{command}-{number}"
        if command == "init":
            outcome = poor.program.run("init", "-r", target, "--key-file", repository.key_file, "--recovery-file", f"{target}.recovery", "--no-recovery-print")
        else:
            arguments = {"backup": ["--all-blocks", image], "restore": ["--threads", "3", "--verify", second, target], "check": ["--read-data"], "prune": ["--max-unused", "0"]}[command]
            if command == "backup":
                overwrite(image, 12 * MIB, make_image(tmp_path / "other.img", 6 * MIB, seed=10 + number).read_bytes())
            outcome = (poor.copy(tmp_path / f"copy-{number}") if command == "prune" else poor).run(command, *arguments)
        assert outcome.status in (0, 1), f"without thread {number}: {outcome.status}: {outcome.text}"
        assert outcome.status == 0 or "thread can be started" in outcome.errors or "threads can be started" in outcome.errors, outcome.errors
        if command == "restore" and outcome.status == 0:
            assert target.read_bytes() == image.read_bytes()
            target.unlink()
        statuses.add(outcome.status)
    repository.require_clean()
    repository.require_equal(repository.snapshot(image), image, tmp_path / "back.img")
    # Reading needs no thread but the first; a backup that has none fails, and says why.
    expected = {0} if command in ("restore", "check") else {0, 1} if command == "backup" and is_lasting else statuses
    assert 0 in statuses and statuses == expected


def test_without_a_thread_for_signals_they_end_the_program(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 64 * MIB)
    repository.snapshot(image)
    poor = failing(repository, "1")
    process = poor.program.start(*poor.arguments("restore", "latest", "-"))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    subprocess.run(["kill", "-TERM", child], check=True)
    process.communicate(timeout=20)
    # Not SIGINT, which who starts the tests in the background has ignored.
    assert process.returncode in (-15, 143)
