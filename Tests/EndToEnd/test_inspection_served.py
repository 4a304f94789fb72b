"""An inspector that asks for what it reads, as Specs/inspection.md has it: it sees the same disk."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.images import MIB, make_sparse
from support.inspector import decode, inspect, inspector_binary
from test_disk_table import TABLE

DISKS = ["all on one GPT, a device", "ext4 1k in use", "NTFS without a table", "logical partitions where nothing is aligned", "FAT12 without a table", "random bytes"]


def serve(image: Path, reply: Callable[[int, int], bool]) -> tuple[int, bytes, list[tuple[int, int]]]:
    """The exit status, the answer and the requests of an inspector that is given just what it asks for, each time anew."""
    byte_count = image.stat().st_size
    memory = os.memfd_create("disk")
    os.ftruncate(memory, byte_count)
    requests = []
    command = [inspector_binary(), "--descriptor", str(memory), "--served"]
    with image.open("rb") as file, subprocess.Popen(command, pass_fds=[memory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin and process.stdout
        while (start := process.stdout.read(8)) == b"HFINREAD":
            offset, count = (int.from_bytes(process.stdout.read(8), "little") for _ in range(2))
            requests.append((offset, count))
            os.ftruncate(memory, 0)
            os.ftruncate(memory, byte_count)
            os.pwrite(memory, os.pread(file.fileno(), count, offset), offset)
            process.stdin.write(b"\0" if reply(offset, count) else b"\1")
            process.stdin.flush()
        answer = start + process.stdout.read()
    os.close(memory)
    return process.returncode, answer, requests


@pytest.mark.root
@pytest.mark.parametrize("name", DISKS)
def test_it_answers_as_if_it_had_the_disk(tmp_path: Path, name: str) -> None:
    (disk,) = [disk for disk in TABLE if disk.name == name]
    image = disk.build(tmp_path)
    status, answer, requests = serve(image, lambda offset, count: True)
    assert status == 0 and decode(answer) == inspect(image)
    assert all(count <= 16 * MIB for _, count in requests)
    read = sum(count for _, count in requests)
    print(f"{name}: {len(requests)} requests, {read / MIB:.2f} of {disk.byte_count / MIB:.0f} MiB")
    assert len(requests) > 5 and read < 0.3 * disk.byte_count + MIB


def test_what_cannot_be_had_is_used(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 64 * MIB, {})
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    free = inspect(image).volumes[0].free_byte_count
    # The group descriptors are in the first blocks, and the bitmaps behind them.
    status, answer, _ = serve(image, lambda offset, count: offset + count <= 8192)
    answered = decode(answer)
    assert status == 0 and answered.volumes[0].free is None and answered.warnings and free > 40 * MIB
    assert serve(image, lambda offset, count: False)[0] == 0


def test_without_an_answer_to_what_it_asks_it_ends(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", MIB, {})
    with image.open("rb") as file:
        done = subprocess.run([inspector_binary(), "--descriptor", str(file.fileno()), "--served"], pass_fds=[file.fileno()], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert done.returncode == 0
    position = 0
    while done.stdout[position:position + 8] == b"HFINREAD":
        position += 24
    assert position > 0 and decode(done.stdout[position:]).volumes[0].free is None
