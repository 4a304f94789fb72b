"""Memory does not grow with the image."""

import os
import random
from pathlib import Path

from support.images import GIB, MIB
from support.memory import peak_byte_count
from support.program import Program
from support.repository import Repository

LIMIT = 256 * MIB
DIFFERENCE_LIMIT = 32 * MIB
DATA_BYTE_COUNT = int(os.environ.get("HOLDFAST_MEMORY_DATA_MIB", "512")) * MIB


def image_with_data(path: Path, byte_count: int) -> Path:
    """Pieces of 8 MiB, the same for every size, spread evenly over the image."""
    generator = random.Random(1)
    count = DATA_BYTE_COUNT // (8 * MIB)
    with path.open("wb") as file:
        file.truncate(byte_count)
        for number in range(count):
            file.seek(byte_count // count * number // (1 << 20) * (1 << 20))
            # Half of it compresses.
            file.write(generator.randbytes(4 * MIB) + bytes([number + 1]) * (4 * MIB))
    return path


def test_memory_is_bounded_and_the_same_for_1_gib_and_64_gib(holdfast: Program, tmp_path: Path) -> None:
    peaks: dict[str, list[int]] = {"backup": [], "restore": []}
    for byte_count in (GIB, 64 * GIB):
        image = image_with_data(tmp_path / f"{byte_count // GIB}.img", byte_count)
        name = f"{byte_count // GIB}"
        fresh = Repository.create(holdfast, tmp_path / name, tmp_path / f"{name}.key")
        peaks["backup"].append(peak_byte_count(fresh.program.start(*fresh.arguments("backup", "--quiet", image))))
        target = tmp_path / "back.img"
        peaks["restore"].append(peak_byte_count(fresh.program.start(*fresh.arguments("restore", "--quiet", "latest", target))))
        image.unlink()
        target.unlink()
    print({operation: [f"{value / MIB:.1f} MiB" for value in values] for operation, values in peaks.items()})
    for operation, values in peaks.items():
        assert max(values) < LIMIT, f"{operation}: {peaks}"
        assert max(values) - min(values) < DIFFERENCE_LIMIT, f"{operation}: {peaks}"
