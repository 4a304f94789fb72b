"""Whole disks with many partitions: what is free of one is never taken from another."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from support.devices import run
from support.file_systems import EXFATS, FATS, NTFS, FileSystem, ext, xfs
from support.images import MIB
from support.inspector import inspect, overwrite_free

pytestmark = pytest.mark.root
# Sizes in MiB, with room for the file system and a little more, which is nobody's.
GPT_PARTS: list[tuple[int, FileSystem]] = [
    (100, FATS[3]), (193, ext("ext4")), (128, NTFS[0]), (321, xfs("XFS", "-l", "size=8m")), (96, EXFATS[0]), (64, ext("ext2", "-b", "1024", type_name="ext2")),
]


def build_disk(folder: Path, script: str, parts: list[tuple[int, int, FileSystem]], byte_count: int) -> Path:
    """A disk of random bytes with a table; each part is a number, a size in MiB and what to put there."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        piece = os.urandom(MIB)
        for _ in range(byte_count // MIB):
            file.write(piece)
        file.seek(0)
        file.write(bytes(MIB))
        file.seek(byte_count - MIB)
        file.write(bytes(MIB))
    subprocess.run(["sfdisk", "--quiet", "--wipe", "never", image], input=script, text=True, check=True)
    starts = {int(number): int(start) * 512 for number, start in re.findall(r"disk\.img(\d+) : start= *(\d+)", run("sfdisk", "--dump", image))}
    for number, mebibytes, system in parts:
        part = replace(system, byte_count=mebibytes * MIB).create(folder / "part.img")
        system.fill(part, folder / "mounted")
        run("dd", f"if={part}", f"of={image}", "bs=1M", "oflag=seek_bytes", f"seek={starts[number]}", "conv=notrunc")
        part.unlink()
    return image


def cut(image: Path, offset: int, byte_count: int, to: Path) -> Path:
    run("dd", f"if={image}", f"of={to}", "bs=1M", "iflag=skip_bytes,count_bytes", f"skip={offset}", f"count={byte_count}")
    return to


def require_nothing_lost(image: Path, parts: list[tuple[int, int, FileSystem]], folder: Path) -> None:
    answer = inspect(image)
    assert answer.warnings == []
    before = {}
    for number, mebibytes, system in parts:
        volume = answer.volume(number)
        assert volume.type == system.type and volume.free
        part = cut(image, volume.offset, mebibytes * MIB, folder / "part.img")
        free = system.free_byte_count(part, folder / "mounted")
        assert volume.free_byte_count >= 0.97 * free
        before[number] = system.tree(part, folder / "mounted")
    kept = {volume.offset: cut(image, volume.offset, volume.byte_count, folder / "gap").read_bytes() for volume in answer.volumes if volume.kind == "gap"}
    for volume in answer.volumes:
        assert volume.kind != "gap" or volume.free is None
        overwrite_free(image, volume)
    for number, mebibytes, system in parts:
        part = cut(image, answer.volume(number).offset, mebibytes * MIB, folder / "part.img")
        system.require_clean(part)
        assert system.tree(part, folder / "mounted") == before[number], system.name
    for offset, data in kept.items():
        assert cut(image, offset, len(data), folder / "gap").read_bytes() == data


def test_all_file_systems_on_one_gpt(tmp_path: Path) -> None:
    script = "label: gpt\n" + "".join(f"size={mebibytes + 1}M\n" for mebibytes, _ in GPT_PARTS) + "size=8M, type=swap\n"
    parts = [(number, mebibytes, system) for number, (mebibytes, system) in enumerate(GPT_PARTS, 1)]
    image = build_disk(tmp_path, script, parts, 940 * MIB)
    require_nothing_lost(image, parts, tmp_path)


def test_logical_partitions_and_starts_that_nothing_is_aligned_to(tmp_path: Path) -> None:
    script = "label: dos\nstart=63, size=131072\nstart=140001, size=700000, type=5\nstart=140064, size=180000\nstart=330011, size=270000\n"
    parts = [(1, 64, FATS[1]), (5, 80, ext("ext4", "-b", "1024")), (6, 128, NTFS[0])]
    image = build_disk(tmp_path, script, parts, 420 * MIB)
    require_nothing_lost(image, parts, tmp_path)
