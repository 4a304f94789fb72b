"""The program is stopped or killed at random moments of a backup."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from support.images import MIB, make_image, overwrite, random_bytes
from support.program import Outcome, finish
from support.repository import Repository
from support.tracing import needs_strace, under_strace

KILL_COUNT = int(os.environ.get("HOLDFAST_RANDOM_KILLS", "30"))
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupted_backup_ends_with_130_and_the_next_reuses_what_was_stored(
        repository: Repository, tmp_path: Path, number: signal.Signals) -> None:
    image = make_image(tmp_path / "disk.img", 96 * MIB)
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "32MiB", image))
    time.sleep(1.8)
    process.send_signal(number)
    start = time.monotonic()
    outcome = finish(process).require(130)
    assert time.monotonic() - start < 10
    assert "interrupted" in outcome.errors and "kept for the next backup" in outcome.errors
    assert repository.snapshot_ids() == []
    repository.require_clean()
    counters = repository.backup(image)["snapshot"]["counters"]
    assert counters["new_byte_count"] < 80 * MIB, "nothing of what was stored was found again"
    repository.require_equal("latest", image, tmp_path / "back.img")
    repository.require_clean()


def test_an_interrupted_restore_ends_with_130_and_says_that_the_target_is_not_complete(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 256 * MIB)
    repository.snapshot(image)
    # Standard output that nobody reads holds the restore up.
    process = repository.program.start(*repository.arguments("restore", "latest", "-"))
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    outcome = finish(process).require(130)
    assert "not complete" in outcome.errors and len(outcome.output_bytes) < 256 * MIB


def interrupt_slowed(repository: Repository, target: Path, call: str, *arguments: object) -> Outcome:
    """A restore that gets SIGINT in `call`, which takes two seconds."""
    slow = under_strace(repository.program, "--seccomp-bpf", "-e", f"trace={call}", "-e", f"inject={call}:delay_enter=2000000:when=1")
    process = slow.start(*repository.arguments("restore", *arguments, "latest", target))
    while process.poll() is None and not target.with_name(f"{target.name}.incomplete").exists():
        pass
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)
    return finish(process)


@needs_strace
def test_a_restore_that_can_be_stopped_no_more_does_not_say_that_it_is_not_complete(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    repository.snapshot(image)
    target = tmp_path / "back.img"
    outcome = interrupt_slowed(repository, target, "fsync", "--threads", "1").require(0)
    assert "stopping" in outcome.errors and "not complete" not in outcome.errors
    assert target.read_bytes() == image.read_bytes()


@needs_strace
def test_an_interruption_while_a_target_is_read_back_says_that_it_is_complete(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    repository.snapshot(image)
    target = tmp_path / "back.img"
    outcome = interrupt_slowed(repository, target, "fsync", "--threads", "1", "--verify").require(130)
    assert f"{target} is complete, but was not read back" in outcome.errors and "not complete" not in outcome.errors
    assert target.read_bytes() == image.read_bytes()


def test_backups_killed_at_random_moments_lose_nothing(repository: Repository, tmp_path: Path) -> None:
    generator = random.Random(SEED)
    image = make_image(tmp_path / "disk.img", 24 * MIB)
    start = time.monotonic()
    kept = {repository.snapshot(image): image.read_bytes()}
    duration = time.monotonic() - start
    killed = number = 0
    # On a machine that is suddenly less busy most backups end before their time: more are needed then.
    while number < KILL_COUNT or killed < KILL_COUNT // 3:
        assert number < 10 * KILL_COUNT, "hardly any backup is killed"
        overwrite(image, generator.randrange(16) * MIB, random_bytes(8 * MIB, seed=1000 + number))
        process = repository.program.start(*repository.arguments("backup", image))
        time.sleep(generator.random() * duration)
        process.kill()
        outcome = finish(process)
        killed += outcome.status == -signal.SIGKILL
        ids = repository.snapshot_ids()
        assert set(kept) <= set(ids), f"kill {number} (seed {SEED}): snapshots are lost"
        if len(ids) > len(kept):
            kept[ids[-1]] = image.read_bytes()
        if number % 6 == 5:
            repository.require_clean()
            kept[repository.snapshot(image)] = image.read_bytes()
        number += 1
    repository.require_clean()
    for snapshot, data in kept.items():
        assert repository.run("restore", snapshot, "-").require(0).output_bytes == data
