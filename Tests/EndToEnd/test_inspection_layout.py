"""What the inspector says about partition tables, compared with sfdisk."""

import json
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.devices import loop_device, run
from support.disks import close_circle, move_partition
from support.images import MIB, make_sparse, overwrite
from support.inspector import Answer, inspect

# Disks with sectors of 4096 bytes are loop devices.
pytestmark = pytest.mark.root
DISK = 64 * MIB
GPT = "label: gpt\nsize=8M, name=\"boot ß\", attrs=\"LegacyBIOSBootable GUID:63\"\nsize=20M, type=swap, name=two\nsize=4M, start=98304\n"
MBR = """label: dos
label-id: 0x1234abcd
/dev/disk1 : size=8M, bootable
/dev/disk2 : size=34M, type=5
/dev/disk3 : size=6M, type=83
/dev/disk5 : size=1M, type=82
/dev/disk6 : size=9M, type=7
/dev/disk7 : size=3M, type=0c
/dev/disk8 : size=2M, type=fd
"""


@contextmanager
def as_disk(path: Path, sector_size: int) -> Iterator[Path]:
    """The file as a disk with such sectors: only devices have others than 512 bytes."""
    if sector_size == 512:
        yield path
        return
    with loop_device(path, sector_size) as device:
        yield device


def partitioned(path: Path, script: str, byte_count: int = DISK, sector_size: int = 512) -> Path:
    make_sparse(path, byte_count, {})
    with as_disk(path, sector_size) as disk:
        done = subprocess.run(["sfdisk", "--quiet", "--no-tell-kernel", disk], input=script, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return path


def sfdisk(path: Path, sector_size: int = 512) -> dict[str, Any]:
    with as_disk(path, sector_size) as disk:
        return json.loads(run("sfdisk", "--json", disk))["partitiontable"]


def number_of(node: str) -> int:
    match = re.fullmatch(r".*?(?:img|loop\d+p)(\d+)", node)
    assert match is not None
    return int(match[1])


def require_same_table(answer: Answer, table: dict[str, Any]) -> None:
    label = answer.label
    assert label is not None and label["kind"] == {"gpt": "gpt", "dos": "mbr"}[table["label"]] and label["id"] == table["id"]
    assert answer.layout["sector_byte_count"] == table["sectorsize"]
    size = table["sectorsize"]
    if table["label"] == "gpt":
        assert (label["first_usable_sector"], label["last_usable_sector"]) == (table["firstlba"], table["lastlba"])
    for ours, theirs in zip(label["partitions"], table["partitions"], strict=True):
        number = number_of(theirs["node"])
        assert (ours["number"], ours["offset"], ours["byte_count"]) == (number, theirs["start"] * size, theirs["size"] * size)
        if table["label"] == "gpt":
            assert (ours["type"], ours["id"], ours["name"]) == (theirs["type"], theirs["uuid"], theirs.get("name", ""))
        else:
            assert ours["type"] == f"0x{int(theirs['type'], 16):02x}" and ours["id"] == f"{table['id'][2:]}-{number:02x}"
            assert (ours["attributes"] == "0x80") == theirs.get("bootable", False)
            assert ours["role"] == ("logical" if number > 4 else "extended" if theirs["type"] in ("5", "f") else "primary")
    partitions = {volume.partition: volume for volume in answer.volumes if volume.kind == "partition"}
    assert set(partitions) == {entry["number"] for entry in label["partitions"] if entry["role"] != "extended"}
    for entry in label["partitions"]:
        if entry["role"] != "extended":
            assert (partitions[entry["number"]].offset, partitions[entry["number"]].byte_count) == (entry["offset"], entry["byte_count"])


@pytest.mark.parametrize("sector_size", [512, 4096])
@pytest.mark.parametrize("script", [GPT, MBR, "label: gpt\n", "label: dos\n"], ids=["gpt", "mbr", "empty gpt", "empty mbr"])
def test_a_table_is_read_as_sfdisk_reads_it(tmp_path: Path, script: str, sector_size: int) -> None:
    path = partitioned(tmp_path / "disk.img", script.replace("98304", str(98304 * 512 // sector_size)), sector_size=sector_size)
    table = sfdisk(path, sector_size)
    table.setdefault("partitions", [])
    table.setdefault("sectorsize", sector_size)
    answer = inspect(path, "--sector-size", sector_size)
    require_same_table(answer, table)
    assert answer.warnings == []


def test_attributes_are_bits(tmp_path: Path) -> None:
    label = inspect(partitioned(tmp_path / "disk.img", GPT)).label
    assert label is not None and label["entry_count"] == 128
    assert [entry["attributes"] for entry in label["partitions"]] == ["0x8000000000000004", "0x0", "0x0"]


def test_a_gpt_of_4096_byte_sectors_is_found_in_a_file_of_which_nobody_says_that(tmp_path: Path) -> None:
    path = partitioned(tmp_path / "disk.img", GPT.replace("98304", "12288"), sector_size=4096)
    require_same_table(inspect(path), sfdisk(path, 4096))


def test_the_second_copy_of_a_gpt_stands_in_for_the_first(tmp_path: Path) -> None:
    path = partitioned(tmp_path / "disk.img", GPT)
    whole = inspect(path)
    overwrite(path, 512 + 16, b"\0\0\0\0")
    answer = inspect(path)
    assert answer.label == whole.label and "second one was used" in answer.texts


def test_a_gpt_whose_second_copy_is_cut_off_or_damaged_is_read_with_a_warning(tmp_path: Path) -> None:
    path = partitioned(tmp_path / "disk.img", GPT)
    label = inspect(path).label
    overwrite(path, DISK - 512, b"\0" * 512)
    answer = inspect(path)
    assert answer.label == label and "damaged or missing" in answer.texts
    with path.open("r+b") as file:
        file.truncate(DISK - 5 * MIB)
    answer = inspect(path)
    assert answer.label == label and "behind the end of the disk" in answer.texts


def require_whole(answer: Answer, reason: str) -> None:
    assert answer.label is None and [volume.kind for volume in answer.volumes] == ["whole"]
    assert answer.volumes[0].free is None and reason in answer.texts


def test_a_gpt_that_cannot_be_believed_leaves_one_volume(tmp_path: Path) -> None:
    path = partitioned(tmp_path / "disk.img", GPT)
    with path.open("r+b") as file:
        file.truncate(40 * MIB)
    require_whole(inspect(path), "partition 3 lies behind the end of the disk")
    for offset in (512, DISK - 512):
        path = partitioned(tmp_path / "disk.img", GPT) if offset == 512 else path
        overwrite(path, offset + 30, b"\xff\xff")
    require_whole(inspect(path), "no GPT that is sound")


@pytest.mark.parametrize(("first", "last"), [(2048, 4096), (100, 50), (0, 2**63), (2**64 - 1, 2**64 - 1), (5000, 5000)])
def test_partitions_that_overlap_or_end_before_they_begin_leave_one_volume(tmp_path: Path, first: int, last: int) -> None:
    path = partitioned(tmp_path / "disk.img", GPT)
    move_partition(path, 3, first, last)
    require_whole(inspect(path), "the disk is taken as one volume")


def test_tables_of_logical_partitions_that_go_round_in_circles_leave_one_volume(tmp_path: Path) -> None:
    path = partitioned(tmp_path / "disk.img", MBR)
    close_circle(path, sfdisk(path)["partitions"][1]["start"])
    require_whole(inspect(path), "do not end")


def test_a_protective_mbr_alone_leaves_one_volume(tmp_path: Path) -> None:
    path = partitioned(tmp_path / "disk.img", GPT)
    first = path.read_bytes()[:512]
    require_whole(inspect(make_sparse(tmp_path / "other.img", DISK, {0: first})), "no GPT that is sound")


@pytest.mark.parametrize("command", [["mkfs.ext4", "-q", "-F"], ["mkfs.vfat"], ["mkfs.ntfs", "-q", "-F", "-f"], ["mkfs.exfat"], ["mkfs.xfs", "-q"]], ids=lambda command: command[0])
def test_a_disk_without_a_table_is_one_volume_with_its_file_system(tmp_path: Path, command: list[str]) -> None:
    path = make_sparse(tmp_path / "disk.img", 320 * MIB, {})
    run(*command, path)
    answer = inspect(path)
    assert answer.label is None and answer.warnings == []
    assert [volume.kind for volume in answer.volumes] == ["whole"] and answer.volumes[0].type == command[0].removeprefix("mkfs.")


@pytest.mark.parametrize("command", [["mkfs.vfat", "-F", "16", "-s", "64"], ["mkfs.vfat"], ["mkfs.ntfs", "-q", "-F", "-f"], ["mkfs.exfat"], ["mkfs.ext4", "-q", "-F"]], ids=" ".join)
def test_a_disk_that_was_partitioned_over_a_file_system_has_its_partitions_and_nothing_free(tmp_path: Path, command: list[str]) -> None:
    """Of two readings one is a leftover, and nobody knows which."""
    path = make_sparse(tmp_path / "disk.img", 600 * MIB, {})
    run(*command, path)
    # As sfdisk does when nobody is asked: what the sector held besides stays.
    table = partitioned(tmp_path / "table.img", "label: dos\nstart=2048, size=1000000, type=83\n", 600 * MIB)
    overwrite(path, 440, table.read_bytes()[440:512])
    part = make_sparse(tmp_path / "part.img", 1000000 * 512, {})
    run("mkfs.ext4", "-q", "-F", part)
    run("dd", f"if={part}", f"of={path}", "bs=1M", "seek=1", "conv=notrunc,sparse")
    answer = inspect(path)
    assert [(volume.kind, volume.type) for volume in answer.volumes] == [("gap", None), ("partition", "ext4"), ("gap", None)]
    assert all(volume.free is None for volume in answer.volumes) and "one of which is a leftover" in answer.texts
    # The same within a partition, as the disk of a virtual machine may have it.
    (inner,) = inspect(path, "--whole").volumes
    assert inner.free is None


def test_a_partition_of_a_disk_can_be_looked_at_alone(tmp_path: Path) -> None:
    path = partitioned(tmp_path / "disk.img", GPT)
    answer = inspect(path, "--whole")
    assert answer.label is None and [volume.kind for volume in answer.volumes] == ["whole"]


@pytest.mark.parametrize("byte_count", [0, 1, 511, 512, 513, 4096, 100_000])
def test_small_and_odd_sizes_are_one_volume(tmp_path: Path, byte_count: int) -> None:
    for content in (b"\0", b"\xff"):
        (tmp_path / "disk.img").write_bytes(content * byte_count)
        answer = inspect(tmp_path / "disk.img")
        assert [volume.byte_count for volume in answer.volumes] == [byte_count] and answer.volumes[0].free is None


def test_a_file_system_that_was_there_before_the_table_makes_nothing_free(tmp_path: Path) -> None:
    """Its superblock is still there, behind a table that cannot be followed."""
    path = make_sparse(tmp_path / "disk.img", DISK, {})
    run("mkfs.ext4", "-q", "-F", path)
    assert inspect(path).volumes[0].free
    record = struct.Struct("<8BII")
    for records, reason in [
        ([(2048, 60000), (50000, 60000)], "contradicts itself"),
        ([(2048, 60000), (62048, 600000)], "behind the end of the disk"),
    ]:
        overwrite(path, 446, b"".join(record.pack(0, 0, 0, 0, 0x83, 0, 0, 0, start, count) for start, count in records))
        overwrite(path, 510, b"\x55\xaa")
        require_whole(inspect(path), reason)
    overwrite(path, 446, record.pack(0x17, 0, 0, 0, 0x83, 0, 0, 0, 2048, 60000))
    require_whole(inspect(path), "no partition table that makes sense")
    overwrite(path, 446, bytes(64))
    assert inspect(path).volumes[0].free


def test_a_partitioned_volume_in_a_partition_has_nothing_free(tmp_path: Path) -> None:
    outer = partitioned(tmp_path / "disk.img", GPT)
    inner = make_sparse(tmp_path / "inner.img", 8 * MIB, {})
    run("mkfs.ext2", "-q", "-F", inner)
    for kind in (None, "label: dos\nsize=2M\n"):
        if kind:
            subprocess.run(["sfdisk", "--quiet", "--wipe", "never", inner], input=kind, text=True, check=True)
        overwrite(outer, MIB, inner.read_bytes())
        answer = inspect(outer)
        volume = answer.volume(1)
        assert volume.type == "ext2" and (volume.free is None) == bool(kind)
        assert ("partition table in it" in answer.texts) == bool(kind)


def test_a_table_of_another_kind_leaves_one_volume(tmp_path: Path) -> None:
    for kind in ("sun", "sgi"):
        require_whole(inspect(partitioned(tmp_path / "disk.img", f"label: {kind}\n")), f"of kind {kind}")
