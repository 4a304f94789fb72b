"""A bootable disk comes back and boots. Needs such a disk, so that it runs only when told where it is."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from support.comparing import folder_byte_count, require_same_content
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
    if BOOT is None:
        return
    booted = subprocess.run([*shlex.split(BOOT), str(target)], capture_output=True, text=True, timeout=600)
    assert booted.returncode == 0, (booted.stdout + booted.stderr)[-4000:]
    print(booted.stdout[-300:])
