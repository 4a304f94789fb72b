"""No memory is drawn for a chunk: what a few chunks share may take some, and the larger chunks, whose ids a library computes that draws its own."""

import platform
import random
import subprocess
from pathlib import Path

import pytest

from support.images import MIB
from support.program import Program
from support.repository import Repository

SIZES = (64 * MIB, 256 * MIB)
# Of segments, which hold about thirty chunks, and of the tenth of chunks above 64 KiB.
LIMITS = {"backup": 0.9, "unchanged": 0.5, "restore": 1.0}


def image(path: Path, byte_count: int) -> Path:
    """Half of each mebibyte compresses."""
    generator = random.Random(7)
    with path.open("wb") as file:
        for _ in range(byte_count // MIB):
            file.write(generator.randbytes(MIB // 2) + generator.randbytes(MIB // 32) * 16)
    return path


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere a library that draws memory computes all ids")
def test_memory_is_not_drawn_for_each_chunk(holdfast: Program, tmp_path: Path) -> None:
    source = Path(__file__).parent / "support/allocations.c"
    library, report = tmp_path / "allocations.so", tmp_path / "allocations"
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    counting = holdfast.with_variables(LD_PRELOAD=str(library), ALLOCATIONS=str(report))
    counts: dict[str, list[int]] = {operation: [] for operation in LIMITS}
    chunk_counts: list[int] = []
    for byte_count in SIZES:
        repository = Repository.create(holdfast, tmp_path / f"{byte_count}", tmp_path / f"{byte_count}.key")
        disk = image(tmp_path / f"{byte_count}.img", byte_count)
        for operation, command in (("backup", ["backup", disk]), ("unchanged", ["backup", disk]), ("restore", ["restore", "latest", tmp_path / f"{byte_count}.back"])):
            report.unlink(missing_ok=True)
            repository.using(counting).run(*command, "--threads", 2).require(0)
            # The inspector of a backup is a process of its own.
            counts[operation].append(max(int(line) for line in report.read_text().split()))
        [shown] = repository.run("show", "latest", "--json").require(0).objects
        chunk_counts.append(shown["snapshot"]["counters"]["chunk_count"])
    more_chunks = chunk_counts[1] - chunk_counts[0]
    assert more_chunks > 4000
    # The arguments alone take more: fewer, and nothing was counted.
    assert all(small > 1000 for small, _ in counts.values()), counts
    a_chunk = {operation: (large - small) / more_chunks for operation, (small, large) in counts.items()}
    print({operation: f"{value:.2f} a chunk" for operation, value in a_chunk.items()}, counts, chunk_counts)
    assert all(a_chunk[operation] <= LIMITS[operation] for operation in LIMITS), a_chunk
