"""The disk of the repository or of the target is full."""

import os
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.campaign import SEED, Beginning
from support.devices import fill, small_ext4, small_tmpfs
from support.images import KIB, MIB, make_image, overwrite, random_bytes
from support.objects import names_of_kind
from support.program import Program
from support.repository import Repository

pytestmark = pytest.mark.root
# Fill levels of a backup; of the others as many as make a difference.
LEVEL_COUNT = int(os.environ.get("HOLDFAST_FILL_LEVELS", "5"))
# With so much left everything fits. Space is given in blocks of 1 KiB.
LEVEL_RANGES = {"backup": 480 * KIB, "forget": 48 * KIB, "prune": 48 * KIB}
DISK_BYTE_COUNT = 24 * MIB
# Forgetting and pruning succeed, and free space, however full the disk is: the reserve makes room (Ordering 19).
PRUNE_ALWAYS_SUCCEEDS = True


def small_file_system(kind: str, byte_count: int, tmp_path: Path, cleanup: ExitStack) -> Path:
    if kind == "tmpfs":
        return cleanup.enter_context(small_tmpfs(byte_count, tmp_path / "small"))
    return cleanup.enter_context(small_ext4(tmp_path / "small.backing", byte_count, tmp_path / "small"))


@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
def test_a_repository_on_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(
        holdfast: Program, tmp_path: Path, cleanup: ExitStack, kind: str) -> None:
    folder = small_file_system(kind, 40 * MIB, tmp_path, cleanup)
    repository = Repository.create(holdfast, folder / "repository", tmp_path / "full.key")
    junk = folder / "junk"
    junk.write_bytes(bytes(10 * MIB))
    kept: dict[str, Path] = {}
    for number in range(20):
        image = make_image(tmp_path / f"{number}.img", 5 * MIB, seed=number)
        outcome = repository.run("backup", "--json", image)
        if outcome.status != 0:
            break
        kept[outcome.of_type("summary")[0]["snapshot"]["id"]] = image
    outcome.require(1)
    assert "no space is left" in outcome.errors and "make room" in outcome.errors
    assert 2 <= len(kept) < 20 and repository.snapshot_ids() == list(kept)
    for snapshot, old in kept.items():
        repository.require_equal(snapshot, old, tmp_path / "back.img")
    repository.require_clean()
    junk.unlink()
    repository.require_equal(repository.snapshot(image), image, tmp_path / "back.img")
    repository.require_clean()


@pytest.mark.parametrize("command", LEVEL_RANGES)
def test_at_every_fill_level_nothing_is_lost(holdfast: Program, memory_path: Path, cleanup: ExitStack, command: str) -> None:
    beginning = Beginning.make(holdfast, memory_path / "beginning", SEED + 200)
    folder = cleanup.enter_context(small_ext4(memory_path / "small.backing", DISK_BYTE_COUNT, memory_path / "small"))
    count = min(LEVEL_COUNT, LEVEL_RANGES[command] // KIB)
    levels = [number * LEVEL_RANGES[command] // max(1, count - 1) for number in range(count)]
    counts: Counter[str] = Counter()
    for left in levels:
        what = f"{command} with {left} bytes left"
        repository = beginning.copy(memory_path / "trial", folder / "repository")
        junk = fill(folder, left)
        before = repository.snapshot_ids()
        outcome = repository.run(*beginning.arguments(command))
        assert outcome.status in (0, 1), f"{what}: {outcome.text}"
        assert outcome.status == 0 or "no space is left" in outcome.errors, f"{what}: it does not say why: {outcome.text}"
        if PRUNE_ALWAYS_SUCCEEDS and command != "backup":
            assert outcome.status == 0 and outcome.of_type("summary")[-1]["deleted_byte_count"] > 0, f"{what}: {outcome.text}"
        counts["done" if outcome.status == 0 else "full"] += 1
        # While the disk is full, too, everything is read.
        new = beginning.require_kept_after(repository, command, outcome, before, what)
        assert len(new) == (outcome.status == 0 and command == "backup"), f"{what}: {new}: {outcome.text}"
        junk.unlink()
        beginning.require_goes_on(repository, what)
        shutil.rmtree(repository.folder)
        shutil.rmtree(memory_path / "trial")
    print(f"\n{command}: {len(levels)} levels up to {levels[-1]} bytes: {dict(counts)}")
    assert counts["done"] > 0 and (counts["full"] > 0 or command != "backup"), f"the levels do not reach from full to enough: {counts}"


@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
def test_a_disk_without_a_free_byte_is_made_room_on(holdfast: Program, tmp_path: Path, cleanup: ExitStack, kind: str) -> None:
    folder = small_file_system(kind, 160 * MIB, tmp_path, cleanup)
    repository = Repository.create(holdfast, folder / "repository", tmp_path / "full.key")
    reserve = repository.folder / "reserve"
    assert reserve.stat().st_size == 8 * MIB
    image = make_image(tmp_path / "disk.img", 12 * MIB)
    first = repository.snapshot(image)
    # Half of what the first has stored stays needed.
    overwrite(image, 0, random_bytes(6 * MIB, seed=2))
    second = repository.snapshot(image)
    alone = make_image(tmp_path / "alone.img", 5 * MIB, seed=3)
    third = repository.snapshot(alone)
    junk = fill(folder)
    assert "no space" in repository.run("backup", make_image(tmp_path / "new.img", 2 * MIB, seed=4)).require(1).errors
    before = len(names_of_kind(repository.folder, "packs"))
    outcome = repository.run("forget", first, third, "--prune").require(0)
    assert "no room to copy" in outcome.output and reserve.stat().st_size == 8 * MIB
    assert len(names_of_kind(repository.folder, "packs")) == before - 1, "only what needs no copying"
    repository.require_equal(second, image, tmp_path / "back.img")
    repository.require_clean()
    junk.unlink()
    summary = repository.run("prune", "--json").require(0).of_type("summary")[0]
    assert summary["written_pack_count"] > 0 and reserve.stat().st_size == 8 * MIB
    repository.require_equal(second, image, tmp_path / "back.img")
    repository.require_clean()
    repository.snapshot(tmp_path / "new.img")


@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
def test_a_restore_to_a_full_disk_leaves_nothing_that_looks_complete(
        repository: Repository, tmp_path: Path, cleanup: ExitStack, kind: str) -> None:
    folder = small_file_system(kind, 16 * MIB, tmp_path, cleanup)
    image = make_image(tmp_path / "disk.img", 30 * MIB)
    repository.snapshot(image)
    target = folder / "back.img"
    outcome = repository.run("restore", "latest", target).require(1)
    assert str(target) in outcome.errors and "no space" in outcome.errors.lower()
    assert "was removed again" in outcome.errors
    assert not target.exists()


def test_init_on_a_full_disk_says_so(holdfast: Program, tmp_path: Path, cleanup: ExitStack) -> None:
    folder = small_file_system("ext4", 8 * MIB, tmp_path, cleanup)
    junk = fill(folder)
    arguments = ["init", "-r", folder / "repository", "--key-file", tmp_path / "full.key"]
    assert "no space is left" in holdfast.run(*arguments).require(1).errors
    junk.unlink()
    holdfast.run(*arguments).require(0)
