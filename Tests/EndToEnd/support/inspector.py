"""Runs the inspector, and reads its answer as Specs/inspection.md describes it."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


PROJECT = Path(__file__).resolve().parents[3]
UNIT = 4096
NOT_KNOWN = 0xFFFFFFFF
Ranges = list[tuple[int, int]]


def inspector_binary() -> Path:
    """The one that is named, or the newest that was built."""
    if named := os.environ.get("HOLDFAST_INSPECT_BINARY"):
        return Path(named)
    built = [path for mode in ("release", "debug") if (path := PROJECT / ".build" / mode / "holdfast-inspect").is_file()]
    assert built, "there is no inspector to test; run “swift build -c release --product holdfast-inspect”, or set HOLDFAST_INSPECT_BINARY"
    return max(built, key=lambda path: path.stat().st_mtime)


@dataclass(frozen=True)
class Volume:
    kind: str
    partition: int | None
    offset: int
    byte_count: int
    file_system: dict[str, Any] | None
    # Start and end in bytes of the volume; None where it is not known what is free.
    free: Ranges | None

    @property
    def type(self) -> str | None:
        return self.file_system["type"] if self.file_system else None

    @property
    def free_byte_count(self) -> int:
        return sum(end - start for start, end in self.free or [])


@dataclass(frozen=True)
class Answer:
    layout: dict[str, Any]
    volumes: list[Volume]
    warnings: list[dict[str, Any]]

    @property
    def label(self) -> dict[str, Any] | None:
        return self.layout["label"]

    @property
    def texts(self) -> str:
        return "\n".join(warning["text"] for warning in self.warnings)

    def volume(self, partition: int | None = None) -> Volume:
        """A partition's, or that of a whole disk."""
        return next(volume for volume in self.volumes if volume.partition == partition and volume.kind != "gap")


@dataclass(frozen=True)
class Inspection:
    status: int
    output: bytes
    errors: str


def start(descriptor: int, *options: object, timeout: float = 60) -> Inspection:
    command = [str(word) for word in (inspector_binary(), "--descriptor", descriptor, *options)]
    done = subprocess.run(command, capture_output=True, pass_fds=[descriptor], timeout=timeout, stdin=subprocess.DEVNULL)
    return Inspection(done.returncode, done.stdout, done.stderr.decode())


def attempt(path: Path, *options: object, timeout: float = 60) -> Inspection:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return start(descriptor, *options, timeout=timeout)
    finally:
        os.close(descriptor)


def inspect(path: Path, *options: object, timeout: float = 60) -> Answer:
    done = attempt(path, *options, timeout=timeout)
    assert done.status == 0 and done.errors == "", f"status {done.status}: {done.errors}"
    return decode(done.output)


def decode(answer: bytes) -> Answer:
    """Checks everything that the answer promises."""
    assert answer[:8] == b"HFINSPC1" and answer[-8:] == b"HFINSEND"
    end = 12 + int.from_bytes(answer[8:12], "little")
    document = json.loads(answer[12:end])
    layout = document["layout"]
    assert int.from_bytes(answer[end:end + 4], "little") == len(layout["volumes"])
    position = end + 4
    volumes = []
    covered = 0
    for volume in layout["volumes"]:
        free, position = decode_map(answer, position, volume["byte_count"])
        assert volume["offset"] == covered, "volumes leave gaps or overlap"
        covered += volume["byte_count"]
        volumes.append(Volume(volume["kind"], volume["partition"], volume["offset"], volume["byte_count"], volume["file_system"], free))
    assert covered == layout["byte_count"] and position == len(answer) - 8
    return Answer(layout, volumes, document["warnings"])


def decode_map(answer: bytes, position: int, byte_count: int) -> tuple[Ranges | None, int]:
    count = int.from_bytes(answer[position:position + 4], "little")
    position += 4
    if count == NOT_KNOWN:
        return None, position
    ranges = []
    end = 0
    for number in range(count):
        distance, position = decode_number(answer, position)
        length, position = decode_number(answer, position)
        assert length > 0 and (distance > 0 or number == 0)
        ranges.append(((end + distance) * UNIT, (end + distance + length) * UNIT))
        end += distance + length
    assert end * UNIT <= byte_count
    return ranges, position


def decode_number(answer: bytes, position: int) -> tuple[int, int]:
    value = 0
    for digit in range(7):
        byte = answer[position + digit]
        value |= (byte & 0x7F) << 7 * digit
        if byte < 0x80:
            return value, position + digit + 1
    raise AssertionError("a number is too long")


def overwrite_free(path: Path, volume: Volume, piece: bytes = b"\xa5" * (1 << 20)) -> None:
    """Puts garbage where the inspector says that nothing is."""
    with path.open("r+b", buffering=0) as file:
        for start_offset, end in volume.free or []:
            for offset in range(start_offset, end, len(piece)):
                os.pwrite(file.fileno(), piece[:min(len(piece), end - offset)], volume.offset + offset)


def with_free(data: bytes, answer: Answer, old: bytes) -> bytes:
    """The bytes of the disk, but of another one where nothing is."""
    mixed = bytearray(data)
    for volume in answer.volumes:
        for start, end in volume.free or []:
            mixed[volume.offset + start:volume.offset + end] = old[volume.offset + start:volume.offset + end]
    return bytes(mixed)


def blocks_of(volume: Volume, block: int) -> set[int]:
    return {number for start, end in volume.free or [] for number in range(start // block, end // block)}
