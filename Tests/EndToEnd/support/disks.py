"""Disks that were in use before: random bytes everywhere, then a partition table and file systems."""

import json
import struct
import subprocess
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from support.devices import loop_device, run
from support.file_systems import FileSystem
from support.images import MIB, make_image, overwrite


@dataclass(frozen=True)
class Part:
    system: FileSystem
    # Taken while it is mounted.
    is_in_use: bool = False
    # Nobody knows what of it is free.
    is_opaque: bool = False


@dataclass(frozen=True)
class Disk:
    name: str
    byte_count: int
    # For sfdisk; None for a disk without a table.
    script: str | None = None
    # By the number of the partition; 0 for the whole disk.
    parts: dict[int, Part] = field(default_factory=dict)
    sector_byte_count: int = 512
    # Not a file, but a device.
    is_device: bool = False
    damage: Callable[[Path], None] | None = None
    # What a backup says.
    warning: str = ""
    # The table is such that all of it counts as used.
    is_opaque: bool = False

    def build(self, folder: Path) -> Path:
        image = make_image(folder / "disk.img", self.byte_count, 7)
        if self.script is not None:
            for offset in (0, self.byte_count - MIB):
                overwrite(image, offset, bytes(MIB))
            with self.opened(image) as disk:
                done = subprocess.run(["sfdisk", "--quiet", "--no-tell-kernel", "--wipe", "never", disk], input=self.script, text=True, capture_output=True)
                assert done.returncode == 0, done.stderr
        places = self.places(image)
        for number, part in self.parts.items():
            file = part.system.create(folder / "part.img", number)
            part.system.fill(file, folder / "mounted", 100 * number + 2)
            if part.is_in_use:
                file = part.system.copy_in_use(file, folder / "taken.img", folder / "mounted")
            run("dd", f"if={file}", f"of={image}", "bs=1M", "oflag=seek_bytes", f"seek={places[number]}", "conv=notrunc")
        if self.damage:
            self.damage(image)
        return image

    def opened(self, image: Path) -> object:
        """The image as such a disk, while it is entered: only devices have sectors of other sizes than 512 bytes."""
        return loop_device(image, self.sector_byte_count) if self.is_device else nullcontext(image)

    def places(self, image: Path) -> dict[int, int]:
        """Where each part begins."""
        if self.script is None:
            return {0: 0}
        with self.opened(image) as disk:
            partitions = json.loads(run("sfdisk", "--json", disk))["partitiontable"].get("partitions", [])
        return {int(each["node"].removeprefix(str(disk)).removeprefix("p")): each["start"] * self.sector_byte_count for each in partitions}


def cut(image: Path, offset: int, byte_count: int, to: Path) -> Path:
    run("dd", f"if={image}", f"of={to}", "bs=1M", "iflag=skip_bytes,count_bytes", f"skip={offset}", f"count={byte_count}")
    return to


# MARK: Tables that nobody writes who is right in the head

def move_partition(path: Path, number: int, first: int, last: int) -> None:
    """Puts a partition of a GPT at other sectors, with checksums that fit."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<QQ", data, 1024 + (number - 1) * 128 + 32, first, last)
    struct.pack_into("<I", data, 512 + 88, zlib.crc32(data[1024:1024 + 128 * 128]))
    struct.pack_into("<I", data, 512 + 16, 0)
    struct.pack_into("<I", data, 512 + 16, zlib.crc32(data[512:512 + 92]))
    path.write_bytes(data)


def close_circle(path: Path, first: int) -> None:
    """Lets the second table of logical partitions name itself as the next; `first` is the sector of the first one."""
    second = first + struct.unpack_from("<I", path.read_bytes(), first * 512 + 446 + 16 + 8)[0]
    overwrite(path, second * 512 + 446 + 16, struct.pack("<8BII", 0, 0, 0, 0, 5, 0, 0, 0, second - first, 2048))


def spoil_headers(*offsets: int) -> Callable[[Path], None]:
    """Makes the checksums of GPT headers wrong, at their offsets from the disk's beginning or end."""
    def spoil(path: Path) -> None:
        for offset in offsets:
            overwrite(path, offset % path.stat().st_size + 16, b"\0\0\0\0")
    return spoil
