"""A bootable disk comes back and boots. Needs such a disk, so that it runs only when told where it is."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from support.comparing import folder_byte_count, require_same_content
from support.devices import run
from support.images import MIB
from support.repository import Repository

DISK = os.environ.get("HOLDFAST_DISK")
BOOT = os.environ.get("HOLDFAST_BOOT")


@pytest.mark.skipif(DISK is None, reason="HOLDFAST_DISK names no disk image")
def test_a_bootable_disk_comes_back_and_boots(repository: Repository, tmp_path: Path) -> None:
    disk, target = Path(str(DISK)), tmp_path / "restored.img"
    summary = repository.backup("--all-blocks", disk)
    print("backup:", summary["milliseconds"], "ms; repository:", folder_byte_count(repository.folder), "bytes")
    before = folder_byte_count(repository.folder)
    again = repository.backup("--all-blocks", disk)
    assert again["data_pack_count"] == 0 and folder_byte_count(repository.folder) - before < 1 << 20
    (restored,) = repository.run("restore", "--json", "--verify", "latest", target).require(0).of_type("summary")
    print("restore:", restored["milliseconds"], "ms, read back")
    require_same_content(disk, target)
    require_boots(target)


@pytest.mark.skipif(DISK is None, reason="HOLDFAST_DISK names no disk image")
@pytest.mark.parametrize("difference", [1024 * MIB, -512 * MIB], ids=["larger", "smaller"])
def test_a_bootable_disk_fits_another_size(repository: Repository, tmp_path: Path, difference: int) -> None:
    """Its second partition, ext4 with the system, takes what the others leave."""
    disk, target = Path(str(DISK)), tmp_path / "restored.img"
    repository.run("backup", disk).require(0)
    size = disk.stat().st_size + difference
    repository.run("restore", "latest", "--resize", "2", "--size", size, "--verify", target).require(0)
    table = json.loads(run("sfdisk", "--json", target))["partitiontable"]["partitions"]
    for partition, check in zip(table, (["fsck.vfat", "-n"], ["e2fsck", "-fn"], ["ntfsfix", "-n"]), strict=False):
        part = tmp_path / "partition"
        run("dd", f"if={target}", f"of={part}", "bs=512", f"skip={partition['start']}", f"count={partition['size']}", "conv=sparse", "status=none")
        run(*check, part)
        part.unlink()
    require_boots(target)


def require_boots(disk: Path) -> None:
    if BOOT is None:
        return
    booted = subprocess.run([*shlex.split(BOOT), str(disk)], capture_output=True, text=True, timeout=600)
    assert booted.returncode == 0, (booted.stdout + booted.stderr)[-4000:]
    print(booted.stdout[-300:])
