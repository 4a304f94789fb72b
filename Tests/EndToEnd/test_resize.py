"""Disks whose partitions get another size, with the file systems in them."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.devices import loop_device, run
from support.file_systems import attached, churn, tree_of
from support.images import MIB, make_image, make_sparse
from support.repository import Repository

pytestmark = pytest.mark.root
CHECKS = {"ext4": ["e2fsck", "-fn"], "ntfs": ["ntfsfix", "-n"]}
MAKERS = {"ext4": ["mkfs.ext4", "-q", "-F"], "ntfs": ["mkfs.ntfs", "-q", "-Q", "-F"]}


def make_disk(path: Path, file_system: str, folder: Path, label: str = "gpt") -> Path:
    """A boot partition of random bytes, 96 MiB of a file system with holes in it, and 8 MiB of random bytes behind it."""
    make_sparse(path, 128 * MIB, {})
    middle = make_image(path.with_suffix(".middle"), 96 * MIB, 3)
    run(*MAKERS[file_system], middle)
    with attached(middle, folder, file_system):
        churn(folder, 11)
    sizes = "size=8M\nsize=96M\nsize=8M\n"
    done = subprocess.run(["sfdisk", "--quiet", path], input=f"label: {label}\n{sizes}", text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    with path.open("r+b") as file:
        for number, content in ((1, make_image(path.with_suffix(".first"), 8 * MIB, 4)), (2, middle), (3, make_image(path.with_suffix(".last"), 8 * MIB, 5))):
            file.seek(place(path, number).start)
            file.write(content.read_bytes())
    return path


def place(disk: Path, number: int) -> range:
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    partition = next(value for value in table["partitions"] if value["node"].endswith(str(number)))
    return range(partition["start"] * 512, (partition["start"] + partition["size"]) * 512)


def content(disk: Path, number: int) -> bytes:
    where = place(disk, number)
    with disk.open("rb") as file:
        file.seek(where.start)
        return file.read(len(where))


def require_same_files(disk: Path, other: Path, folder: Path, file_system: str) -> None:
    trees = []
    for number, image in enumerate((disk, other)):
        partition = folder / f"partition {number}"
        partition.write_bytes(content(image, 2))
        run(*CHECKS[file_system], partition)
        with attached(partition, folder / "mounted", file_system, "ro"):
            trees.append(tree_of(folder / "mounted"))
    assert trees[0] and trees[0] == trees[1]


def file_system_byte_count(disk: Path, folder: Path, file_system: str) -> int:
    partition = folder / "measured"
    partition.write_bytes(content(disk, 2))
    if file_system == "ext4":
        lines = dict(line.split(":", 1) for line in run("dumpe2fs", "-h", partition).splitlines() if ":" in line)
        return int(lines["Block count"]) * int(lines["Block size"])
    (line,) = [line for line in run("ntfsresize", "--info", "--force", partition).splitlines() if line.startswith("Current volume size")]
    return int(line.split(":")[1].split()[0])


@pytest.mark.parametrize("file_system", ["ext4", "ntfs"])
@pytest.mark.parametrize("size", [192, 96], ids=["larger", "smaller"])
@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_a_partition_takes_what_a_disk_of_another_size_leaves(repository: Repository, tmp_path: Path, file_system: str, size: int, label: str) -> None:
    disk = make_disk(tmp_path / "disk.img", file_system, tmp_path / "mounted", label)
    repository.run("backup", disk).require(0)
    target = tmp_path / "target.img"
    arguments = ["latest", "--resize", "2", "--size", size * MIB]
    plan = repository.run("restore", *arguments, "--dry-run", target).require(0).output
    assert ("becomes larger" if size > 128 else "becomes smaller") in plan and "Partition 3 moves" in plan and not target.exists()
    repository.run("restore", *arguments, "--verify", target).require(0)
    assert "No errors detected" in run("sfdisk", "--verify", target)
    assert content(target, 1) == content(disk, 1) and content(target, 3) == content(disk, 3)
    assert len(place(target, 2)) - len(place(disk, 2)) == (size - 128) * MIB + (14 if label == "gpt" else 15) * MIB
    assert 0 <= len(place(target, 2)) - file_system_byte_count(target, tmp_path, file_system) < MIB
    require_same_files(disk, target, tmp_path, file_system)
    assert not list(tmp_path.glob("holdfast-scratch*"))


def test_a_device_gets_what_fits_it(repository: Repository, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk.img", "ext4", tmp_path / "mounted")
    repository.run("backup", disk).require(0)
    backing = make_image(tmp_path / "backing", 100 * MIB, 8)
    with loop_device(backing) as device:
        repository.run("restore", "latest", "--resize", "2=64MiB", "--scratch", tmp_path, "--verify", "--yes", device).require(0)
    assert len(place(backing, 2)) == 64 * MIB and content(backing, 3) == content(disk, 3)
    require_same_files(disk, backing, tmp_path, "ext4")


def test_the_last_partition_of_an_mbr_is_resized(repository: Repository, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk.img", "ext4", tmp_path / "mounted", "dos")
    repository.run("backup", disk).require(0)
    outcome = repository.run("restore", "latest", "--resize", "3", "--new-ids", "--size", 256 * MIB, "--verify", tmp_path / "target").require(0)
    assert outcome.errors == ""
    assert place(tmp_path / "target", 3).stop == 256 * MIB and content(tmp_path / "target", 2) == content(disk, 2)
    ids = [json.loads(run("sfdisk", "--json", path))["partitiontable"]["id"] for path in (disk, tmp_path / "target")]
    assert ids[0] != ids[1]


def test_what_cannot_be_is_refused_before_anything_is_written(repository: Repository, tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "disk.img", "ext4", tmp_path / "mounted")
    repository.run("backup", disk).require(0)
    target = tmp_path / "target.img"

    def refused(status: int, *arguments: object) -> str:
        said = repository.run("restore", "latest", *arguments, target).require(status).errors
        assert not target.exists() and not list(tmp_path.glob("holdfast-scratch*"))
        return said

    assert "only ext2, ext3, ext4 and NTFS" in refused(1, "--resize", "1=4MiB")
    assert "its files need" in refused(1, "--resize", "2=4MiB")
    assert "resized twice" in refused(1, "--resize", "2=64MiB", "--resize", "2")
    assert "only one partition" in refused(1, "--resize", "2", "--resize", "3")
    assert "no partition" in refused(64, "--resize", "9")
    assert "no partition" in refused(64, "--resize", "gap1")
    assert "no size" in refused(64, "--resize", "2=much")
    assert "need" in refused(1, "--size", 64 * MIB, "--resize", "1=62MiB")
    tools = repository.using(repository.program.with_variables(PATH="/nowhere"))
    assert "install e2fsprogs" in tools.run("restore", "latest", "--resize", "2=64MiB", target).require(1).errors
    assert not target.exists()


@pytest.mark.parametrize("script, status, message", [("echo no space; exit 3", 1, "resize2fs ended with exit status 3: no space"), ("kill -INT $PPID; sleep 1", 130, "interrupted")])
def test_a_tool_that_fails_or_is_interrupted_leaves_nothing(repository: Repository, tmp_path: Path, script: str, status: int, message: str) -> None:
    disk = make_disk(tmp_path / "disk.img", "ext4", tmp_path / "mounted")
    repository.run("backup", disk).require(0)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "resize2fs").write_text(f"#!/bin/sh\n[ $1 = --version ] || {{ {script}; }}\n")
    (tools / "resize2fs").chmod(0o755)
    other = repository.using(repository.program.with_variables(PATH=f"{tools}:{os.environ['PATH']}"))
    old = make_image(tmp_path / "old.img", MIB, 6)
    before = old.read_bytes()
    assert message in other.run("restore", "latest", "--resize", "2=64MiB", "--yes", old).require(status).errors
    assert old.read_bytes() == before and not list(tmp_path.glob("holdfast-scratch*"))
