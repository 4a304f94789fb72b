"""File systems that are frozen: thawed whatever a test does, and asked whether they are."""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support.devices import loop_device, run
from support.images import MIB

# linux/fs.h
FREEZE, THAW = 0xC0045877, 0xC0045878


def control(folder: Path, request: int) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, request, 0)
    finally:
        os.close(descriptor)


def freeze(folder: Path) -> None:
    control(folder, FREEZE)


def thaw(folder: Path) -> bool:
    """Whether it was frozen."""
    try:
        control(folder, THAW)
        return True
    except OSError:
        return False


@contextmanager
def volume(backing: Path, folder: Path, type_name: str = "ext4", byte_count: int = 320 * MIB) -> Iterator[tuple[Path, Path]]:
    """A loop device with a file system, and where it is mounted. It is thawed before it is unmounted, at all events."""
    with backing.open("wb") as file:
        file.truncate(byte_count)
    run(f"mkfs.{type_name}", *(["-q", "-F"] if type_name == "ext4" else ["-q", "-f"]), backing)
    folder.mkdir(exist_ok=True)
    with loop_device(backing) as device:
        run("mount", device, folder)
        try:
            yield device, folder
        finally:
            thaw(folder)
            # Who waited to write may need a moment.
            wait_for(lambda: subprocess.run(["umount", folder], capture_output=True).returncode == 0, 20)


def is_written(folder: Path, seconds: float) -> bool:
    """Whether a file can be made there in such a time. One that cannot is made when the file system is thawed."""
    process = subprocess.Popen(["touch", folder / f"touched-{time.monotonic_ns()}"])
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def wait_until_frozen(folder: Path) -> None:
    wait_for(lambda: not is_written(folder, 0.4))


def guardians(folder: Path) -> list[int]:
    """Processes that keep the file system mounted there frozen."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "cmdline").read_bytes().split(b"\0")
            if words[1:2] == [b"--freeze-guardian"] and words[3] == bytes(folder):
                found.append(int(place.name))
        except OSError:
            continue
    return found


@contextmanager
def writer(folder: Path) -> Iterator[Callable[[], int]]:
    """Somebody who makes, renames and removes files without a pause. Yields how many were made so far."""
    script = """
i=0
while :; do
  i=$((i + 1)); head -c $((i % 50 * 3000 + 1)) /dev/urandom > new; mv new "file $((i % 40))"; rm -f "file $((i * 7 % 40))"; echo $i > count.new; mv count.new count
done"""
    process = subprocess.Popen(["sh", "-c", script], cwd=folder, start_new_session=True)
    try:
        yield lambda: int((folder / "count").read_text()) if (folder / "count").exists() else 0
    finally:
        thaw(folder)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
