"""Disks of QEMU that somebody writes to, and snapshots of them, as Specs/guides/changed-blocks.md has them."""

import json
import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.devices import run
from support.nbd import Monitor, running, uri

KIB = 1024
GRAIN = 64 * KIB


class Machine:
    """The storage daemon with a disk `disk`, which writers see as the export `guest` and backups as the export `vm`."""

    def __init__(self, monitor: Monitor, folder: Path, image: Path) -> None:
        self.qmp = monitor.command
        self.folder = folder
        self.byte_count = image.stat().st_size
        self.qmp("blockdev-add", driver="raw", node_name="disk", discard="unmap", file={"driver": "file", "filename": str(image), "discard": "unmap"})
        # What the machine has as its disk; a filter is put below it while a backup runs.
        self.qmp("blockdev-add", driver="raw", node_name="top", discard="unmap", file="disk")
        self.start()

    def start(self) -> None:
        self.qmp("block-export-add", type="nbd", id="guest", node_name="top", name="guest", writable=True)

    def use(self, node: str) -> None:
        """Lets what is written go through another node."""
        self.qmp("blockdev-reopen", options=[{"driver": "raw", "node-name": "top", "discard": "unmap", "file": node}])

    def resize(self, byte_count: int) -> None:
        self.qmp("block-export-del", id="guest", mode="hard")
        self.wait_for_end("guest")
        self.qmp("block_resize", node_name="top", size=byte_count)
        self.byte_count = byte_count
        self.start()

    @property
    def source(self) -> str:
        return uri(self.folder / "nbd.sock", "vm")

    def guest(self, *commands: str) -> None:
        """Lets the machine do something with its disk: commands of qemu-io."""
        words = [word for command in commands for word in ("-c", command)]
        run("qemu-io", "-f", "raw", "-d", "unmap", *words, uri(self.folder / "nbd.sock", "guest"))

    @contextmanager
    def writing(self, seed: int, places: range) -> Iterator[None]:
        """Writes at random places as long as it is entered, 16 KiB at a time."""
        generator = random.Random(seed)
        is_over = threading.Event()

        def write() -> None:
            while not is_over.is_set():
                self.guest(*(f"write -P {generator.randrange(1, 255)} {generator.choice(places)} 16k" for _ in range(8)))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            yield
        finally:
            is_over.set()
            writer.join()

    @contextmanager
    def snapshot(self, since: str | None, begun: str, *, breaks: bool = False) -> Iterator[None]:
        """Exports the disk as it is now, with the bitmap `since`; from now on the bitmap `begun` notes writes. If it `breaks`, its scratch file takes nothing."""
        # The new bitmap begins before the snapshot and the old one ends behind it: what both note is read once more, and nothing is missed.
        self.qmp("block-dirty-bitmap-add", node="disk", name=begun, granularity=GRAIN)
        scratch = self.folder / "scratch.qcow2"
        run("qemu-img", "create", "-q", "-f", "qcow2", scratch, self.byte_count)
        file: dict[str, Any] = {"driver": "file", "filename": str(scratch)}
        if breaks:
            file = {"driver": "blkdebug", "image": file, "inject-error": [{"event": "none", "iotype": "write", "errno": 28}]}
        self.qmp("blockdev-add", driver="qcow2", node_name="scratch", file=file)
        self.qmp(
            "blockdev-add", driver="copy-before-write", node_name="cbw", file="disk", target="scratch", on_cbw_error="break-snapshot",
            cbw_timeout=45)
        self.use("cbw")
        known = since is not None and since in self.bitmaps()
        if known:
            self.qmp("block-dirty-bitmap-disable", node="disk", name=since)
        self.qmp("blockdev-add", driver="snapshot-access", node_name="access", file="cbw")
        bitmaps = [{"node": "disk", "name": since}] if known else []
        self.qmp("block-export-add", type="nbd", id="vm", node_name="access", name="vm", bitmaps=bitmaps)
        try:
            yield
        finally:
            self.qmp("block-export-del", id="vm", mode="hard")
            self.wait_for_end("vm")
            self.qmp("blockdev-del", node_name="access")
            self.use("disk")
            self.qmp("blockdev-del", node_name="cbw")
            self.qmp("blockdev-del", node_name="scratch")

    def keep(self, since: str) -> None:
        """After a backup that succeeded: the old bitmap is of no more use."""
        self.qmp("block-dirty-bitmap-remove", node="disk", name=since)

    def undo(self, since: str, begun: str) -> None:
        """After one that failed: the old bitmap goes on."""
        self.qmp("block-dirty-bitmap-enable", node="disk", name=since)
        self.qmp("block-dirty-bitmap-merge", node="disk", target=since, bitmaps=[begun])
        self.qmp("block-dirty-bitmap-remove", node="disk", name=begun)

    def bitmaps(self) -> list[str]:
        (disk,) = [node for node in self.qmp("query-named-block-nodes", flat=True) if node["node-name"] == "disk"]
        # The filter has one without a name.
        return [bitmap["name"] for bitmap in disk.get("dirty-bitmaps", []) if "name" in bitmap]

    def wait_for_end(self, export: str) -> None:
        while any(value["id"] == export for value in self.qmp("query-block-exports")):
            pass

    def dirty_byte_count(self, bitmap: str) -> int:
        """What an exported bitmap names, as qemu-img reads it."""
        options = f"driver=nbd,server.type=unix,server.path={self.folder / 'nbd.sock'},export=vm,x-dirty-bitmap=qemu:dirty-bitmap:{bitmap}"
        extents: list[dict[str, Any]] = json.loads(run("qemu-img", "map", "--output=json", "--image-opts", options))
        # Shown as what is not allocated.
        return sum(extent["length"] for extent in extents if not extent["data"])

    def copy(self, path: Path) -> Path:
        """All bytes of the export, read without the program."""
        run("qemu-img", "convert", "-f", "raw", "-O", "raw", self.source, path)
        return path


# Writes 4 KiB again and again, each time 1 MiB + 36 KiB further in the 64 MiB that begin at 32 MiB, with a number that grows at their beginning.
GUEST = """
    .code16
    .globl _start
_start:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
again:
    incl 0x8000
    movl place, %eax
    addl $2120, %eax
    andl $0x1ffff, %eax
    movl %eax, place
    addl $0x10000, %eax
    movl %eax, address
    movw $packet, %si
    movw $0x4300, %ax
    movb $0x80, %dl
    int $0x13
    jmp again
place:
    .long 0
packet:
    .byte 16, 0
    .word 8, 0x8000, 0
address:
    .long 0, 0
    .org 510
    .word 0xaa55
"""


def boot_sector(folder: Path) -> bytes:
    source, made, binary = folder / "guest.s", folder / "guest.o", folder / "guest.bin"
    source.write_text(GUEST)
    run("as", "--32", "-o", made, source)
    run("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", binary, made)
    return binary.read_bytes()


class EmulatedMachine(Machine):
    """A whole machine, whose guest writes to its disk without a pause."""

    def __init__(self, monitor: Monitor, folder: Path, image: Path) -> None:
        self.qmp = monitor.command
        self.folder = folder
        self.byte_count = image.stat().st_size
        self.qmp("nbd-server-start", addr={"type": "unix", "data": {"path": str(folder / "nbd.sock")}})

    def use(self, node: str) -> None:
        self.qmp("qom-set", path="/machine/peripheral/drive0", property="drive", value=node)


@contextmanager
def emulated_machine(folder: Path, image: Path, *options: object) -> Iterator[EmulatedMachine]:
    """Boots an image by BIOS, unless the options say otherwise, without acceleration, which no test may rely on."""
    command = [
        "qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-nodefaults", "-display", "none",
        "-blockdev", f"driver=raw,node-name=disk,file.driver=file,file.filename={image}",
        "-device", "virtio-blk-pci,id=drive0,drive=disk,bootindex=0", "-qmp", f"unix:{folder / 'qmp.sock'},server=on,wait=off",
        *map(str, options),
    ]
    with running(*command):
        monitor = Monitor(folder / "qmp.sock")
        try:
            yield EmulatedMachine(monitor, folder, image)
        finally:
            monitor.close()
