"""What the inspector calls free holds nothing: it is overwritten, and the file system is sound and all files are what they were."""

import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from support.devices import loop_device, run
from support.file_systems import EXT, FileSystem, Tree, attached, churn, copy, ext
from support.images import KIB, MIB, make_sparse, overwrite, random_bytes
from support.inspector import Answer, Volume, inspect, overwrite_free

pytestmark = pytest.mark.root
TABLE = EXT


def by_name(systems: list[FileSystem]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("system", systems, ids=lambda system: system.name)


def require_nothing_lost(system: FileSystem, image: Path, volume: Volume, tree: Tree, work: Path) -> None:
    """Garbage in all free ranges of the image, and nobody notices."""
    overwrite_free(image, volume)
    system.require_clean(image)
    assert system.tree(image, work) == tree


def require_used(answer: Answer, reason: str) -> None:
    assert answer.volume().free is None and answer.volume().file_system["used_byte_count"] is None
    assert reason in answer.texts, answer.texts


@by_name(TABLE)
def test_free_ranges_hold_nothing_and_are_nearly_all_that_is_free(system: FileSystem, tmp_path: Path) -> None:
    image = system.create(tmp_path / "disk.img")
    system.fill(image, tmp_path / "mounted")
    system.require_clean(image)
    tree = system.tree(image, tmp_path / "mounted")
    assert len(tree) > 20
    answer = inspect(image)
    volume = answer.volume()
    assert answer.warnings == [] and volume.type == system.type and volume.free
    assert volume.file_system["used_byte_count"] == volume.byte_count - volume.free_byte_count
    free = system.free_byte_count(image, tmp_path / "mounted")
    assert free * system.share <= volume.free_byte_count <= free, f"{volume.free_byte_count / free:.4f} of what is free"
    require_nothing_lost(system, image, volume, tree, tmp_path / "mounted")


@by_name(TABLE)
def test_an_empty_file_system_is_nearly_all_free(system: FileSystem, tmp_path: Path) -> None:
    image = system.create(tmp_path / "disk.img")
    answer = inspect(image)
    assert answer.warnings == [] and answer.volume().free
    free = system.free_byte_count(image, tmp_path / "mounted")
    assert free * 0.98 <= answer.volume().free_byte_count <= free
    require_nothing_lost(system, image, answer.volume(), system.tree(image, tmp_path / "mounted"), tmp_path / "mounted")


# MARK: Journals of ext

JOURNALED = [
    ext("ext3", type_name="ext3"),
    ext("ext4"),
    ext("ext4 1k", "-b", "1024"),
    ext("ext4 without checksums", "-O", "^metadata_csum,^64bit"),
    ext("ext4 32 bits", "-O", "^64bit"),
    ext("ext4 clusters", "-O", "bigalloc", "-C", "65536"),
    # The log goes round many times.
    ext("ext4 small journal", "-J", "size=4"),
    ext("ext4 1k small journal", "-b", "1024", "-J", "size=1"),
]


def commit(folder: Path) -> None:
    """Everything so far is in the journal, and nowhere else."""
    descriptor = os.open(folder / "committed", os.O_CREAT | os.O_WRONLY)
    os.write(descriptor, b"x" * 5000)
    os.fsync(descriptor)
    os.close(descriptor)


def journal_is_pending(image: Path) -> bool:
    return "needs_recovery" in run("dumpe2fs", "-h", image)


def free_in_stored_bitmaps(image: Path, block: int) -> set[int]:
    """Blocks that the bitmaps call free as they are on the disk."""
    report = run("dumpe2fs", image)
    cluster = re.search(r"Cluster size: +(\d+)", report)
    # A cluster is named by its first block.
    behind = int(cluster[1]) // block if cluster else 1
    free: set[int] = set()
    for line in re.findall(r"^  Free blocks: (.+)$", report, re.MULTILINE):
        for part in line.split(", "):
            first, _, last = part.strip().partition("-")
            if first:
                free.update(range(int(first), int(last or first) + behind))
    return free


def blocks_of(volume: Volume, block: int) -> set[int]:
    return {number for start, end in volume.free or [] for number in range(start // block, end // block)}


def taken_while_mounted(system: FileSystem, folder: Path, rounds: int = 3) -> Path:
    """The image of a file system in use: what happened last is only in its journal."""
    image = system.create(folder / "disk.img")
    system.fill(image, folder / "mounted")
    taken = folder / "taken.img"
    with attached(image, folder / "mounted", system.type, "nodiscard") as mounted:
        for number in range(rounds):
            churn(mounted, 10 + number, count=25, byte_count_max=MIB)
            commit(mounted)
            (mounted / f"folder 10 {number}").rename(mounted / f"renamed {number}")
            for path in sorted((mounted / f"folder 2 {number}").rglob("*")):
                path.unlink()
            commit(mounted)
        # Not committed, and so not there after a crash.
        churn(mounted, 99, count=5)
        copy(image, taken)
    return taken


@by_name(JOURNALED)
def test_a_pending_journal_is_taken_into_account(system: FileSystem, tmp_path: Path) -> None:
    taken = taken_while_mounted(system, tmp_path)
    assert journal_is_pending(taken)
    answer = inspect(taken)
    volume = answer.volume()
    assert answer.warnings == [] and volume.free
    block = volume.file_system["block_byte_count"]
    recovered = copy(taken, tmp_path / "recovered.img")
    damaged = copy(taken, tmp_path / "damaged.img")
    overwrite_free(damaged, volume)
    for image in (recovered, damaged):
        # Replays the journal, and may correct the superblock's counts.
        assert subprocess.run(["e2fsck", "-fy", image], capture_output=True).returncode in (0, 1)
        system.require_clean(image)
    assert system.tree(damaged, tmp_path / "mounted") == system.tree(recovered, tmp_path / "mounted")
    free = system.free_byte_count(recovered, tmp_path / "mounted")
    assert free * system.share <= volume.free_byte_count <= free
    # The bitmaps on the disk say otherwise.
    stored, after = free_in_stored_bitmaps(taken, block), free_in_stored_bitmaps(recovered, block)
    assert blocks_of(volume, block) <= after
    assert stored - after, "the journal made no difference, and nothing was tested"


def test_a_journal_that_went_round_is_followed(tmp_path: Path) -> None:
    system = ext("ext4 small journal", "-b", "1024", "-J", "size=1")
    seen = 0
    image = system.create(tmp_path / "disk.img")
    with attached(image, tmp_path / "mounted", "ext4", "nodiscard") as mounted:
        for number in range(120):
            churn(mounted, number % 10, count=4, byte_count_max=40 * KIB)
            for file in range(3):
                (mounted / f"{number} {file}").write_bytes(random_bytes(3000, number))
                commit(mounted)
            journal = run("dumpe2fs", "-h", image)
            start = int(re.search(r"Journal start: +(\d+)", journal)[1])
            if start < 800:
                continue
            seen += 1
            taken = copy(image, tmp_path / "taken.img")
            answer = inspect(taken)
            run("e2fsck", "-p", "-E", "journal_only", taken)
            assert answer.warnings == [] and blocks_of(answer.volume(), 1024) <= free_in_stored_bitmaps(taken, 1024)
            assert len(blocks_of(answer.volume(), 1024)) > 0.9 * len(free_in_stored_bitmaps(taken, 1024))
    assert seen > 3


def test_a_damaged_journal_makes_everything_used(tmp_path: Path) -> None:
    system = ext("ext4")
    taken = taken_while_mounted(system, tmp_path, rounds=1)
    start = int(re.search(r"Journal start: +(\d+)", run("dumpe2fs", "-h", taken))[1])
    first = int(re.search(r"\(0-?\d*\):(\d+)", run("debugfs", "-R", "stat <8>", taken))[1])
    # A block that the first transaction writes, and the descriptor before it.
    for block, offset in [(first + start + 1, 100), (first + start, 40), (first, 0x50)]:
        damaged = copy(taken, tmp_path / "damaged.img")
        overwrite(damaged, block * 4096 + offset, b"\x5a\x5a\x5a\x5a")
        require_used(inspect(damaged), "its journal")


def test_what_an_ext_file_system_says_against_itself_makes_it_used(tmp_path: Path) -> None:
    system = ext("ext4")
    image = system.create(tmp_path / "disk.img")
    for request, reason in [
        ("set_super_value state 3", "it has recorded errors"),
        ("set_super_value state 0", "was not unmounted"),
        ("set_super_value journal_inum 0", "another disk"),
        ("feature needs_recovery", None),
    ]:
        damaged = copy(image, tmp_path / "damaged.img")
        run("debugfs", "-w", "-R", request, damaged)
        if reason is None:
            # Said to be needed, but the log is empty.
            assert inspect(damaged).volume().free
        else:
            require_used(inspect(damaged), reason)
    damaged = copy(image, tmp_path / "damaged.img")
    overwrite(damaged, 1024 + 0x150, b"\x01")
    require_used(inspect(damaged), "checksum of its superblock")


def test_an_ext2_that_is_mounted_is_used(tmp_path: Path) -> None:
    system = ext("ext2", type_name="ext2")
    image = system.create(tmp_path / "disk.img")
    with attached(image, tmp_path / "mounted", "ext2"):
        require_used(inspect(copy(image, tmp_path / "taken.img")), "mounted")


def test_features_that_are_not_known_make_an_ext_file_system_used(tmp_path: Path) -> None:
    image = ext("ext2", type_name="ext2").create(tmp_path / "disk.img")
    # A compatible one, which nobody needs to know, and one that is not.
    overwrite(image, 1024 + 0x5C + 3, b"\x80")
    assert inspect(image).volume().free
    overwrite(image, 1024 + 0x64 + 3, b"\x40")
    require_used(inspect(image), "features that are not known")


def test_pending_fast_commits_make_an_ext_file_system_used(tmp_path: Path) -> None:
    system = ext("ext4 fast commits", "-O", "fast_commit")
    image = system.create(tmp_path / "disk.img")
    assert inspect(image).volume().free
    seen = set()
    with attached(image, tmp_path / "mounted", "ext4") as mounted:
        commit(mounted)
        for number in range(6):
            with (mounted / f"file {number}").open("wb") as file:
                file.write(random_bytes(50_000, number))
                file.flush()
                os.fsync(file.fileno())
            answer = inspect(copy(image, tmp_path / "taken.img"))
            if answer.volume().free is None:
                assert "fast commits are pending" in answer.texts
            seen.add(answer.volume().free is None)
    assert True in seen


def test_groups_that_are_damaged_are_used_and_others_are_not(tmp_path: Path) -> None:
    for options in ([], ["-O", "^metadata_csum,^uninit_bg"]):
        system = ext("ext4 small groups", "-g", "8192", *options)
        image = system.create(tmp_path / "disk.img")
        system.fill(image, tmp_path / "mounted")
        before = inspect(image).volume()
        assert "BLOCK_UNINIT" not in re.search(r"Group 2: (.*?)Group 3", run("dumpe2fs", image), re.DOTALL)[1]
        bitmap = int(re.search(r"Group 2: .*?Block bitmap at (\d+)", run("dumpe2fs", image), re.DOTALL)[1])
        data = image.read_bytes()[bitmap * 4096:(bitmap + 1) * 4096]
        overwrite(image, bitmap * 4096 + 600, bytes([data[600] ^ 0x10]))
        answer = inspect(image)
        group = (2 * 8192 * 4096, 3 * 8192 * 4096)
        assert "1 of 6 block groups, the first of them 2" in answer.texts
        assert not any(start < group[1] and end > group[0] for start, end in answer.volume().free)
        inside = sum(min(end, group[1]) - max(start, group[0]) for start, end in before.free if start < group[1] and end > group[0])
        assert inside > 0 and answer.volume().free_byte_count == before.free_byte_count - inside


def test_a_volume_that_is_smaller_than_its_file_system_is_used(tmp_path: Path) -> None:
    image = ext("ext4").create(tmp_path / "disk.img")
    os.truncate(image, 100 * MIB)
    require_used(inspect(image), "larger than its volume")
