"""Disks whose tables and metadata were changed at random: every one is answered, in time, and every answer keeps its promises."""

import os
import random
import re
import struct
import subprocess
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from support.devices import run
from support.file_systems import EXFATS, FATS, NTFS, copy, ext, xfs
from support.images import MIB, make_sparse
from support.inspector import decode, inspector_binary, start

pytestmark = pytest.mark.root
MUTANT_COUNT = int(os.environ.get("HOLDFAST_INSPECT_MUTANTS", "300"))
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
SECONDS_MAX = 10
NUMBERS = [0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


def table(script: str) -> object:
    def make(folder: Path) -> Path:
        image = make_sparse(folder / "disk.img", 40 * MIB, {})
        subprocess.run(["sfdisk", "--quiet", image], input=script, text=True, check=True)
        return image
    return make


def filled(system: object) -> object:
    def make(folder: Path) -> Path:
        image = system.create(folder / "disk.img")
        system.fill(image, folder / "mounted")
        return image
    return make


def in_use(system: object) -> object:
    """With a journal that is pending."""
    def make(folder: Path) -> Path:
        return system.copy_in_use(system.create(folder / "disk.img"), folder / "taken.img", folder / "mounted")
    return make


def swapped(folder: Path) -> Path:
    image = make_sparse(folder / "disk.img", 4 * MIB, {})
    run("mkswap", image)
    return image


UNCHECKED = ("-O", "^metadata_csum,^64bit", "-b", "1024")
BASES = {
    "GPT": table("label: gpt\nsize=8M\nsize=8M\nsize=8M\n"),
    "MBR": table("label: dos\nsize=8M\nsize=20M,type=5\nsize=2M\nsize=2M\nsize=2M\n"),
    "ext2": filled(ext("ext2", "-b", "1024", type_name="ext2", byte_count=48 * MIB)),
    "ext4 in use": in_use(ext("ext4", *UNCHECKED, byte_count=48 * MIB)),
    "ext3 in use": in_use(ext("ext3", "-b", "1024", type_name="ext3", byte_count=48 * MIB)),
    "ext4 with checksums in use": in_use(ext("ext4", byte_count=64 * MIB)),
    "FAT12": filled(replace(FATS[0], byte_count=48 * MIB)),
    "FAT16": filled(replace(FATS[1], byte_count=48 * MIB)),
    "FAT32": filled(replace(FATS[3], byte_count=64 * MIB, make=["mkfs.vfat", "-F", "32", "-s", "1"])),
    "exFAT": filled(replace(EXFATS[0], byte_count=64 * MIB)),
    "NTFS": filled(replace(NTFS[0], byte_count=64 * MIB)),
    "XFS": filled(xfs("XFS", "-l", "size=8m", byte_count=128 * MIB)),
    "XFS version 4": lambda folder: xfs("XFS", "-l", "size=8m", "-m", "crc=0", byte_count=128 * MIB).create(folder / "disk.img"),
    "swap": swapped,
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


def mend_gpt(descriptor: int) -> list[tuple[int, bytes]]:
    """Makes the checksums fit, so that what is behind them is looked at."""
    header = bytearray(os.pread(descriptor, 512, 512))
    before = [(512, bytes(header))]
    struct.pack_into("<I", header, 88, zlib.crc32(os.pread(descriptor, 128 * 128, 1024)))
    struct.pack_into("<I", header, 16, 0)
    struct.pack_into("<I", header, 16, zlib.crc32(header[:92]))
    os.pwrite(descriptor, header, 512)
    return before


@pytest.mark.parametrize("name", BASES)
def test_mutants_are_answered(name: str, tmp_path: Path, memory_path: Path) -> None:
    image = copy(BASES[name](tmp_path), memory_path / "disk.img")
    places = places_that_are_read(image, tmp_path)
    generator = random.Random(f"{SEED} {name}")
    descriptor = os.open(image, os.O_RDWR)
    outcomes: Counter[str] = Counter()
    try:
        for number in range(max(1, MUTANT_COUNT // len(BASES))):
            before = mutate(descriptor, places, generator)
            if name == "GPT" and generator.random() < 0.7:
                before += mend_gpt(descriptor)
            done = start(descriptor, "--cpu-seconds", SECONDS_MAX, timeout=SECONDS_MAX)
            what = f"seed {SEED}, {name}, mutant {number}: {[(at, old.hex(), os.pread(descriptor, len(old), at).hex()) for at, old in before if len(old) < 512]}"
            assert done.status == 0, f"{what}: status {done.status}: {done.errors}"
            answer = decode(done.output)
            outcomes["all used" if all(volume.free is None for volume in answer.volumes) else "some free"] += 1
            outcomes["with a warning"] += bool(answer.warnings)
            for at, old in reversed(before):
                os.pwrite(descriptor, old, at)
    finally:
        os.close(descriptor)
    print(name, dict(outcomes))
