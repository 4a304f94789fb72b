"""A dead machine comes back: the programs of Tests/rescue in systems where nothing is installed, by the commands of Specs/guides/bare-metal.md."""

import functools
import http.server
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.bootable import DISK_MIB, PROOF, make_bootable, make_data_disk
from support.comparing import folder_byte_count
from support.devices import run
from support.images import MIB, make_sparse, random_bytes
from support.machine import BARE_SHELL, FIRMWARE, Machine, initramfs, kernel, needs_machine, started
from support.program import Outcome, Program
from support.repository import Repository

PROJECT = Path(__file__).resolve().parents[2]
RESCUE = PROJECT / ".build/rescue"
GUIDE = PROJECT / "Specs/guides/bare-metal.md"
DISK = os.environ.get("HOLDFAST_DISK")
BOOT = os.environ.get("HOLDFAST_BOOT")
LIVE = os.environ.get("HOLDFAST_LIVE")
PASSWORD = "correct horse battery"
# In which this machine is 192.168.1.10.
NETWORK = ("-netdev", "user,id=net,net=192.168.1.0/24,host=192.168.1.10", "-device", "virtio-net-pci,netdev=net")

needs_rescue = pytest.mark.skipif(not (RESCUE / "holdfast").is_file(), reason="Tests/rescue has not made the programs for a rescue system")


def in_jail(jail: Path, *arguments: str, mount: str = "proc") -> Outcome:
    """Runs the program where nothing is but itself, without a variable of the environment; with /proc, if that is to be mounted."""
    into = [f"--mount-proc={jail}/proc"] if mount else []
    command = ["unshare", "--mount", "--pid", "--fork", *into, "chroot", str(jail), "/holdfast", *arguments]
    done = subprocess.run(command, capture_output=True, env={"PATH": os.environ["PATH"]}, timeout=120)
    return Outcome(command, done.returncode, done.stdout, done.stderr.decode(errors="replace"))


@pytest.fixture
def jail(tmp_path: Path) -> Path:
    folder = tmp_path / "jail"
    for name in ("proc", "dev"):
        (folder / name).mkdir(parents=True)
    (folder / "dev/null").touch()
    run("cp", RESCUE / "holdfast", RESCUE / "holdfast-inspect", folder)
    return folder


@needs_rescue
@pytest.mark.root
def test_they_need_no_library_and_no_file_of_the_system(jail: Path) -> None:
    run("truncate", "-s", 48 * MIB, jail / "disk.img")
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", GUIDE.parent, jail / "disk.img")
    opening = ["-r", "/repository", "--key-file", "/full.key"]
    in_jail(jail, "init", *opening, "--recovery-file", "/recovery", "--no-recovery-print").require(0)
    backup = in_jail(jail, "backup", *opening, "/disk.img").require(0)
    # The inspector looked into it: else a warning said that it did not.
    assert backup.errors.count("warning") == 1 and "home folder" in backup.errors
    assert "ext4" in in_jail(jail, "show", *opening, "latest").require(0).output
    in_jail(jail, "restore", *opening, "--verify", "latest", "/restored.img").require(0)
    in_jail(jail, "check", *opening, "--read-data").require(0)
    assert run("e2fsck", "-fn", jail / "restored.img")
    print("bytes:", {name: (RESCUE / name).stat().st_size for name in ("holdfast", "holdfast-inspect")})


@needs_rescue
@pytest.mark.root
def test_without_proc_it_says_what_to_do(jail: Path) -> None:
    outcome = in_jail(jail, "snapshots", mount="").require(1)
    assert outcome.output == "" and "mount -t proc proc /proc" in outcome.errors


@needs_rescue
def test_the_inspector_gives_up_its_rights_with_other_libraries_too() -> None:
    with open("/dev/zero", "rb") as source:
        done = subprocess.run([RESCUE / "holdfast-inspect", "--descriptor", "0", "--self-test"], stdin=source, capture_output=True, text=True)
    assert done.returncode == 0 and "open: error 13" in done.stdout and "socket: error 1" in done.stdout


def commands() -> list[str]:
    """What the guide has typed at the console."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return [line.removeprefix("# ") for block in blocks for line in block.splitlines()]


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """A web server on this machine; its port."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def bare_shell(folder: Path, *disks: Path) -> Iterator[Machine]:
    """The least there is: 512 MiB of memory, a processor without AES and AVX, a static shell, and no file besides."""
    (folder / "initrd").write_bytes(initramfs(BARE_SHELL))
    boot = ("-kernel", kernel(), "-initrd", folder / "initrd", "-append", "console=ttyS0 quiet panic=-1")
    with started(*disks, options=(*boot, *NETWORK), memory_mib=512) as machine:
        machine.wait_for("# ")
        yield machine


@contextmanager
def live_system(*disks: Path) -> Iterator[Machine]:
    """What support/make-live made."""
    folder = Path(str(LIVE))
    boot = ("-kernel", folder / "vmlinuz", "-initrd", folder / "initrd.img", "-append", "boot=live console=ttyS0 quiet panic=-1",
            "-drive", f"if=virtio,format=raw,readonly=on,file={folder / 'medium.img'}")
    with started(*disks, options=(*boot, *NETWORK)) as machine:
        machine.wait_for("root@.*# ")
        yield machine


class Guide:
    """Somebody who follows it, at a machine that has names of its own for disks and network."""

    def __init__(self, machine: Machine, port: int) -> None:
        self.machine, self.port = machine, port
        # The new disk has no partition yet, the other one has; the kernel finds them in any order.
        partitions = machine.run("until grep -o 'sd[ab]1' /proc/partitions; do sleep 1; done")
        self.names = {"sda": "sdb", "sdb": "sda"} if "\nsda1" in partitions else {"sda": "sda", "sdb": "sdb"}
        [self.names["eth0"]] = re.findall(r"^e\w+", machine.run("ls /sys/class/net"), re.MULTILINE)
        self.said: dict[str, str] = {}

    def translated(self, command: str) -> str:
        command = re.sub("sd[ab]|eth0", lambda name: self.names[name[0]], command)
        return command.replace("http://192.168.1.10/", f"http://192.168.1.10:{self.port}/")

    def run(self, command: str, answers: dict[str, str] | None = None, status: int = 0) -> str:
        return self.machine.run(self.translated(command), answers, status)

    def follow(self) -> None:
        """Types all of it, and sees that the commands did what the guide has them for."""
        said = {command: self.run(command) for command in commands()}
        [dry_run] = [text for command, text in said.items() if "--dry-run" in command]
        [restore] = [text for command, text in said.items() if "--verify" in command]
        assert "everything on it will be lost" in dry_run and "partition table is written anew" in dry_run
        assert "read back and equal" in restore
        assert re.search(self.names["sda"] + "2", said["cat /proc/partitions"])

    def power_off(self) -> None:
        self.machine.type("poweroff -f")
        self.machine.wait_for_end()


def carried_disk(files: Path, disk: Path) -> Path:
    return make_data_disk(disk, files, folder_byte_count(files) * 11 // 10 // MIB + 40)


@needs_rescue
@needs_machine
def test_a_dead_machine_comes_back_by_the_commands_of_the_guide(holdfast: Program, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    repository = Repository.create(holdfast, files / "repository", files / "full.key")
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    repository.run("key", "add", "--role", "full", "--new-password-file", tmp_path / "password").require(0)
    repository.run("backup", make_bootable(tmp_path / "source.img", tmp_path / "parts")).require(0)
    carried = carried_disk(files, tmp_path / "carried.img")
    # The new disk is larger, and was used before.
    target = make_sparse(tmp_path / "target.img", (DISK_MIB + 50) * MIB, {60 * MIB: random_bytes(20 * MIB, 7)})
    with served(RESCUE) as port, bare_shell(tmp_path, target, carried) as machine:
        guide = Guide(machine, port)
        guide.follow()
        guide.run("mount -o ro /dev/sdb1 /mnt && mount -o ro /dev/sda2 /tmp/root")
        # Whoever has no key file types the password; and a disk in use is not overwritten.
        again = "env -u HOLDFAST_KEY_FILE ./holdfast restore --yes latest /dev/sda"
        assert "it is in use" in guide.run(again, {"Password": PASSWORD}, status=1)
        guide.run("umount /tmp/root && dd if=/dev/zero of=/tmp/full bs=1M count=170")
        assert "use a key file" in guide.run("env -u HOLDFAST_KEY_FILE ./holdfast snapshots", {"Password": PASSWORD}, status=1)
        guide.run("./holdfast snapshots")
        guide.power_off()
    run("sfdisk", "--verify", target)
    with started(target, options=("-drive", f"if=pflash,format=raw,readonly=on,file={FIRMWARE}")) as machine:
        machine.wait_for(PROOF)


@needs_rescue
@needs_machine
@pytest.mark.skipif(None in (DISK, BOOT, LIVE), reason="HOLDFAST_DISK, HOLDFAST_BOOT and HOLDFAST_LIVE do not name a bootable disk, what boots it, and a live system")
def test_a_whole_debian_comes_back_from_a_debian_live_system(holdfast: Program, tmp_path: Path) -> None:
    source, files = Path(str(DISK)), tmp_path / "files"
    files.mkdir()
    Repository.create(holdfast, files / "repository", files / "full.key").run("backup", source).require(0)
    target = make_sparse(tmp_path / "target.img", source.stat().st_size + 512 * MIB, {})
    with served(RESCUE) as port, live_system(target, carried_disk(files, tmp_path / "carried.img")) as machine:
        guide = Guide(machine, port)
        guide.follow()
        guide.power_off()
    booted = subprocess.run([*shlex.split(str(BOOT)), str(target)], capture_output=True, text=True, timeout=600)
    assert booted.returncode == 0, (booted.stdout + booted.stderr)[-4000:]
    print(booted.stdout[-300:])
