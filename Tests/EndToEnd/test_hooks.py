"""Commands before and after a backup."""

import os
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.freezing import guardians, is_written, thaw, volume, wait_for
from support.images import MIB, make_image
from support.program import finish
from support.repository import Repository
from support.tracing import needs_strace, under_strace


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", 3 * MIB)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def after(log: Path) -> list[str]:
    return ["--after", f'echo "after $HOLDFAST_STATUS $HOLDFAST_SNAPSHOT" >> {log}']


def test_the_source_may_be_made_before_and_removed_after(repository: Repository, image: Path, tmp_path: Path, log: Path) -> None:
    copy = tmp_path / "snapshot.img"
    summary = repository.backup(
        "--before", f"echo before >> {log}; cp {image} {copy}", "--after", f'echo "after $HOLDFAST_STATUS $HOLDFAST_SNAPSHOT" >> {log}; rm {copy}', copy)
    assert lines(log) == ["before", f"after 0 {summary['snapshot']['id']}"] and not copy.exists()
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_nothing_is_backed_up_if_the_first_fails(repository: Repository, image: Path, log: Path) -> None:
    outcome = repository.run("backup", "--before", "echo no room >&2; exit 7", *after(log), image).require(1)
    assert "no room" in outcome.errors and "--before" in outcome.errors and "exit status 7" in outcome.errors and "nothing was backed up" in outcome.errors
    assert lines(log) == [] and repository.snapshot_ids() == []


def test_the_second_is_run_after_a_failure(repository: Repository, tmp_path: Path, image: Path, log: Path) -> None:
    assert "no such file" in repository.run("backup", "--before", "true", *after(log), tmp_path / "none").require(1).errors
    assert lines(log) == ["after 1 "]
    repository.run("backup", *after(log), "--stdin-command", "exit 4").require(1)
    assert lines(log)[1:] == ["after 1 "]
    # What fails before anything is begun needs nothing to be ended.
    repository.run("backup", *after(log), tmp_path / "none").require(1)
    assert len(lines(log)) == 2


def test_its_failure_is_told_and_the_snapshot_is_there(repository: Repository, image: Path) -> None:
    outcome = repository.run("backup", "--after", "exit 9", image).require(4)
    (snapshot,) = repository.snapshot_ids()
    assert "--after" in outcome.errors and "exit status 9" in outcome.errors and f"the snapshot {snapshot[:12]} is there" in outcome.errors
    outcome = repository.run("backup", "--after", "exit 9", "--stdin-command", "exit 4").require(1)
    assert "exit status 9" in outcome.errors and "exit status 4" in outcome.errors


def test_what_they_print_is_no_result(repository: Repository, image: Path) -> None:
    outcome = repository.run("backup", "--json", "--before", "echo one", "--after", "echo two", image, standard_input=b"typed\n").require(0)
    assert "one" in outcome.errors and "two" in outcome.errors
    assert len(outcome.of_type("summary")) == 1  # Every line is an object.
    outcome = repository.run("backup", "--before", "cat; echo ended", image, standard_input=b"typed\n").require(0)
    assert "ended" in outcome.errors and "typed" not in outcome.errors


def test_the_password_is_handed_to_no_program(repository: Repository, image: Path, tmp_path: Path) -> None:
    environment = f"cat /proc/self/environ > {tmp_path}"
    secret = repository.using(repository.program.with_variables(HOLDFAST_PASSWORD="correct horse", OTHER="seen"))
    secret.run(
        "backup", "--before", f"{environment}/before", "--after", f"{environment}/after", "--stdin-command", f"{environment}/stream; cat {image}").require(0)
    for name in ("before", "after", "stream"):
        told = (tmp_path / name).read_bytes()
        assert b"OTHER=seen" in told and b"horse" not in told and b"HOLDFAST_PASSWORD" not in told


def test_they_do_not_run_at_the_idle_priority_of_reading(repository: Repository, image: Path) -> None:
    told = repository.run("backup", "--before", "ionice", "--after", "ionice", "--stdin-command", "ionice >&2; echo data").require(0).errors
    assert [line.split(":")[0] for line in told.splitlines() if line.startswith(("idle", "none:"))] == ["none", "idle", "none"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_first_command_ends_with_what_it_started(repository: Repository, image: Path, log: Path, number: signal.Signals) -> None:
    process = repository.program.start(*repository.arguments("backup", "--before", f"sleep 61 & echo $! >> {log}; wait", *after(log), image))
    wait_for(lambda: lines(log) != [])
    os.kill(process.pid, number)
    start = time.monotonic()
    finish(process).require(130)
    assert time.monotonic() - start < 5 and len(lines(log)) == 1 and repository.snapshot_ids() == []
    wait_for(lambda: not Path(f"/proc/{lines(log)[0]}").exists(), 5)


def test_the_second_is_run_after_an_interrupt(repository: Repository, tmp_path: Path, log: Path) -> None:
    image = make_image(tmp_path / "large.img", 64 * MIB)
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "8MiB", "--before", f"echo before >> {log}", *after(log), image))
    wait_for(lambda: lines(log) != [])
    time.sleep(1.5)
    os.kill(process.pid, signal.SIGINT)
    finish(process).require(130)
    assert lines(log) == ["before", "after 130 "] and repository.snapshot_ids() == []


@needs_strace
def test_an_interrupt_between_two_steps_stops_the_next(repository: Repository, image: Path, log: Path) -> None:
    # The sources are opened after the first command and before the backup begins.
    slow = under_strace(repository.program, "-P", str(image), "-e", "trace=openat", "-e", "inject=openat:delay_enter=2000000:when=1")
    process = slow.start(*repository.arguments("backup", "--before", f"echo before >> {log}", *after(log), image))
    wait_for(lambda: lines(log) != [])
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    outcome = finish(process).require(130)
    assert "running --after" in outcome.errors and lines(log) == ["before", "after 130 "] and repository.snapshot_ids() == []


def test_an_interrupted_second_command_leaves_the_snapshot(repository: Repository, image: Path, log: Path) -> None:
    process = repository.program.start(*repository.arguments("backup", "--after", f"echo begun >> {log}; sleep 61", image))
    wait_for(lambda: lines(log) != [])
    os.kill(process.pid, signal.SIGINT)
    outcome = finish(process).require(4)
    assert "stopped" in outcome.errors and len(repository.snapshot_ids()) == 1


def test_words_that_make_no_sense_are_wrong_usage(repository: Repository, image: Path) -> None:
    for options in (["--before", ""], ["--after", ""], ["--freeze-during", "before", "--freeze", "/"], ["--freeze", "/", "--freeze-timeout", "10"]):
        repository.run("backup", *options, image).require(64)


@pytest.mark.root
def test_a_file_system_can_be_frozen_while_the_first_command_runs_and_no_longer(
        repository: Repository, tmp_path: Path, log: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", byte_count=64 * MIB))
    make_image(folder / "letters", 20 * MIB)
    probe = f"timeout 1 sh -c ': > {folder}/probe' & sleep 0.5; test -e {folder}/probe || echo frozen >> {log}"
    copy = tmp_path / "copy.img"
    process = repository.program.start(*repository.arguments(
        "backup", "--freeze", folder, "--freeze-during", "before", "--before", f"{probe}; cp --sparse=always {device} {copy}", "--limit-rate", "8MiB", copy))
    wait_for(copy.exists)
    assert is_written(folder, 5) and process.poll() is None
    wait_for(lambda: guardians(folder) == [], 2)
    finish(process).require(0)
    assert lines(log) == ["frozen"]
    repository.run("restore", "latest", tmp_path / "back.img").require(0)
    assert os.system(f"e2fsck -f -n {tmp_path}/back.img > /dev/null 2>&1") == 0


@pytest.mark.root
def test_a_first_command_that_writes_to_what_is_frozen_is_ended_by_the_longest_time(
        repository: Repository, tmp_path: Path, image: Path, log: Path, cleanup: ExitStack) -> None:
    _, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", byte_count=64 * MIB))
    outcome = repository.run(
        "backup", "--freeze", folder, "--freeze-during", "before", "--freeze-timeout", "2s", "--before", f"touch {folder}/own", *after(log), image).require(1)
    assert "thawed after 2 seconds" in outcome.errors and (folder / "own").exists()
    assert lines(log) == ["after 1 "] and repository.snapshot_ids() == [] and not thaw(folder)


@pytest.mark.root
def test_a_btrfs_can_be_kept_as_a_stream(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    """As Specs/guides/consistent-snapshots.md has it."""
    _, home = cleanup.enter_context(volume(tmp_path / "home.img", tmp_path / "home", "btrfs"))
    _, new = cleanup.enter_context(volume(tmp_path / "new.img", tmp_path / "new", "btrfs"))
    make_image(home / "letters", 5 * MIB)
    for _ in range(2):
        repository.run(
            "backup", "--stdin-name", "home", "--stdin-command", f"btrfs send -q {home}/.backup",
            "--before", f"test ! -e {home}/.backup || btrfs subvolume delete {home}/.backup; btrfs subvolume snapshot -r {home} {home}/.backup",
            "--after", f"btrfs subvolume delete {home}/.backup").require(0)
    stream = repository.run("restore", "latest::home", "-").require(0).output_bytes
    subprocess.run(["btrfs", "receive", "-q", new], input=stream, check=True)
    assert (new / ".backup" / "letters").read_bytes() == (home / "letters").read_bytes() and not (home / ".backup").exists()
