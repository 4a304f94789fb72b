"""NBD servers: QEMU's storage daemon, spoken to by QMP, and nbdkit."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 30


class Monitor:
    """A QMP connection."""

    def __init__(self, path: Path) -> None:
        self.socket = connect(path)
        self.file = self.socket.makefile("rw")
        assert "QMP" in json.loads(self.file.readline())
        self.command("qmp_capabilities")

    def command(self, name: str, /, **arguments: Any) -> Any:
        """Runs a command; in its arguments `_` stands for `-`."""
        named = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.file.write(json.dumps({"execute": name, "arguments": named}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer:
                return answer["return"]
            assert "error" not in answer, f"{name} {named}: {answer['error']}"

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def connect(path: Path) -> socket.socket:
    """Waits until somebody listens."""
    end = time.monotonic() + SECONDS
    while True:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
            return client
        except OSError:
            client.close()
            assert time.monotonic() < end, f"nobody listens at {path}"
            time.sleep(0.02)


def uri(path: Path, export: str = "") -> str:
    return f"nbd+unix:///{export}?socket={path}"


@contextmanager
def running(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    """A server that ends with the test, however that ends."""
    process = subprocess.Popen([str(word) for word in command], start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def storage_daemon(folder: Path, *options: object) -> Iterator[Monitor]:
    """QEMU's storage daemon, with a monitor at `qmp.sock` and an NBD server at `nbd.sock` of `folder`."""
    monitor, server = folder / "qmp.sock", folder / "nbd.sock"
    command = [
        "qemu-storage-daemon", "--chardev", f"socket,path={monitor},server=on,wait=off,id=qmp", "--monitor", "chardev=qmp",
        "--nbd-server", f"addr.type=unix,addr.path={server}", *options,
    ]
    with running(*command):
        client = Monitor(monitor)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def nbdkit(path: Path, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """nbdkit with a plugin and its arguments, at a socket."""
    with running("nbdkit", "--foreground", "--unix", path, *arguments) as process:
        connect(path).close()
        yield process
