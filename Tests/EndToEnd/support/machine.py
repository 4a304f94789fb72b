"""Machines that QEMU emulates: a rescue system with a console to type at, or whatever a disk boots."""

import gzip
import lzma
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
# An unpacked kernel package of Debian: Tests/install --tests puts one there.
KERNEL = Path(os.environ.get("HOLDFAST_KERNEL", PROJECT / ".build-kernel"))
BUSYBOX = Path("/bin/busybox")
FIRMWARE = min(Path("/usr/share/OVMF").glob("OVMF_CODE*.fd"), key=lambda path: len(path.name), default=Path("/usr/share/OVMF"))
STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")
# Software emulation boots a kernel in some seconds, a whole Debian in a minute; this is for machines with other work.
PATIENCE_SECONDS = 300

missing = [str(path) for path in (BUSYBOX, FIRMWARE, STUB) if not path.is_file()]
if not list(KERNEL.glob("boot/vmlinuz-*")):
    missing.append(f"{KERNEL}/boot/vmlinuz-*")
if shutil.which("qemu-system-x86_64") is None:
    missing.append("qemu-system-x86_64")
needs_machine = pytest.mark.skipif(bool(missing), reason=f"machines cannot be emulated here: {', '.join(missing)} missing")

# What a rescue system finds disks and a network by.
MODULES = ("virtio_pci", "virtio_scsi", "sd_mod", "virtio_net")
# The kernel mounts nothing for us, and nobody else does.
INIT = """#!/bin/sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in $(cat /modules/order); do insmod /modules/$module; done
echo 3 > /proc/sys/kernel/printk
"""
# A shell, and nothing else: no user, no name, no home but the root.
BARE_SHELL = INIT + "exec setsid cttyhack sh\n"


def kernel() -> Path:
    return max(KERNEL.glob("boot/vmlinuz-*"))


def with_what_they_need(names: tuple[str, ...]) -> dict[str, bytes]:
    """The modules, each after those it depends on; what is built into the kernel has none."""
    files = {re.sub(r"\.ko.*$", "", path.name).replace("-", "_"): path for path in KERNEL.glob("lib/modules/*/kernel/**/*.ko*")}
    found: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in found or name not in files:
            return
        data = files[name].read_bytes()
        data = lzma.decompress(data) if files[name].suffix == ".xz" else data
        depends = re.search(rb"\0depends=([^\0]*)\0", data)
        for other in depends[1].decode().split(",") if depends else []:
            add(other.replace("-", "_"))
        found[name] = data

    for name in names:
        add(name)
    return found


def archive(files: dict[str, tuple[int, bytes]]) -> bytes:
    """An initramfs (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst) of modes and contents."""
    parts = []
    for number, (name, (mode, data)) in enumerate([*sorted(files.items()), ("TRAILER!!!", (0, b""))]):
        device = (5, 1) if name == "dev/console" else (0, 0)
        fields = (number + 1, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % value for value in fields) + name.encode() + b"\0"
        parts += [header + bytes(-len(header) % 4), data + bytes(-len(data) % 4)]
    return gzip.compress(b"".join(parts), 1)


def initramfs(init: str, modules: tuple[str, ...] = MODULES) -> bytes:
    """A system of one static program, the modules, and what to do first; it has no other program and no library."""
    loaded = with_what_they_need(modules)
    folders = {name: (0o40755, b"") for name in ("bin", "dev", "mnt", "modules", "proc", "root", "sys", "tmp")}
    return archive({
        **folders, "dev/console": (0o20600, b""), "bin/busybox": (0o100755, BUSYBOX.read_bytes()), "bin/sh": (0o120777, b"busybox"),
        "init": (0o100755, init.encode()), "modules/order": (0o100644, " ".join(loaded).encode()),
        **{f"modules/{name}": (0o100644, data) for name, data in loaded.items()},
    })


@dataclass
class Machine:
    """Its serial console."""

    process: subprocess.Popen[bytes]
    log: bytearray = field(default_factory=bytearray)
    read: int = 0

    def wait_for(self, pattern: str, seconds: float = PATIENCE_SECONDS) -> re.Match[str]:
        """Reads on until the console has said something that matches."""
        end = time.monotonic() + seconds
        output = self.process.stdout
        assert output is not None
        while True:
            # Without what moves the cursor.
            text = re.sub(r"\x1b\[[?0-9;]*[A-Za-z]|\r", "", bytes(self.log[self.read:]).decode(errors="replace"))
            if found := re.search(pattern, text):
                self.read = len(self.log)
                return found
            left = end - time.monotonic()
            ready = select.select([output], [], [], max(0, left))[0]
            piece = os.read(output.fileno(), 65536) if ready else b""
            assert piece, f"“{pattern}” did not come:\n{text[-4000:]}"
            self.log += piece

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def run(self, command: str, answers: dict[str, str] | None = None, status: int = 0) -> str:
        """Types a command, and what it asks for; returns all it said."""
        self.type(f'{command}; echo "ended with" $?.')
        said = ""
        for question, answer in (answers or {}).items():
            said += self.wait_for(rf"(?s).*{question}")[0]
            self.type(answer)
        found = self.wait_for(r"(?s)(.*)ended with (\d+)\.")
        said += found[1]
        assert int(found[2]) == status, f"{command} ended with {found[2]}:\n{said}"
        return said

    def wait_for_end(self) -> None:
        self.process.wait(PATIENCE_SECONDS)


@contextmanager
def started(*disks: Path, options: tuple[object, ...] = (), memory_mib: int = 1024) -> Iterator[Machine]:
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-m", str(memory_mib), "-nodefaults", "-no-reboot",
               "-display", "none", "-serial", "stdio", "-device", "virtio-scsi-pci", *map(str, options)]
    for number, disk in enumerate(disks):
        command += ["-drive", f"if=none,id=disk{number},format=raw,file={disk}", "-device", f"scsi-hd,drive=disk{number},lun={number}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield Machine(process)
    finally:
        process.kill()
        process.wait()
