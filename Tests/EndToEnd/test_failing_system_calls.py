"""Storage that reports errors: the command fails and says why, or succeeds all the same, and nothing is wrong afterwards."""

import os
import shutil
from pathlib import Path

import pytest

from support.campaign import SEED, Beginning, choose, for_each
from support.images import MIB, make_image, random_bytes
from support.program import Program
from support.repository import Repository
from support.tracing import changing_calls, needs_strace, run_failing

pytestmark = needs_strace
# Failing calls of each command and error; a large number takes all there are.
FAULT_COUNT = int(os.environ.get("HOLDFAST_FAULTS", "12"))
WORDS = {"EIO": ("input/output",), "ENOSPC": ("no space",), "EDQUOT": ("no space", "quota")}


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("command", ["backup", "prune", "forget"])
def test_a_call_that_fails_loses_nothing_and_is_told(holdfast: Program, memory_path: Path, command: str, error: str) -> None:
    beginning = Beginning.make(holdfast, memory_path / "beginning", SEED + 100)
    arguments = beginning.arguments(command)
    points = changing_calls(beginning.copy(memory_path / "counted"), memory_path / "strace.log", *arguments)
    shutil.rmtree(memory_path / "counted")

    def trial(point: tuple[str, int], folder: Path) -> str:
        repository = beginning.copy(folder)
        what = f"{command} with {error} at {point[0]} {point[1]}"
        before = repository.snapshot_ids()
        outcome = run_failing(repository, point[0], error, str(point[1]), *arguments)
        assert outcome.status in (0, 1), f"{what}: status {outcome.status}: {outcome.text}"
        if outcome.status == 1:
            assert any(word in outcome.errors.lower() for word in WORDS[error]), f"{what}: it does not say why: {outcome.text}"
        beginning.require_kept_after(repository, command, outcome, before, what)
        beginning.require_goes_on(repository, what)
        return "failed" if outcome.status else "succeeded"

    counts = for_each(choose(points, FAULT_COUNT), memory_path / "trials", trial)
    print(f"\n{command}, {error}: {counts['failed']} runs failed, {counts['succeeded']} succeeded all the same, of {len(points)} points")
    assert counts["failed"] >= sum(counts.values()) // 3, f"hardly anything fails: {counts}"


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EDQUOT"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "linkat", "fsync"])
def test_a_backup_whose_storage_fails_from_now_on_loses_nothing(repository: Repository, tmp_path: Path, call: str, error: str) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    first = repository.snapshot(image)
    original = image.read_bytes()
    image.write_bytes(random_bytes(MIB, seed=2))
    outcome = run_failing(repository, call, error, "1+", "backup", image).require(1)
    assert str(repository.folder) in outcome.errors or "packs/" in outcome.errors
    assert any(word in outcome.errors.lower() for word in WORDS[error]), outcome.errors
    repository.require_clean()
    repository.require_equal(repository.snapshot(image), image, tmp_path / "back.img")
    assert repository.run("restore", first, "-").require(0).output_bytes == original


@pytest.mark.parametrize("call", ["pwrite64", "fsync"])
def test_a_restore_whose_target_fails_says_so(repository: Repository, tmp_path: Path, call: str) -> None:
    repository.snapshot(make_image(tmp_path / "disk.img", MIB))
    outcome = run_failing(repository, call, "EIO", "1+", "restore", "latest", str(tmp_path / "back.img"))
    assert str(tmp_path / "back.img") in outcome.require(1).errors and "was removed again" in outcome.errors


def test_a_repository_that_cannot_be_listed_is_not_taken_for_empty(repository: Repository, tmp_path: Path) -> None:
    repository.snapshot(make_image(tmp_path / "disk.img", MIB))
    for command in (["snapshots"], ["check"], ["backup", str(tmp_path / "disk.img")]):
        outcome = run_failing(repository, "getdents64", "EIO", "1+", *command).require(1)
        assert "Input/output" in outcome.errors
    assert len(repository.snapshot_ids()) == 1
