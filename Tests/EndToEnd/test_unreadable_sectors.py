"""Sectors that cannot be read."""

import re
import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, nbd_device, run
from support.disks import Disk, Part
from support.file_systems import ext
from support.images import MIB, make_image
from support.inspector import inspect
from support.program import Outcome
from support.repository import Repository

pytestmark = pytest.mark.root


def test_a_device_that_fails_at_its_end_is_backed_up_as_far_as_it_goes(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    backing = make_image(tmp_path / "backing", 48 * MIB)
    original = backing.read_bytes()
    device = cleanup.enter_context(loop_device(backing))
    with backing.open("r+b") as file:
        file.truncate(47 * MIB + 8192)
    run("blockdev", "--flushbufs", device)
    outcome = repository.run("backup", "--json", device).require(3)
    (summary,) = outcome.of_type("summary")
    lost = [(each["offset"], each["offset"] + each["byte_count"]) for each in summary["unreadable"]]
    assert lost == [(47 * MIB + 8192, 48 * MIB)]
    assert str(device) in outcome.errors and "could not be read" in outcome.errors
    restored = repository.run("restore", "latest", tmp_path / "back.img").require(3)
    assert "zeros" in restored.errors
    assert (tmp_path / "back.img").read_bytes() == original[:47 * MIB + 8192] + bytes(MIB - 8192)
    (shown,) = repository.run("snapshots", "--json").require(0).of_type("snapshot")
    assert shown["snapshot"]["complete"] is False
    repository.require_clean()


def ranges(outcome: Outcome) -> list[tuple[int, int]]:
    return [(each["offset"], each["offset"] + each["byte_count"]) for each in outcome.of_type("summary")[0]["unreadable"]]


def without(data: bytes, lost: list[tuple[int, int]]) -> bytes:
    left = bytearray(data)
    for low, high in lost:
        left[low:high] = bytes(high - low)
    return bytes(left)


def failing_at(image: Path, bad: list[tuple[int, int]]) -> list[str]:
    """For nbdkit: a disk of which these ranges cannot be read."""
    tests = " || ".join(f"[ $4 -lt {high} -a $(($4 + $3)) -gt {low} ]" for low, high in bad)
    read = f"dd if={shlex.quote(str(image))} iflag=skip_bytes,count_bytes bs=1M skip=$4 count=$3 status=none"
    return ["eval", f"get_size=echo {image.stat().st_size}", f"pread=if {tests}; then echo EIO bad sector >&2; exit 1; fi; {read}"]


@pytest.mark.parametrize("rate", ["50%", "100%"])
def test_of_a_device_whose_reads_fail_by_chance_everything_else_is_there(repository: Repository, tmp_path: Path, cleanup: ExitStack, rate: str) -> None:
    image = make_image(tmp_path / "disk.img", 4 * MIB)
    arguments = ["--filter=error", "file", image, "error-pread=EIO", f"error-pread-rate={rate}"]
    device = cleanup.enter_context(nbd_device(tmp_path / "nbd", *arguments))
    outcome = repository.run("backup", "--json", device)
    lost = ranges(outcome)
    assert outcome.status == (3 if lost else 0)
    print(f"{rate}: {sum(high - low for low, high in lost)} of {4 * MIB} bytes lost, in {len(lost)} ranges")
    assert lost == [(0, 4 * MIB)] if rate == "100%" else sum(high - low for low, high in lost) < 2 * MIB, "what is tried again is mostly there"
    restored = repository.run("restore", "latest", "-").require(outcome.status)
    assert restored.output_bytes == without(image.read_bytes(), lost)
    assert restored.errors.count("zeros there") == min(len(lost), 20) + (len(lost) > 20)


def test_what_could_not_be_read_is_told_with_what_it_is(repository: Repository, memory_path: Path, cleanup: ExitStack) -> None:
    system = ext("ext4", byte_count=48 * MIB)
    # One partition is an unknown one.
    disk = Disk("", 64 * MIB, 'label: gpt\nsize=48M, name="files"\nsize=4M\n', {1: Part(system)})
    image = disk.build(memory_path)
    start = disk.places(image)[1]
    part = memory_path / "part.img"
    run("dd", f"if={image}", f"of={part}", "bs=1M", "skip=1", "count=48", "status=none")
    path = next(path for path in system.tree(part, memory_path / "mounted") if path.endswith("file 31"))
    block = int(run("debugfs", "-R", f'blocks "/{path}"', part).split()[3])
    inode = re.search(r"Inode: (\d+)", run("debugfs", "-R", f'stat "/{path}"', part))
    assert inode is not None
    free_start, free_end = max(inspect(image).volume(1).free or [], key=lambda each: each[1] - each[0])
    used, unknown, gap, table = start + block * 4096, disk.places(image)[2] + 8192, 60 * MIB, 64 * MIB - 4096
    bad = [(used, used + 4096), (unknown, unknown + 4096), (gap, gap + 4096), (table, table + 4096)]
    unnoticed = (start + (free_start + free_end) // 2 // 4096 * 4096, start + (free_start + free_end) // 2 // 4096 * 4096 + 4096)
    device = cleanup.enter_context(nbd_device(memory_path / "nbd", *failing_at(image, [*bad, unnoticed])))

    outcome = repository.run("backup", "--json", device).require(3)
    assert ranges(outcome) == bad, "what is not in use is not read, and so not missed"
    meanings = [
        f"partition 1 “files”, ext4, from its byte {block * 4096} on, in use", "partition 2, nobody knows what is there", "in no partition", "the partition table"]
    assert [each["meaning"] for each in outcome.of_type("summary")[0]["unreadable"]] == meanings
    require_told(outcome.errors, meanings, bad)
    hint = re.search(r"debugfs -R '(icheck \d+)' '(.*)'", outcome.errors)
    assert hint is not None and hint[2].startswith(f"{device}?")
    found = run("debugfs", "-R", hint[1], hint[2].replace(str(device), str(image)))
    assert found.split()[-2:] == [str(block), inode[1]]

    shown = repository.run("show", "latest").require(0).output
    require_told(shown, meanings, bad)
    (seen,) = repository.run("show", "--json", "latest").require(0).objects
    assert [(each["offset"], each["meaning"]) for each in seen["unreadable"]] == [(low, meaning) for (low, _), meaning in zip(bad, meanings, strict=True)]

    target = memory_path / "back.img"
    restored = repository.run("restore", "latest", target).require(3)
    require_told(restored.errors, meanings, bad)
    hint = re.search(r"debugfs -R '(icheck \d+)' '(.*)'", restored.errors)
    assert hint is not None and run("debugfs", "-R", hint[1], hint[2]).split()[-2:] == [str(block), inode[1]]
    for low, high in bad:
        assert target.read_bytes()[low:high] == bytes(4096)
    alone = repository.run("restore", "latest", "--partition", "files", memory_path / "files.img").require(3)
    require_told(alone.errors, [meanings[0].replace(" “files”", "")], [(block * 4096, block * 4096 + 4096)])
    repository.require_clean()


def require_told(text: str, meanings: list[str], bad: list[tuple[int, int]]) -> None:
    for meaning, (low, high) in zip(meanings, bad, strict=True):
        assert f"bytes {low} to {high} could not be read" in text and meaning in text, text
    assert text.count("could not be read") == len(bad) + text.count("no, ")
