"""A bootable disk comes back and boots. Needs such a disk, so that it runs only when told where it is."""

import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from support.comparing import folder_byte_count, require_same_content
from support.devices import run
from support.images import MIB
from support.inspector import inspect, overwrite_free
from support.machine import FIRMWARE, PATIENCE_SECONDS, needs_machine
from support.qemu import emulated_machine
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
    for partition, check in zip(partitions(target), (["fsck.vfat", "-n"], ["e2fsck", "-fn"], ["ntfsfix", "-n"]), strict=False):
        part = tmp_path / "partition"
        run("dd", f"if={target}", f"of={part}", "bs=512", f"skip={partition['start']}", f"count={partition['size']}", "conv=sparse", "status=none")
        run(*check, part)
        part.unlink()
    require_boots(target)


CHANGE = """[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'dd if=/dev/urandom of=/root/change bs=1M count=48 && sync && echo HAS-CHANGED > /dev/ttyS0'
"""


def with_a_change_to_come(disk: Path, copy: Path, folder: Path) -> Path:
    """A copy of the disk whose system writes 48 MiB when it is up."""
    run("cp", "--sparse=always", disk, copy)
    (folder / "unit").write_text(CHANGE)
    root = f"{copy}?offset={partitions(copy)[1]['start'] * 512}"
    name = "/etc/systemd/system/change.service"
    for command in (f"write {folder / 'unit'} {name}", f"symlink /etc/systemd/system/multi-user.target.wants/change.service {name}"):
        run("debugfs", "-w", "-R", command, root)
    return copy


def change_of(disk: Path, folder: Path) -> bytes:
    """What the system wrote, as a reader of its file system finds it."""
    root, change = folder / "root", folder / "change"
    partition = partitions(disk)[1]
    run("dd", f"if={disk}", f"of={root}", "bs=512", f"skip={partition['start']}", f"count={partition['size']}", "conv=sparse", "status=none")
    # It was in use: the journal is played back.
    assert subprocess.run(["e2fsck", "-fp", root], capture_output=True).returncode in (0, 1)
    run("debugfs", "-R", f"dump /root/change {change}", root)
    root.unlink()
    return change.read_bytes()


@pytest.mark.skipif(DISK is None, reason="HOLDFAST_DISK names no disk image")
@needs_machine
def test_a_system_that_runs_is_backed_up_by_what_it_changed(repository: Repository, tmp_path: Path) -> None:
    image = with_a_change_to_come(Path(str(DISK)), tmp_path / "disk.img", tmp_path)
    log = tmp_path / "serial"
    options = ["-accel", "tcg,thread=multi", "-smp", 2, "-m", 1024, "-serial", f"file:{log}", "-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}", "-S"]
    with emulated_machine(tmp_path, image, *options) as machine:
        with machine.snapshot(None, "b1"):
            repository.run("backup", "--image-name", "vm", "--next-bitmap", "b1", machine.source).require(0)
        machine.qmp("cont")
        for _ in range(PATIENCE_SECONDS):
            if log.exists() and b"HAS-CHANGED" in log.read_bytes():
                break
            time.sleep(1)
        with machine.snapshot("b1", "b2"):
            dirty = machine.dirty_byte_count("b1")
            summary = repository.backup("--image-name", "vm", "--dirty-bitmap", "b1", "--next-bitmap", "b2", machine.source)
            truth = machine.copy(tmp_path / "truth.img")
    read = summary["snapshot"]["counters"]["read_byte_count"]
    (use,) = summary["change_maps"]
    print(f"{dirty / MIB:.1f} MiB changed, {read / MIB:.1f} MiB read, of which {use['audited_byte_count'] / MIB:.1f} MiB audited, in {summary['milliseconds']} ms")
    assert use["outcome"] == "used" and 48 * MIB <= dirty and read <= 2 * dirty
    target = tmp_path / "restored.img"
    repository.run("restore", "latest", target).require(0)
    # What its file systems do not use was not stored.
    answer = inspect(truth)
    assert sum(volume.free_byte_count for volume in answer.volumes) > 1024 * MIB
    for volume in answer.volumes:
        overwrite_free(truth, volume, bytes(MIB))
    require_same_content(truth, target)
    assert len(change_of(target, tmp_path)) == 48 * MIB
    require_boots(target)


def partitions(disk: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("sfdisk", "--json", disk))["partitiontable"]["partitions"]
    return found


def require_boots(disk: Path) -> None:
    if BOOT is None:
        return
    booted = subprocess.run([*shlex.split(BOOT), str(disk)], capture_output=True, text=True, timeout=600)
    assert booted.returncode == 0, (booted.stdout + booted.stderr)[-4000:]
    print(booted.stdout[-300:])
