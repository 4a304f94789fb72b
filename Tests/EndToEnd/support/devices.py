"""Loop devices and mounts. Both are context managers, so that nothing stays behind."""

import errno
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
    return done.stdout


@contextmanager
def loop_device(backing: Path, sector_byte_count: int = 512) -> Iterator[Path]:
    device = run("losetup", "--find", "--show", "--sector-size", sector_byte_count, backing).strip()
    try:
        yield Path(device)
    finally:
        run("losetup", "--detach", device)


@contextmanager
def mounted(source: object, folder: Path, *options: str) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    run("mount", *options, source, folder)
    try:
        yield folder
    finally:
        unmount(folder)


def unmount(folder: Path) -> None:
    """Unmounts, and waits until the kernel has let go of the device: a mount namespace that another test makes meanwhile begins with a copy of all mounts, and until it
    has gone the file system is neither written out nor free to be mounted another way."""
    source = [source for place, source in mounts() if place == str(folder)][-1]
    backing = backing_file(source)
    deadline = time.monotonic() + 60
    # Whoever looks through the table of mounts at this moment, as other tests do, makes it busy.
    while "busy" in (done := subprocess.run(["umount", folder], capture_output=True, text=True)).stderr and time.monotonic() < deadline:
        time.sleep(0.02)
    assert done.returncode == 0, f"umount {folder} ended with {done.returncode}: {done.stderr}"
    while backing_file(source) == backing if backing else is_held(source):
        assert time.monotonic() < deadline, f"{source} is still held, though {folder} is unmounted"
        time.sleep(0.02)


def mounts() -> list[tuple[str, str]]:
    """Places and sources of what is mounted in this process's namespace."""
    lines = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [(left.split()[4], right.split()[1]) for left, right in lines]


def backing_file(source: str) -> str:
    """Of a loop device that goes with its last user: what belongs to it until then. Empty for all else."""
    loop = Path("/sys/block") / Path(source).name / "loop"
    try:
        return (loop / "backing_file").read_text() if (loop / "autoclear").read_text().strip() == "1" else ""
    except OSError:
        return ""


def is_held(source: str) -> bool:
    """Whether a file system holds a device that is mounted nowhere here."""
    if not source.startswith("/dev/") or any(other == source for _, other in mounts()):
        return False
    try:
        os.close(os.open(source, os.O_RDONLY | os.O_EXCL))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


@contextmanager
def nbd_device(folder: Path, *arguments: object) -> Iterator[Path]:
    """A read-only device that nbdkit makes with these arguments: its plugins and filters give read errors to order."""
    folder.mkdir()
    server = subprocess.Popen(["nbdfuse", "-r", folder / "disk", "--command", "nbdkit", "-s", "--exit-with-parent", *map(str, arguments)], stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if (folder / "disk").exists() or server.poll() is not None:
                break
            time.sleep(0.05)
        with loop_device(folder / "disk") as device:
            yield device
    finally:
        subprocess.run(["umount", folder], capture_output=True)
        server.wait(timeout=30)


@contextmanager
def small_ext4(backing: Path, byte_count: int, folder: Path) -> Iterator[Path]:
    """A file system of `byte_count` on a loop device, mounted at `folder`."""
    with backing.open("wb") as file:
        file.truncate(byte_count)
    run("mkfs.ext4", "-q", "-m", "0", "-F", backing)
    with loop_device(backing) as device, mounted(device, folder):
        yield folder


@contextmanager
def small_tmpfs(byte_count: int, folder: Path) -> Iterator[Path]:
    with mounted("tmpfs", folder, "-t", "tmpfs", "-o", f"size={byte_count}"):
        yield folder


def fill(folder: Path, left_byte_count: int = 0) -> Path:
    """Writes a file of junk until no more fits, then gives `left_byte_count` back."""
    junk = folder / "junk"
    with junk.open("wb", buffering=0) as file:
        for piece in (1 << 20, 1 << 12):
            try:
                while file.write(bytes(piece)) == piece:
                    pass
            except OSError:
                continue
        if left_byte_count:
            file.truncate(file.tell() - left_byte_count)
    return junk
