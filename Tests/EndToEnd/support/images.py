"""Images to back up, the same for the same seed."""

import os
import random
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def random_bytes(byte_count: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(byte_count)


def make_image(path: Path, byte_count: int, seed: int = 1) -> Path:
    """A file that nothing compresses."""
    generator = random.Random(seed)
    with path.open("wb") as file:
        while byte_count > 0:
            file.write(generator.randbytes(min(byte_count, 8 * MIB)))
            byte_count -= 8 * MIB
    return path


def make_sparse(path: Path, byte_count: int, pieces: dict[int, bytes]) -> Path:
    """A file of holes, with `pieces` at their offsets."""
    with path.open("wb") as file:
        file.truncate(byte_count)
        for offset, data in pieces.items():
            file.seek(offset)
            file.write(data)
    return path


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def allocated_byte_count(path: Path) -> int:
    return os.stat(path).st_blocks * 512
