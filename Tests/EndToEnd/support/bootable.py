"""A small disk that boots: an ESP with a kernel, and a root file system that proves itself whole."""

import hashlib
import shutil
import uuid
from pathlib import Path

from support.devices import run
from support.images import MIB, random_bytes
from support.machine import BUSYBOX, INIT, STUB, initramfs, kernel

ESP_MIB, ROOT_MIB, SWAP_MIB = 48, 96, 8
DISK_MIB = ESP_MIB + ROOT_MIB + SWAP_MIB + 2
PROOF = "this disk is whole"


def make_bootable(disk: Path, folder: Path) -> Path:
    """Its kernel finds the root file system by UUID, as the guide says that it should."""
    folder.mkdir()
    root_id = str(uuid.uuid4())
    pieces = [(make_esp(folder / "esp", folder, root_id), ESP_MIB), (make_root(folder / "root", folder / "files", root_id), ROOT_MIB), (make_swap(folder / "swap"), SWAP_MIB)]
    disk.touch()
    run("truncate", "-s", DISK_MIB * MIB, disk)
    script = f"label: gpt\nstart=1M, size={ESP_MIB}M, type=uefi, name=esp\nsize={ROOT_MIB}M, type=linux, name=root\nsize={SWAP_MIB}M, type=swap, name=swap\n"
    (folder / "table").write_text(script)
    run("sh", "-c", f"sfdisk --quiet '{disk}' < '{folder / 'table'}'")
    start = 1
    for piece, size_mib in pieces:
        run("dd", f"if={piece}", f"of={disk}", "bs=1M", f"seek={start}", "conv=notrunc,sparse", "status=none")
        start += size_mib
    shutil.rmtree(folder)
    return disk


def make_esp(esp: Path, folder: Path, root_id: str) -> Path:
    """One program for the firmware, in the place where it looks by itself: kernel, command line and initramfs."""
    (folder / "cmdline").write_text("console=ttyS0 quiet panic=-1")
    (folder / "initrd").write_bytes(initramfs(f"{INIT}mount -o ro $(findfs UUID={root_id}) /mnt && exec switch_root /mnt /sbin/init\n"))
    sections = [("cmdline", folder / "cmdline", 0x30000), ("linux", kernel(), 0x2000000), ("initrd", folder / "initrd", 0x4000000)]
    options = [word for name, path, address in sections for word in ("--add-section", f".{name}={path}", "--change-section-vma", f".{name}={address:#x}")]
    run("objcopy", *options, STUB, folder / "BOOTX64.EFI")
    run("truncate", "-s", ESP_MIB * MIB, esp)
    run("mkfs.vfat", "-F", "32", "-n", "ESP", esp)
    run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-i", esp, folder / "BOOTX64.EFI", "::/EFI/BOOT/")
    return esp


def make_root(root: Path, files: Path, root_id: str) -> Path:
    for name in ("bin", "dev", "proc", "sbin", "sys", "data"):
        (files / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, files / "bin/busybox")
    digests = []
    for number in range(40):
        data = random_bytes(number * 20_000, number)
        (files / f"data/{number}").write_bytes(data)
        digests.append(f"{hashlib.sha256(data).hexdigest()}  /data/{number}\n")
    (files / "digests").write_text("".join(digests))
    init = files / "sbin/init"
    init.write_text(f"#!/bin/busybox sh\n/bin/busybox sha256sum -cs /digests && echo {PROOF}\n/bin/busybox poweroff -f\n")
    init.chmod(0o755)
    run("truncate", "-s", ROOT_MIB * MIB, root)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-U", root_id, "-d", files, root)
    return root


def make_swap(swap: Path) -> Path:
    run("truncate", "-s", SWAP_MIB * MIB, swap)
    run("mkswap", swap)
    return swap


def make_data_disk(disk: Path, files: Path, size_mib: int) -> Path:
    """What one carries to a dead machine: a disk with one partition, and the folder's files in it."""
    run("truncate", "-s", (size_mib + 2) * MIB, disk)
    run("sh", "-c", f"echo 'start=1M, size={size_mib}M' | sfdisk --quiet -X gpt '{disk}'")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-E", f"offset={MIB}", "-d", files, disk, f"{size_mib}m")
    return disk
