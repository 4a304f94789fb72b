"""Disks whose tables and metadata were changed at random: each is inspected in time, backed up, and restored as it was but for what is free for those who use it."""

import os
import random
import re
import shutil
import struct
import subprocess
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from support.disks import Disk, Part, cut
from support.file_systems import EXFATS, FATS, NTFS, SWAP, FileSystem, copy, ext, free_in_stored_bitmaps, xfs
from support.images import MIB
from support.inspector import Answer, Ranges, Volume, blocks_of, decode, inspect, inspector_binary, overwrite_free, start, with_free
from support.program import Program
from support.repository import Repository

pytestmark = pytest.mark.root
MUTANT_COUNT = int(os.environ.get("HOLDFAST_DISK_MUTANTS", "140"))
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
SECONDS_MAX = 10
# Images of one snapshot.
BATCH = 25
# Bytes in one where bitmaps have no checksums, at most.
CLUSTER = 4096
NUMBERS = [0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
UNCHECKED = ("-O", "^metadata_csum,^64bit", "-b", "1024")
SMALL_XFS = ["-l", "size=6m", "-d", "agcount=2"]


def alone(system: FileSystem, is_in_use: bool = False) -> Disk:
    return Disk(system.name, system.byte_count, parts={0: Part(system, is_in_use)})


EXT2 = ext("ext2", "-b", "1024", type_name="ext2", byte_count=8 * MIB)
FAT16 = replace(FATS[1], byte_count=12 * MIB, make=["mkfs.vfat", "-F", "16", "-s", "2"])
BASES = {
    "GPT": Disk("GPT", 26 * MIB, "label: gpt\nsize=8M\nsize=12M\nsize=2M\n", {1: Part(EXT2), 2: Part(FAT16)}),
    "MBR": Disk("MBR", 26 * MIB, "label: dos\n/dev/disk1 : size=8M\n/dev/disk2 : size=16M, type=5\n/dev/disk5 : size=12M\n/dev/disk6 : size=1M\n", {1: Part(EXT2), 5: Part(FAT16)}),
    "ext2": alone(EXT2),
    "ext4 in use": alone(ext("ext4", *UNCHECKED, byte_count=8 * MIB), is_in_use=True),
    "ext3 in use": alone(ext("ext3", "-b", "1024", type_name="ext3", byte_count=8 * MIB), is_in_use=True),
    "ext4 with checksums in use": alone(ext("ext4", byte_count=16 * MIB), is_in_use=True),
    "FAT12": alone(replace(FATS[0], byte_count=8 * MIB, make=["mkfs.vfat", "-F", "12"])),
    "FAT16": alone(FAT16),
    "FAT32": alone(replace(FATS[3], byte_count=36 * MIB, make=["mkfs.vfat", "-F", "32", "-s", "1"])),
    "exFAT": alone(replace(EXFATS[0], byte_count=8 * MIB)),
    "NTFS": alone(replace(NTFS[0], byte_count=12 * MIB)),
    "XFS": alone(xfs("XFS", *SMALL_XFS, byte_count=32 * MIB)),
    "XFS in use": alone(xfs("XFS", *SMALL_XFS, byte_count=32 * MIB), is_in_use=True),
    "swap": alone(replace(SWAP, byte_count=2 * MIB)),
}


def places_that_are_read(image: Path, folder: Path) -> list[tuple[int, int]]:
    """Offsets and lengths of what the inspector looks at, without libblkid, which reads in another way: all else makes no difference to it."""
    trace = folder / "trace"
    with image.open("rb") as file:
        command = ["strace", "-o", trace, "-e", "trace=pread64", inspector_binary(), "--descriptor", str(file.fileno())]
        subprocess.run(command, pass_fds=[file.fileno()], check=True, stdout=subprocess.DEVNULL)
    places = [(int(offset), int(count)) for count, offset in re.findall(r"pread64\(3, .*, (\d+), (\d+)\) = \d+", trace.read_text())]
    return sorted({(offset, count) for offset, count in places if count > 0})


def mutate(descriptor: int, places: list[tuple[int, int]], generator: random.Random) -> list[tuple[int, bytes]]:
    """Changes some bytes, and returns what was there before."""
    before = []
    for _ in range(generator.choice([1, 1, 1, 2, 3, 8])):
        offset, length = generator.choice(places)
        # Structures have their fields at their beginnings.
        at = offset + (generator.randrange(length) if generator.random() < 0.5 else generator.randrange(min(length, 512)))
        width = min(generator.choice([1, 1, 2, 4, 4, 8]), offset + length - at)
        old = os.pread(descriptor, width, at)
        kind = generator.randrange(4)
        if kind == 0:
            new = bytes([old[0] ^ 1 << generator.randrange(8)]) + old[1:]
        elif kind == 1:
            new = generator.randbytes(len(old))
        else:
            new = (generator.choice(NUMBERS) + generator.choice([0, 0, 0, 1])).to_bytes(9, generator.choice(["little", "big"]))
            new = new[:len(old)] if kind == 2 else new[-len(old):]
        before.append((at, old))
        os.pwrite(descriptor, new, at)
    return before


def mend_gpt(descriptor: int) -> None:
    """Makes the checksums fit, so that what is behind them is looked at."""
    header = bytearray(os.pread(descriptor, 512, 512))
    struct.pack_into("<I", header, 88, zlib.crc32(os.pread(descriptor, 128 * 128, 1024)))
    struct.pack_into("<I", header, 16, 0)
    struct.pack_into("<I", header, 16, zlib.crc32(header[:92]))
    os.pwrite(descriptor, header, 512)


def free_ranges(answer: Answer) -> Ranges:
    """In bytes of the disk."""
    return [(volume.offset + start_offset, volume.offset + end) for volume in answer.volumes for start_offset, end in volume.free or []]


def byte_count_outside(ranges: Ranges, others: Ranges) -> int:
    """Bytes of `ranges` that are in none of `others`; both are in order."""
    count = 0
    for start_offset, end in ranges:
        inside = sum(max(0, min(end, high) - max(start_offset, low)) for low, high in others)
        count += end - start_offset - inside
    return count


REPAIRS = {"ext2": ["e2fsck", "-fy"], "ext3": ["e2fsck", "-fy"], "ext4": ["e2fsck", "-fy"], "xfs": ["xfs_repair"]}


def seen(system: FileSystem, image: Path, folder: Path) -> object:
    """What somebody gets of the disk with its own tools, after they have repaired it if they can; a text if they refuse."""
    file = copy(image, folder / "seen.img")
    if system.type == "xfs":
        # Its log is replayed by a mount alone.
        replay(system, file, folder)
    if repair := REPAIRS.get(system.type):
        subprocess.run([*repair, file], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    try:
        return system.tree(file, folder / "mounted")
    except (AssertionError, OSError):
        shutil.rmtree(folder / "mounted", ignore_errors=True)
        return "refused"


def replay(system: FileSystem, image: Path, folder: Path) -> None:
    try:
        system.recover(image, folder / "mounted")
    except (AssertionError, OSError):
        shutil.rmtree(folder / "mounted", ignore_errors=True)


def seen_with_garbage(system: FileSystem, image: Path, volume: Volume, folder: Path) -> object:
    file = copy(image, folder / "garbage.img")
    overwrite_free(file, volume)
    return seen(system, file, folder)


class Base:
    """A disk, and what of it is free, as far as those who use it can tell."""

    def __init__(self, disk: Disk, folder: Path) -> None:
        self.folder = folder
        self.image = disk.build(folder)
        self.parts = {place: disk.parts[number].system for number, place in disk.places(self.image).items() if number in disk.parts}
        answer = inspect(self.image)
        self.free = free_ranges(answer)
        for volume in answer.volumes:
            if system := self.parts.get(volume.offset):
                file, alone = self.part(self.image, system, volume)
                assert volume.free and seen(system, file, folder) == seen_with_garbage(system, file, alone, folder) != "refused"

    def part(self, image: Path, system: FileSystem, volume: Volume) -> tuple[Path, Volume]:
        """A volume in a file of its own."""
        return cut(image, volume.offset, system.byte_count, self.folder / "part.img"), replace(volume, offset=0)

    def judge(self, mutant: Path, volume: Volume, changed_bit_count: int, what: str) -> str | None:
        """If more is free than was before the change, it must be so for those who use the disk too."""
        more = byte_count_outside([(volume.offset + low, volume.offset + high) for low, high in volume.free or []], self.free)
        if more == 0:
            return None
        system = self.parts.get(volume.offset)
        assert system, f"{what}: {more} bytes are free where nothing was"
        file, alone = self.part(mutant, system, volume)
        before = seen(system, file, self.folder)
        if before == seen_with_garbage(system, file, alone, self.folder) != "refused":
            return "more free, and nobody misses it"
        if system.type.startswith("ext"):
            # A journal without checksums that was changed leaves files behind its bitmaps; e2fsprogs must find the same bitmaps.
            subprocess.run(["e2fsck", "-p", "-E", "journal_only", file], capture_output=True, stdin=subprocess.DEVNULL)
            block = alone.file_system["block_byte_count"]
            if blocks_of(alone, block) <= free_in_stored_bitmaps(file, block):
                return "more free, as e2fsprogs say"
        # A bitmap without checksums that was changed itself tells of as many clusters as bits were changed.
        assert more <= changed_bit_count * CLUSTER, f"{what}: {more} bytes that are in use are free"
        return "a bitmap that lies"


@pytest.mark.parametrize("name", BASES)
def test_mutants_are_backed_up_and_restored_but_for_what_is_free(name: str, holdfast: Program, tmp_path: Path, memory_path: Path) -> None:
    folder = memory_path
    base = Base(BASES[name], folder)
    repository = Repository.create(holdfast.at_home(folder / "home"), folder / "repository", folder / "full.key", "--chunk-size", "16KiB")
    places = places_that_are_read(base.image, tmp_path)
    generator = random.Random(f"{SEED} {name}")
    outcomes: Counter[str] = Counter()
    count = max(1, MUTANT_COUNT // len(BASES))
    for first in range(0, count, BATCH):
        mutants = {}
        for number in range(first, min(first + BATCH, count)):
            mutant = Path(shutil.copyfile(base.image, folder / f"mutant{number - first}.img"))
            what = f"seed {SEED}, {name}, mutant {number}"
            answer, changed_bit_count, changes = inspect_mutant(mutant, places, generator, what)
            what += f", {changes}"
            outcomes["some free" if free_ranges(answer) else "all used"] += 1
            outcomes["with a warning"] += bool(answer.warnings)
            outcomes.update(verdict for volume in answer.volumes if (verdict := base.judge(mutant, volume, changed_bit_count, what)))
            mutants[mutant] = with_free(data := mutant.read_bytes(), answer, bytes(len(data)))
        begin = time.monotonic()
        snapshot = repository.snapshot(*mutants)
        assert time.monotonic() - begin < SECONDS_MAX * len(mutants)
        with ThreadPoolExecutor(2) as workers:
            restored = workers.map(lambda mutant: repository.run("restore", f"{snapshot}:{mutant}", "-").require(0).output_bytes, mutants)
            for number, (mutant, found) in enumerate(zip(mutants, restored, strict=True), first):
                assert found == mutants[mutant], f"seed {SEED}, {name}, mutant {number} is restored with other bytes"
    print(f"\n{name}: {dict(outcomes)}")


def inspect_mutant(mutant: Path, places: list[tuple[int, int]], generator: random.Random, what: str) -> tuple[Answer, int, str]:
    """Changes a disk and inspects it: it is answered, in time, and the answer keeps its promises. Returns also how many bits were changed, and the changes: places, bytes before, bytes now."""
    descriptor = os.open(mutant, os.O_RDWR)
    try:
        before = mutate(descriptor, places, generator)
        if os.pread(descriptor, 8, 512) == b"EFI PART" and generator.random() < 0.7:
            mend_gpt(descriptor)
        done = start(descriptor, "--cpu-seconds", SECONDS_MAX, timeout=SECONDS_MAX)
        changes = [(at, old.hex(), os.pread(descriptor, len(old), at).hex()) for at, old in before]
        assert done.status == 0, f"{what}: {changes}: status {done.status}: {done.errors}"
    finally:
        os.close(descriptor)
    return decode(done.output), sum((int(old, 16) ^ int(new, 16)).bit_count() for _, old, new in changes), str(changes)
