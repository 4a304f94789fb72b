"""What no file system uses is not read, not stored, and not missed."""

import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, mounted, run
from support.images import MIB, allocated_byte_count, make_image, make_sparse
from support.repository import Repository

pytestmark = pytest.mark.root
PARTITION = 160 * MIB
START = 1 * MIB
FILE_SYSTEMS = {
    "ext4": (["mkfs.ext4", "-q", "-F"], ["e2fsck", "-fn"]),
    "ext2": (["mkfs.ext2", "-q", "-F"], ["e2fsck", "-fn"]),
    "ntfs": (["mkfs.ntfs", "-q", "-Q", "-F"], ["ntfsfix", "-n"]),
}


def disk_with(path: Path, file_system: str, folder: Path, is_dirty: bool = False) -> Path:
    """A disk whose partition was full of random bytes once, most of them of files that are deleted."""
    partition = make_image(path.with_suffix(".partition"), PARTITION, 5)
    run(*FILE_SYSTEMS[file_system][0], partition)
    folder.mkdir(exist_ok=True)
    options = ["-o", "loop"] if file_system != "ntfs" else ["-t", "ntfs-3g", "-o", "loop"]
    with mounted(partition, folder, *options):
        (folder / "kept").mkdir()
        for number in range(20):
            make_image(folder / "kept" / f"file {number}", 300_000 + number, 100 + number)
        for number in range(10):
            make_image(folder / f"deleted {number}", 9 * MIB, 200 + number)
        run("sync", "-f", folder)
        for number in range(10):
            (folder / f"deleted {number}").unlink()
        run("sync", "-f", folder)
        if is_dirty:
            (folder / "kept" / "last").write_bytes(b"written just now" * 1000)
            run("sync", "-f", folder)
            shutil.copy(partition, partition.with_suffix(".dirty"))
    if is_dirty:
        partition.with_suffix(".dirty").rename(partition)
    make_sparse(path, START + PARTITION + MIB, {})
    script = f"label: gpt\nstart={START // 512}, size={PARTITION // 512}, name=data\n"
    done = subprocess.run(["sfdisk", "--quiet", path], input=script, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    run("dd", f"if={partition}", f"of={path}", "bs=1M", "seek=1", "conv=notrunc", "status=none")
    return path


def tree(partition: Path, folder: Path, file_system: str) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    options = ["-o", "loop"] if file_system != "ntfs" else ["-t", "ntfs-3g", "-o", "loop,ro"]
    with mounted(partition, folder, *options):
        return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def partition_of(disk: Path, path: Path) -> Path:
    run("dd", f"if={disk}", f"of={path}", "bs=1M", "skip=1", f"count={PARTITION // MIB}", "status=none")
    return path


@pytest.mark.parametrize("file_system, is_dirty", [("ext4", False), ("ext4", True), ("ext2", False), ("ntfs", False)])
def test_deleted_files_do_not_enter_the_repository(repository: Repository, tmp_path: Path, file_system: str, is_dirty: bool) -> None:
    disk = disk_with(tmp_path / "disk.img", file_system, tmp_path / "mounted", is_dirty)
    outcome = repository.run("backup", "--json", disk).require(0)
    assert outcome.errors == ""
    (shown,) = repository.run("show", "latest", "--json").require(0).of_type("snapshot")
    manifest = shown["manifest"]
    (volume,) = [value for value in manifest["images"][0]["volumes"] if value["kind"] == "partition"]
    used = volume["file_system"]["used_byte_count"]
    assert 6 * MIB <= used <= 40 * MIB
    assert manifest["counters"]["read_byte_count"] <= used * 1.02 + 2 * MIB
    assert manifest["counters"]["new_byte_count"] <= used * 1.02 + 2 * MIB
    # A new target has nothing where nothing was in use; one that holds something keeps it there.
    old = make_image(tmp_path / "old.img", START + PARTITION + MIB, 77)
    for target, options in ((tmp_path / "back.img", []), (old, ["--yes"])):
        repository.run("restore", "latest", "--verify", *options, target).require(0)
        back = partition_of(target, tmp_path / "back.partition")
        if not is_dirty:
            run(*FILE_SYSTEMS[file_system][1], back)
        expected = tree(partition_of(disk, tmp_path / "expected.partition"), tmp_path / "expected", file_system)
        assert tree(back, tmp_path / "found", file_system) == expected
        assert len(expected) == (21 if is_dirty else 20)
        if file_system in ("ext4", "ext2"):
            run("e2fsck", "-fn", back)
    again = repository.run("backup", "--json", disk).require(0)
    assert again.of_type("summary")[0]["data_pack_count"] == 0
    repository.require_clean()


@pytest.mark.parametrize("is_device", [False, True])
def test_a_target_forgets_on_request_what_nobody_needs(repository: Repository, tmp_path: Path, is_device: bool) -> None:
    disk = disk_with(tmp_path / "disk.img", "ext4", tmp_path / "mounted")
    repository.run("backup", disk).require(0)
    old = make_image(tmp_path / "old.img", START + PARTITION + MIB, 77)
    with ExitStack() as stack:
        target = stack.enter_context(loop_device(old)) if is_device else old
        outcome = repository.run("restore", "latest", "--json", "--discard", "--verify", "--yes", target).require(0)
    (summary,) = outcome.of_type("summary")
    assert summary["discarded_byte_count"] >= 100 * MIB
    assert allocated_byte_count(old) <= START + PARTITION + MIB - summary["discarded_byte_count"] + MIB
    run("e2fsck", "-fn", partition_of(old, tmp_path / "back.partition"))
    found, expected = (tree(partition_of(image, tmp_path / name), tmp_path / f"{name} mounted", "ext4") for image, name in ((old, "found"), (disk, "expected")))
    assert found == expected


def test_all_blocks_are_equal_in_every_bit_on_request(repository: Repository, tmp_path: Path) -> None:
    disk = disk_with(tmp_path / "disk.img", "ext4", tmp_path / "mounted")
    repository.run("backup", "--all-blocks", disk).require(0)
    repository.require_equal("latest", disk, tmp_path / "back.img")


def test_without_the_inspector_all_blocks_are_backed_up_and_a_warning_says_so(repository: Repository, binary: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(binary, alone / "holdfast")
    disk = disk_with(tmp_path / "disk.img", "ext4", tmp_path / "mounted")
    poor = repository.using(repository.program.at_binary(alone / "holdfast"))
    assert "all blocks are backed up" in poor.run("backup", disk).require(0).errors
    repository.require_equal("latest", disk, tmp_path / "back.img")


@pytest.mark.parametrize("script", ["exit 0", "echo nonsense", "kill -9 $$", "exit 71", "head -c 300000000 /dev/zero"])
def test_an_inspector_that_fails_or_lies_costs_nothing_but_room(repository: Repository, binary: Path, tmp_path: Path, script: str) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(binary, alone / "holdfast")
    (alone / "holdfast-inspect").write_text(f"#!/bin/sh\n{script}\n")
    (alone / "holdfast-inspect").chmod(0o755)
    disk = make_image(tmp_path / "disk.img", 3 * MIB, 6)
    poor = repository.using(repository.program.at_binary(alone / "holdfast"))
    assert "all blocks are backed up" in poor.run("backup", disk).require(0).errors
    repository.require_equal("latest", disk, tmp_path / "back.img")


def test_page_files_are_left_out_on_request(repository: Repository, tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 96 * MIB, {})
    run(*FILE_SYSTEMS["ntfs"][0], image)
    with mounted(image, tmp_path / "mounted", "-t", "ntfs-3g", "-o", "loop"):
        make_image(tmp_path / "mounted" / "pagefile.sys", 40 * MIB, 8)
        make_image(tmp_path / "mounted" / "kept", MIB, 9)
    assert "--skip-page-files" in repository.run("backup", "--all-blocks", "--skip-page-files", image).require(64).errors
    (left, all_of_it) = (repository.backup(*options, image)["snapshot"]["counters"]["read_byte_count"] for options in (["--skip-page-files"], []))
    assert left <= 12 * MIB and all_of_it >= 41 * MIB
    repository.run("restore", f"{repository.snapshot_ids()[0]}", tmp_path / "back.img").require(0)
    files = tree(tmp_path / "back.img", tmp_path / "found", "ntfs")
    assert files["kept"] == tree(image, tmp_path / "expected", "ntfs")["kept"] and files["pagefile.sys"] == bytes(40 * MIB)
