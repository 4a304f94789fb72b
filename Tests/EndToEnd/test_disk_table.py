"""All kinds of disks, backed up and restored: nothing is missing, and what no file system uses is neither read nor stored."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from support.comparing import folder_byte_count
from support.disks import Disk, Part, close_circle, cut, move_partition, spoil_headers
from support.file_systems import BTRFS, EXFATS, FATS, NTFS, SWAP, FileSystem, Tree, ext, xfs
from support.images import MIB, make_image
from support.inspector import inspect, with_free
from support.program import Program
from support.repository import Repository

pytestmark = pytest.mark.root


def sized(system: FileSystem, mebibytes: int, *make: str) -> FileSystem:
    return replace(system, byte_count=mebibytes * MIB, make=[*(make or system.make)])


EXT2 = ext("ext2", type_name="ext2", byte_count=48 * MIB)
EXT2_1K = ext("ext2 1k", "-b", "1024", type_name="ext2", byte_count=48 * MIB)
EXT3 = ext("ext3", type_name="ext3", read_options=("ro", "noload"), byte_count=48 * MIB)
EXT4 = ext("ext4", byte_count=48 * MIB)
EXT4_1K = ext("ext4 1k", "-b", "1024", byte_count=48 * MIB)
XFS = xfs("XFS", "-l", "size=8m", byte_count=128 * MIB)
FAT12 = sized(FATS[0], 40)
FAT16 = sized(FATS[1], 40)
FAT32 = sized(FATS[3], 40, "mkfs.vfat", "-F", "32", "-s", "1")
EXFAT = sized(EXFATS[0], 40)
NTFS_4K = sized(NTFS[0], 48)


def alone(system: FileSystem, warning: str = "", is_opaque: bool = False, is_in_use: bool = False) -> Disk:
    """On a GPT, in a partition with room behind it that is nobody's."""
    size = system.byte_count // MIB
    name = f"{system.name} in use" if is_in_use else system.name
    return Disk(name, (size + 3) * MIB, f"label: gpt\nsize={size}M\n", {1: Part(system, is_in_use, is_opaque)}, warning=warning)


def with_table(label: str, sizes: list[str], parts: dict[int, Part], **options: Any) -> Disk:
    name = options.pop("name")
    byte_count = (sum(part.system.byte_count for part in parts.values()) // MIB + 16) * MIB
    return Disk(name, byte_count, f"label: {label}\n" + "".join(f"{size}\n" for size in sizes), parts, **options)


ALL = [FAT32, EXT4, NTFS_4K, XFS, EXFAT, EXT2_1K, SWAP]
GPT = {"label": "gpt", "sizes": ["size=48M, name=one", "size=8M"], "parts": {1: Part(EXT4)}}
LARGE_SECTORS = {1: Part(EXT4), 2: Part(sized(FAT16, 40, *FAT16.make, "-S", "4096", "-s", "1")), 3: Part(sized(XFS, 128, *XFS.make, "-s", "size=4096"))}
CHAIN = "label: dos\nstart=63, size=99000\nstart=100001, size=217000, type=5\nstart=100064, size=100000\nstart=210011, size=100000\n"

TABLE = [
    *map(alone, [EXT2, EXT2_1K, EXT3, EXT4, EXT4_1K, ext("ext4 32 bits", "-O", "^64bit", byte_count=48 * MIB), ext("ext4 clusters", "-O", "bigalloc", "-C", "65536", byte_count=48 * MIB)]),
    *(alone(system, is_in_use=True) for system in (EXT3, EXT4, EXT4_1K, XFS)),
    *map(alone, [XFS, FAT12, FAT16, FAT32, EXFAT, NTFS_4K, sized(NTFS[1], 48)]),
    alone(BTRFS, is_opaque=True),
    with_table("gpt", [f"size={system.byte_count // MIB + 1}M" for system in ALL], {number: Part(system) for number, system in enumerate(ALL, 1)}, name="all on one GPT, a device", is_device=True),
    Disk("logical partitions where nothing is aligned", 160 * MIB, CHAIN, {1: Part(FAT16), 5: Part(EXT4_1K), 6: Part(NTFS_4K)}),
    with_table("gpt", ["size=49M", "size=41M", "size=129M"], LARGE_SECTORS, name="GPT with sectors of 4096 bytes", sector_byte_count=4096, is_device=True),
    with_table("dos", ["size=49M", "size=41M"], dict(list(LARGE_SECTORS.items())[:2]), name="MBR with sectors of 4096 bytes", sector_byte_count=4096, is_device=True),
    *(Disk(f"{system.name} without a table", system.byte_count, parts={0: Part(system)}) for system in (FAT12, FAT32, EXT4, NTFS_4K)),
    Disk("empty GPT", 24 * MIB, "label: gpt\n"),
    Disk("empty MBR", 24 * MIB, "label: dos\n"),
    Disk("random bytes", 24 * MIB),
    with_table(**GPT, name="GPT whose first copy is damaged", damage=spoil_headers(512), warning="second one was used"),
    with_table(**GPT, name="GPT whose second copy is damaged", damage=spoil_headers(-512), warning="damaged or missing"),
    with_table(**GPT, name="GPT whose copies are both damaged", damage=spoil_headers(512, -512), warning="no GPT that is sound", is_opaque=True),
    with_table(**GPT, name="GPT with partitions that overlap", damage=lambda path: move_partition(path, 2, 4096, 9000), warning="taken as one volume", is_opaque=True),
    Disk("logical partitions in a circle", 160 * MIB, CHAIN, {5: Part(EXT4_1K)}, damage=lambda path: close_circle(path, 100001), warning="do not end", is_opaque=True),
]


@dataclass(frozen=True)
class Finding:
    """What a part's own tools say about it."""

    tree: Tree
    report: tuple[int, str]
    free_byte_count: int


def examine(image: Path, part: Part, offset: int, folder: Path) -> Finding:
    file = cut(image, offset, part.system.byte_count, folder / "part.img")
    work = folder / "mounted"
    if part.is_in_use:
        part.system.recover(file, work)
    report = part.system.checked(file)
    return Finding(part.system.tree(file, work), report, part.system.free_byte_count(file, work))


def zero_byte_count(data: bytes, block: int = 4096) -> int:
    return sum(block for start in range(0, len(data), block) if data[start:start + block] == bytes(block))


@pytest.mark.parametrize("disk", TABLE, ids=lambda disk: disk.name)
def test_nothing_is_missing_and_nothing_is_stored_that_is_not_in_use(disk: Disk, holdfast: Program, memory_path: Path, cleanup: ExitStack) -> None:
    folder = memory_path
    repository = Repository.create(holdfast, folder / "repository", folder / "full.key")
    image = disk.build(folder)
    places = {} if disk.is_opaque else disk.places(image)
    parts = {} if disk.is_opaque else disk.parts
    before = {number: examine(image, part, places[number], folder) for number, part in parts.items()}
    answer = inspect(image, "--sector-size", disk.sector_byte_count)
    data = image.read_bytes()
    for number, part in parts.items():
        volume = answer.volume(number or None)
        assert len(before[number].tree) > 20 or part.system == SWAP
        assert volume.type == part.system.type and (volume.free is None) == part.is_opaque
        if not part.is_opaque:
            start, end = max(volume.free, key=lambda each: each[1] - each[0])
            assert zero_byte_count(data[volume.offset + start:volume.offset + end]) < 0.02 * (end - start), "there is nothing to be left out"

    with disk.opened(image) as source:
        outcome = repository.run("backup", "--json", source).require(0)
        assert bool(outcome.errors) == bool(disk.warning) and disk.warning in outcome.errors, outcome.errors
        again = repository.backup(source)
        assert again["data_pack_count"] == 0
    used = disk.byte_count - sum(before[number].free_byte_count for number, part in parts.items() if not part.is_opaque)
    # Zeros that are in use take no room.
    zeros = zero_byte_count(with_free(data, answer, b"\xff" * len(data)))
    stored = folder_byte_count(repository.folder / "packs")
    print(f"\n| {disk.name} | {disk.byte_count / MIB:.0f} | {used / MIB:.2f} | {(used - zeros) / MIB:.2f} | {stored / MIB:.2f} |")
    assert outcome.of_type("summary")[0]["snapshot"]["counters"]["read_byte_count"] <= used * 1.02 + MIB
    assert stored <= (used - zeros) * 1.02 + MIB

    # Of a new target nothing is written where nothing was in use; one that holds something keeps it there.
    old = make_image(folder / "old.img", disk.byte_count, 99)
    held = old.read_bytes()
    repository.run("restore", "latest", folder / "new.img").require(0)
    assert (folder / "new.img").read_bytes() == with_free(data, answer, bytes(len(data)))
    with disk.opened(old) as target:
        repository.run("restore", "--verify", "--yes", "latest", target).require(0)
    assert old.read_bytes() == with_free(data, answer, held)
    for number, part in parts.items():
        assert examine(old, part, places[number], folder) == before[number], part.system.name
    repository.require_clean()
