"""Memory does not grow with the image."""

import os
import random
import shutil
from pathlib import Path

from support.images import GIB, MIB
from support.memory import peak_byte_count
from support.program import Program
from support.repository import Repository

LIMIT = 256 * MIB
# One run differs from the next by some 30 MiB, whatever the size: it depends on how many threads have a full buffer at once. So the growth is
# that of the least peak of a few runs.
DIFFERENCE_LIMIT = 40 * MIB
RUN_COUNT = 3
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
    peaks: dict[str, dict[int, list[int]]] = {"backup": {}, "restore": {}}
    for byte_count in (GIB, 64 * GIB):
        image = image_with_data(tmp_path / f"{byte_count // GIB}.img", byte_count)
        for run in range(RUN_COUNT):
            fresh = Repository.create(holdfast, tmp_path / f"{byte_count}-{run}", tmp_path / f"{byte_count}-{run}.key")
            target = tmp_path / "back.img"
            for operation, arguments in (("backup", [image]), ("restore", ["latest", target])):
                process = fresh.program.start(*fresh.arguments(operation, "--quiet", *arguments))
                peaks[operation].setdefault(byte_count, []).append(peak_byte_count(process))
            target.unlink()
            shutil.rmtree(fresh.folder)
        image.unlink()
    print({operation: [[f"{peak / MIB:.1f} MiB" for peak in runs] for runs in sizes.values()] for operation, sizes in peaks.items()})
    for operation, sizes in peaks.items():
        assert max(max(runs) for runs in sizes.values()) < LIMIT, f"{operation}: {peaks}"
        assert min(sizes[64 * GIB]) - min(sizes[GIB]) < DIFFERENCE_LIMIT, f"{operation}: {peaks}"
