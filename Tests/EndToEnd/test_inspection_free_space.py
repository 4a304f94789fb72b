"""What the inspector calls free holds nothing: it is overwritten, and the file system is sound and all files are what they were."""

import os
import re
import struct
import subprocess
import zlib
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, run
from support.file_systems import EXFATS, EXT, FATS, NTFS, XFS, FileSystem, Tree, attached, churn, commit, copy, ext, free_in_stored_bitmaps, xfs
from support.images import KIB, MIB, make_sparse, overwrite, random_bytes
from support.inspector import UNIT, Answer, Volume, blocks_of, inspect, overwrite_free

pytestmark = pytest.mark.root
TABLE = [*EXT, *FATS, *EXFATS, *NTFS, *XFS]


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
    if system.is_exact:
        assert free - volume.free_byte_count <= 8192 * len(volume.free)
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


def journal_is_pending(image: Path) -> bool:
    return "needs_recovery" in run("dumpe2fs", "-h", image)


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


def journal_written(image: Path, requests: list[str], folder: Path, version: int | None) -> None:
    """Transactions in a journal, written by e2fsprogs."""
    opening = "journal_open" if version is None else f"journal_open -c -v {version}"
    (folder / "requests").write_text("\n".join([opening, *requests, "journal_close", ""]))
    run("debugfs", "-w", "-f", folder / "requests", image)
    assert journal_is_pending(image)


@pytest.mark.parametrize("version", [None, 2, 3])
@pytest.mark.parametrize("bits", [(), ("-O", "^64bit")], ids=["64 bits", "32 bits"])
def test_transactions_are_replayed_and_revoked_and_blocks_that_look_like_the_journal_restored(tmp_path: Path, version: int | None, bits: tuple[str, ...]) -> None:
    system = ext("ext4", *bits, "-g", "8192")
    if version is None:
        system = ext("ext4", "-O", "^metadata_csum,^uninit_bg" + ",^64bit" * bool(bits), "-g", "8192")
    image = system.create(tmp_path / "disk.img")
    before = inspect(image).volume().free
    after = copy(image, tmp_path / "after.img")
    with attached(after, tmp_path / "mounted", "ext4") as folder:
        churn(folder, 1, count=60)
    expected = inspect(after).volume().free
    assert expected != before
    old, new = image.read_bytes(), after.read_bytes()
    changed = [block for block in range(len(old) // 4096) if old[block * 4096:(block + 1) * 4096] != new[block * 4096:(block + 1) * 4096]]
    inside = {block for start, end in journal_ranges(image) for block in range(start, end + 1)}
    changed = [block for block in changed if block not in inside]
    (tmp_path / "changed").write_bytes(b"".join(new[block * 4096:(block + 1) * 4096] for block in changed))
    replayed = copy(image, tmp_path / "replayed.img")
    journal_written(replayed, [f"journal_write -b {','.join(map(str, changed[:400]))} {tmp_path / 'changed'}"], tmp_path, version)
    assert inspect(replayed).warnings == [] and inspect(replayed).volume().free == expected

    # Garbage in all blocks, and a later transaction that revokes it.
    (tmp_path / "garbage").write_bytes(ExtMagic + random_bytes(4096 * len(changed), 1)[4:])
    revoked = copy(image, tmp_path / "revoked.img")
    blocks = ",".join(map(str, changed[:400]))
    journal_written(revoked, [f"journal_write -b {blocks} {tmp_path / 'garbage'}", f"journal_write -r {blocks}"], tmp_path, version)
    assert inspect(revoked).warnings == [] and inspect(revoked).volume().free == before


ExtMagic = bytes.fromhex("c03b3998")


def journal_ranges(image: Path) -> list[tuple[int, int]]:
    extents = run("debugfs", "-R", "stat <8>", image).split("EXTENTS:")[1]
    return [(int(first), int(last or first)) for first, last in re.findall(r"\):(\d+)(?:-(\d+))?", extents)]


def test_a_bitmap_that_begins_like_a_block_of_the_journal_is_restored(tmp_path: Path) -> None:
    system = ext("ext4", "-O", "^metadata_csum,^uninit_bg,^64bit", "-g", "8192")
    image = system.create(tmp_path / "disk.img")
    group = int(re.search(r"Group (\d+):[^\n]*\n(?:  [^\n]*\n)*?  8192 free blocks", run("dumpe2fs", image))[1])
    expected = copy(image, tmp_path / "expected.img")
    table = 4096
    place = table + 32 * group
    bitmap = struct.unpack_from("<I", image.read_bytes(), place)[0]
    overwrite(expected, bitmap * 4096, ExtMagic)
    overwrite(expected, place + 12, struct.pack("<H", 8192 - sum(byte.bit_count() for byte in ExtMagic)))
    data = expected.read_bytes()
    (tmp_path / "changed").write_bytes(data[4096:8192] + data[bitmap * 4096:(bitmap + 1) * 4096])
    journal_written(image, [f"journal_write -b 1,{bitmap} {tmp_path / 'changed'}"], tmp_path, None)
    answer = inspect(image)
    assert answer.warnings == [] and answer.volume().free == inspect(expected).volume().free


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


def test_sizes_that_no_ext_file_system_has_make_it_used(tmp_path: Path) -> None:
    """Without checksums only one field tells of a change of another."""
    image = ext("ext2", "-b", "1024", type_name="ext2").create(tmp_path / "disk.img")
    good = image.read_bytes()[1024:2048]
    inodes, groups = struct.unpack_from("<I", good, 0)[0], struct.unpack_from("<I", good, 0x20)[0]
    assert inspect(image).volume().free
    # Inodes, first block, fragments, blocks of a group.
    for offset, value in [(0, inodes + 1), (0x14, 0), (0x14, 2), (0x1C, 1), (0x20, groups // 2)]:
        overwrite(image, 1024 + offset, struct.pack("<I", value))
        require_used(inspect(image), "make no sense")
        overwrite(image, 1024, good)


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
        if options:
            overwrite(image, bitmap * 4096 + 600, bytes([data[600] ^ 0x10]))
        else:
            # As many blocks are free as before, but others: only the checksum tells.
            place = next(place for place in range(1, 1024) if data[place] not in (0, 0xFF))
            overwrite(image, bitmap * 4096 + place, bytes([data[place] >> 1 | data[place] << 7 & 0xFF]))
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


# MARK: FAT and exFAT

@by_name([*FATS, *EXFATS])
def test_a_fat_or_exfat_that_was_not_unmounted_is_used(system: FileSystem, tmp_path: Path) -> None:
    image = system.create(tmp_path / "disk.img")
    assert inspect(image).volume().free
    for offset, value in dirty_marks(image, system):
        marked = copy(image, tmp_path / "marked.img")
        overwrite(marked, offset, value)
        require_used(inspect(marked), "was not unmounted")


def dirty_marks(image: Path, system: FileSystem) -> list[tuple[int, bytes]]:
    """Where drivers note that they have it mounted."""
    if system.type == "exfat":
        return [(106, b"\x02")]
    with image.open("rb") as file:
        boot = file.read(512)
    sector, reserved = struct.unpack_from("<HxH", boot, 11)
    table = sector * reserved
    return {
        "FAT12": [(37, b"\x01")],
        "FAT16": [(37, b"\x01"), (table + 3, b"\x7f"), (table + 3, b"\xbf")],
        "FAT32": [(65, b"\x01"), (table + 7, b"\x07"), (table + 7, b"\x0b")],
    }[system.name.split()[0]]


@by_name(FATS[:4])
def test_a_fat_whose_table_or_name_does_not_fit_its_boot_sector_is_used(system: FileSystem, tmp_path: Path) -> None:
    image = system.create(tmp_path / "disk.img")
    with image.open("rb") as file:
        boot = file.read(512)
    name = 82 if system.name == "FAT32" else 54
    assert boot[name:name + 3] == b"FAT" and inspect(image).volume().free
    for offset, value, reason in [(14, bytes([boot[14] + 1]), "does not begin like one"), (21, b"\xf9", "does not begin like one"), (name, b"FAT99", "does not fit its name")]:
        overwrite(image, offset, value)
        require_used(inspect(image), reason)
        overwrite(image, 0, boot)


@by_name(FATS[:4])
def test_a_fat_whose_folders_are_not_where_its_boot_sector_says_is_used(system: FileSystem, tmp_path: Path) -> None:
    """More entries of the top folder, or larger clusters, move all data."""
    image = system.create(tmp_path / "disk.img")
    system.fill(image, tmp_path / "mounted")
    with image.open("rb") as file:
        boot = file.read(512)
    assert inspect(image).volume().free
    overwrite(image, 13, bytes([boot[13] * 2]))
    assert inspect(image).volume().free is None
    overwrite(image, 0, boot)
    if system.name != "FAT32":
        overwrite(image, 18, bytes([boot[18] ^ 0x08]))
        require_used(inspect(image), "a folder is not where its boot sector says")


def test_a_cluster_is_free_only_if_both_tables_say_so(tmp_path: Path) -> None:
    image = FATS[3].create(tmp_path / "disk.img")
    free = inspect(image).volume().free_byte_count
    with image.open("rb") as file:
        boot = file.read(512)
    sector, cluster, reserved = struct.unpack_from("<HBH", boot, 11)
    table_sectors = struct.unpack_from("<I", boot, 36)[0]
    for table in range(2):
        marked = copy(image, tmp_path / "marked.img")
        overwrite(marked, (reserved + table * table_sectors) * sector + 4 * 5000, struct.pack("<I", 0x0FFFFFFF))
        lost = free - inspect(marked).volume().free_byte_count
        assert 0 < lost <= sector * cluster + 8192


def test_an_exfat_with_other_boot_sectors_than_its_checksum_says_is_used(tmp_path: Path) -> None:
    image = EXFATS[0].create(tmp_path / "disk.img")
    overwrite(image, 2000, b"x")
    require_used(inspect(image), "checksum of its boot sectors")


# MARK: Swap and others

def test_of_swap_space_the_header_is_used(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 64 * MIB + 5000, {})
    for page_size in (4096, 16384, 65536):
        run("mkswap", "--pagesize", page_size, "--label", "swapped", image)
        volume = inspect(image).volume()
        assert volume.type == "swap" and volume.file_system["label"] == "swapped"
        assert volume.free == [(64 * KIB, 64 * MIB + 5000 // page_size * page_size)]
        before = run("blkid", "-p", image)
        overwrite_free(image, volume)
        assert run("blkid", "-p", image) == before


def test_a_hibernated_system_is_used(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 64 * MIB, {})
    for signature in (b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001"):
        run("mkswap", "--pagesize", 4096, image)
        overwrite(image, 4086, signature)
        assert inspect(image).volume().free is None


def test_a_hibernated_system_is_left_out_on_request(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 64 * MIB, {})
    run("mkswap", "--pagesize", 4096, image)
    expected = inspect(image).volume().free
    overwrite(image, 4086, b"S1SUSPEND\0")
    assert expected and inspect(image, "--skip-page-files").volume().free == expected


@pytest.mark.parametrize(("type_name", "usage", "command"), [
    ("btrfs", "filesystem", ["mkfs.btrfs", "-q", "-f"]),
    ("crypto_LUKS", "crypto", ["cryptsetup", "-q", "luksFormat", "--pbkdf-memory", "32", "--pbkdf-force-iterations", "4", "--key-file", "/etc/passwd"]),
], ids=["btrfs", "LUKS"])
def test_what_is_only_recognised_is_used(tmp_path: Path, type_name: str, usage: str, command: list[str]) -> None:
    image = make_sparse(tmp_path / "disk.img", 192 * MIB, {})
    run(*command, image)
    volume = inspect(image).volume()
    assert (volume.type, volume.file_system["usage"], volume.free) == (type_name, usage, None) and volume.file_system["uuid"]


def test_members_of_volume_groups_and_arrays_are_recognised(tmp_path: Path) -> None:
    label = bytearray(512)
    label[:8], label[24:32] = b"LABELONE", b"LVM2 001"
    struct.pack_into("<QII", label, 8, 1, 0, 32)
    label[32:64] = b"abcdefghijklmnopqrstuvwxyzABCDEF"
    struct.pack_into("<I", label, 16, lvm_checksum(bytes(label[20:])))
    image = make_sparse(tmp_path / "disk.img", 16 * MIB, {512: bytes(label)})
    volume = inspect(image).volume()
    assert (volume.type, volume.file_system["usage"], volume.free) == ("LVM2_member", "raid", None)


def lvm_checksum(data: bytes) -> int:
    return zlib.crc32(data, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def test_random_bytes_are_one_volume_of_which_everything_is_used(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(random_bytes(4 * MIB, 1))
    answer = inspect(image)
    assert answer.volume().free is None and answer.warnings == []


# MARK: NTFS

def file_record(image: Path, number: int) -> int:
    """Where a record of the master file table is; its first ones are together."""
    with image.open("rb") as file:
        boot = file.read(512)
    sector, per_cluster = struct.unpack_from("<HB", boot, 11)
    per_cluster = per_cluster if per_cluster <= 128 else 1 << 256 - per_cluster
    return struct.unpack_from("<Q", boot, 48)[0] * sector * per_cluster + number * 1024


def test_an_ntfs_that_has_something_pending_is_used(tmp_path: Path) -> None:
    system = NTFS[0]
    image = system.create(tmp_path / "disk.img")
    assert inspect(image).volume().free
    marked = copy(image, tmp_path / "marked.img")
    # The flags of the volume, resident in its record.
    at = file_record(image, 3)
    record = image.read_bytes()[at:at + 1024]
    value = record.index(b"\x03\x01", 0x100)
    overwrite(marked, at + value + 2, b"\x01")
    require_used(inspect(marked), "was not unmounted")
    # A log that a client uses.
    cluster = run_of(image, 2) * 4096
    page = bytearray(b"RSTR" + bytes(4092))
    struct.pack_into("<HH", page, 4, 30, 9)
    struct.pack_into("<IIHHH", page, 16, 4096, 4096, 0x40, 1, 1)
    for in_use, flags, is_clean in [(0xFFFF, 0, True), (0, 2, True), (0, 0, False)]:
        struct.pack_into("<HH", page, 0x40 + 12, in_use, flags)
        overwrite(copy(image, marked), cluster, bytes(page) * 2)
        if is_clean:
            assert inspect(marked).volume().free
        else:
            require_used(inspect(marked), "its log is pending")
    overwrite(marked, cluster + 5 * 4096, b"RCRD")
    require_used(inspect(marked), "its log")


def run_of(image: Path, number: int) -> int:
    """The first cluster of a file's unnamed data."""
    at = file_record(image, number)
    with image.open("rb") as file:
        file.seek(at)
        record = file.read(1024)
    place = struct.unpack_from("<H", record, 20)[0]
    while struct.unpack_from("<I", record, place)[0] != 0x80:
        place += struct.unpack_from("<I", record, place + 4)[0]
    pairs = place + struct.unpack_from("<H", record, place + 32)[0]
    count, width = record[pairs] & 15, record[pairs] >> 4
    return int.from_bytes(record[pairs + 1 + count:pairs + 1 + count + width], "little", signed=True)


def cleared(image: Path, bitmap: int, cluster: int, to: Path) -> Path:
    """With a bitmap that calls one more cluster free."""
    copy(image, to)
    byte = image.read_bytes()[bitmap + cluster // 8]
    assert byte >> cluster % 8 & 1
    overwrite(to, bitmap + cluster // 8, bytes([byte & ~(1 << cluster % 8)]))
    return to


def test_an_ntfs_whose_bitmap_calls_free_what_a_file_has_is_used(tmp_path: Path) -> None:
    system = NTFS[0]
    image = system.create(tmp_path / "disk.img")
    with attached(image, tmp_path / "mounted", "ntfs") as folder:
        (folder / "own").write_bytes(random_bytes(100_000, 1))
    assert inspect(image).volume().free
    listed = run("ntfsinfo", "-v", "-F", "/own", image).partition("$DATA")[2]
    own = int(re.search(r"0x0\t\t(0x[0-9a-f]+)", listed)[1], 16)
    bitmap = run_of(image, 6) * 4096
    # Of a file, and the master file table.
    for cluster in (own, own + 24, run_of(image, 0)):
        require_used(inspect(cleared(image, bitmap, cluster, tmp_path / "marked.img")), "calls free what a file has")


def test_an_exfat_whose_bitmap_calls_free_what_a_file_has_is_used(tmp_path: Path) -> None:
    system = EXFATS[1]
    image = system.create(tmp_path / "disk.img")
    system.fill(image, tmp_path / "mounted")
    data = image.read_bytes()
    heap = struct.unpack_from("<I", data, 88)[0] * 512
    root = heap + (struct.unpack_from("<I", data, 96)[0] - 2) * 4096
    entries = [data[at:at + 32] for at in range(root, root + 4096, 32)]
    bitmap = heap + (next(struct.unpack_from("<I", entry, 20)[0] for entry in entries if entry[0] == 0x81) - 2) * 4096
    folder = next(struct.unpack_from("<I", entry, 20)[0] for entry in entries if entry[0] == 0xC0)
    inside = [data[at:at + 32] for at in range(heap + (folder - 2) * 4096, heap + (folder - 1) * 4096, 32)]
    files = [struct.unpack_from("<IQ", entry, 20) for entry in inside if entry[0] == 0xC0]
    first, byte_count = max(files, key=lambda each: each[1])
    assert byte_count > 8192
    # Of a folder, and of a file the first one, and the next, which is its own too: nothing was written beside it.
    for cluster in (folder, first, first + 1):
        require_used(inspect(cleared(image, bitmap, cluster - 2, tmp_path / "marked.img")), "calls free what a file has")


@pytest.mark.parametrize("others", [0, 400], ids=["few files", "many files"])
def test_an_ntfs_with_a_hibernated_system_is_used(tmp_path: Path, others: int) -> None:
    system = NTFS[0]
    image = system.create(tmp_path / "disk.img")
    for content, is_used in [(b"hibr" + bytes(8188), True), (bytes(8192), False)]:
        with attached(image, tmp_path / "mounted", "ntfs") as folder:
            for number in range(others):
                (folder / f"other {number}").touch()
            (folder / "HiberFil.sys").write_bytes(content)
        if is_used:
            require_used(inspect(image), "hibernated")
        else:
            assert inspect(image).volume().free


def test_page_files_are_left_out_on_request_and_nothing_else(tmp_path: Path) -> None:
    system = NTFS[0]
    image = system.create(tmp_path / "disk.img")
    with attached(image, tmp_path / "mounted", "ntfs") as folder:
        churn(folder, 31)
        (folder / "PageFile.sys").write_bytes(os.urandom(20 * MIB))
        (folder / "swapfile.sys").write_bytes(os.urandom(2 * MIB))
        (folder / "pagefile.system").write_bytes(os.urandom(MIB))
        (folder / "folder 31 0" / "pagefile.sys").write_bytes(os.urandom(MIB))
    expected = system.tree(image, tmp_path / "read")
    usual, less = inspect(image).volume(), inspect(image, "--skip-page-files").volume()
    assert 0 <= 22 * MIB - (less.free_byte_count - usual.free_byte_count) <= 16 * UNIT
    overwrite_free(image, less)
    found = system.tree(image, tmp_path / "read")
    assert {path for path in expected if found[path] != expected[path]} == {"PageFile.sys", "swapfile.sys"}


def test_the_last_sector_of_an_ntfs_is_never_free(tmp_path: Path) -> None:
    image = NTFS[0].create(tmp_path / "disk.img")
    end = inspect(image).volume().free[-1][1]
    assert end < image.stat().st_size and image.read_bytes()[-512:][3:11] == b"NTFS    "


# MARK: XFS

@by_name(XFS)
def test_an_xfs_that_was_mounted_often_is_understood(system: FileSystem, tmp_path: Path) -> None:
    image = system.create(tmp_path / "disk.img")
    for round_number in range(3):
        with attached(image, tmp_path / "mounted", "xfs", "nouuid") as folder:
            churn(folder, round_number, count=30)
            commit(folder)
            assert inspect(copy(image, tmp_path / "taken.img")).volume().free
        answer = inspect(image)
        assert answer.warnings == [] and blocks_of(answer.volume(), UNIT) <= system.free_units(image)


def test_a_log_of_xfs_that_went_round_is_understood(tmp_path: Path) -> None:
    system = xfs("XFS small log", "-l", "size=8m")
    image = system.create(tmp_path / "disk.img")
    heads = []
    for round_number in range(18):
        with attached(image, tmp_path / "mounted", "xfs") as folder:
            for number in range(1500):
                (folder / f"{round_number} {number}").touch()
            for number in range(0, 1500, 2):
                (folder / f"{round_number} {number}").unlink()
        answer = inspect(image)
        assert answer.warnings == [] and answer.volume().free
        heads.append(int(re.search(r"head: (\d+)", run("xfs_logprint", "-t", image))[1]))
    assert heads != sorted(heads), "the log did not go round"
    tree = system.tree(image, tmp_path / "mounted")
    require_nothing_lost(system, image, inspect(image).volume(), tree, tmp_path / "mounted")


def test_damaged_groups_of_an_xfs_are_used_and_others_are_not(tmp_path: Path) -> None:
    image = xfs("XFS many groups", "-d", "agcount=8", "-l", "size=8m").create(tmp_path / "disk.img")
    before = inspect(image).volume()
    group = 40 * MIB
    # The count of free blocks in the header of the third group.
    overwrite(image, 2 * group + 512 + 55, b"\x01")
    answer = inspect(image)
    assert "1 of 8 allocation groups, the first of them 2" in answer.texts
    assert 0 < before.free_byte_count - answer.volume().free_byte_count <= group
    assert not any(start < 3 * group and end > 2 * group for start, end in answer.volume().free)


def test_an_xfs_of_version_4_is_read_as_its_own_tools_read_it(tmp_path: Path) -> None:
    """The kernel mounts none any more, so that it is filled when it is made, and nobody here can write to its log."""
    files = tmp_path / "files"
    files.mkdir()
    churn(files, 1)
    lines = ["/", "1 1", "d--755 0 0"]
    for number, path in enumerate(sorted(path for path in files.rglob("*") if path.is_file())):
        plain = path.rename(tmp_path / f"file{number}")
        lines.append(f"file{number} ---644 0 0 {plain}")
    (tmp_path / "prototype").write_text("\n".join([*lines, "$", "$", ""]))
    system = xfs("XFS version 4", "-m", "crc=0", "-p", str(tmp_path / "prototype"))
    image = system.create(tmp_path / "disk.img")
    answer = inspect(image)
    assert answer.warnings == [] and answer.volume().free
    free = system.free_units(image)
    ours = blocks_of(answer.volume(), UNIT)
    assert ours <= free and len(free - ours) <= 4 * 10
    overwrite_free(image, answer.volume())
    system.require_clean(image)
    # The log's first record is that of an unmount, until its flags say something else.
    start, _ = system.log_range(image)
    overwrite(image, start + 512 + 9, b"\x00")
    require_used(inspect(image), "its log is pending, and has no checksums")


def test_an_xfs_with_an_external_log_or_a_realtime_part_is_used(tmp_path: Path, cleanup: ExitStack) -> None:
    image, other = make_sparse(tmp_path / "disk.img", 320 * MIB, {}), make_sparse(tmp_path / "other.img", 320 * MIB, {})
    device = cleanup.enter_context(loop_device(other))
    run("mkfs.xfs", "-q", "-f", "-l", f"logdev={device},size=64m", image)
    require_used(inspect(image), "its log lies on another disk")
    run("mkfs.xfs", "-q", "-f", "-r", f"rtdev={device}", image)
    require_used(inspect(image), "realtime")
