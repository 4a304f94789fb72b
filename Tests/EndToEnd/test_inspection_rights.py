"""The inspector can do nothing but read what it was given, and answer."""

import os
import re
import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, run
from support.freezing import wait_for
from support.images import MIB, make_image, make_sparse
from support.inspector import attempt, inspect, inspector_binary, start


def test_it_can_open_connect_and_start_nothing(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", MIB, {})
    done = attempt(image, "--self-test")
    lines = dict(line.split(": ") for line in done.output.decode().splitlines())
    assert done.status == 0, done
    denied = {"open": 13, "create": 13, "stat": 13, "socket": 1, "exec": 1, "fork": 1, "kill": 1, "write to the source": 1, "executable memory": 1, "trace": 1, "duplicate": 1, "another descriptor": 9}
    assert lines == {name: f"error {error}" for name, error in denied.items()}


def test_no_byte_is_read_before_the_rights_are_gone(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", MIB, {510: b"\x55\xaa"})
    trace = tmp_path / "trace"
    with image.open("rb") as file:
        command = ["strace", "-f", "-y", "-o", trace, inspector_binary(), "--descriptor", str(file.fileno())]
        subprocess.run(command, pass_fds=[file.fileno()], check=True, stdout=subprocess.DEVNULL)
    lines = trace.read_text().splitlines()
    sealed = next(number for number, line in enumerate(lines) if "SECCOMP_MODE_FILTER" in line)
    reads = [number for number, line in enumerate(lines) if re.search(r"\b(read|pread64|mmap)\(", line) and f"<{image}>" in line]
    assert reads and min(reads) > sealed
    # Nothing is even asked for that the filter denies: libraries find all they need.
    assert [line for line in lines[sealed:] if "= -1 E" in line and "ioctl" not in line] == []


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", MIB, {510: b"\x55\xaa"})
    # Nothing that it asks for is ever answered.
    reading, writing = os.pipe()
    try:
        script = f"{inspector_binary()} --descriptor 3 --served <&{reading} 3<{image} >{tmp_path}/output & echo $!; wait"
        with subprocess.Popen(["bash", "-c", script], pass_fds=[reading], stdout=subprocess.PIPE) as parent:
            assert parent.stdout
            status = Path(f"/proc/{int(parent.stdout.readline())}/status")
            wait_for(lambda: "Seccomp:\t2" in status.read_text() and (tmp_path / "output").stat().st_size > 0)
            parent.kill()
        wait_for(lambda: not status.exists() or "State:\tZ" in status.read_text(), 10)
    finally:
        os.close(reading)
        os.close(writing)


def test_other_descriptors_do_not_reach_it(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", MIB, {})
    ours, theirs = socket.socketpair()
    with ours, theirs, image.open("rb") as file:
        command = [inspector_binary(), "--descriptor", str(file.fileno()), "--self-test"]
        done = subprocess.run(command, pass_fds=[file.fileno(), theirs.fileno()], stdin=file, stdout=subprocess.PIPE)
    assert done.returncode == 0 and b"another descriptor: error 9" in done.stdout


@pytest.mark.parametrize("options", [["--sector-size", "520"], ["--nonsense"], ["--cpu-seconds"], ["--cpu-seconds", "0"], ["--memory-mib", "1"], ["--descriptor", "x"]])
def test_wrong_arguments_are_refused(tmp_path: Path, options: list[str]) -> None:
    image = make_sparse(tmp_path / "disk.img", MIB, {})
    done = attempt(image, *options)
    assert done.status == 64 and done.output == b"" and done.errors.count("\n") == 1


def test_what_is_no_disk_is_refused(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    try:
        assert start(reading).status == 74
    finally:
        os.close(reading)
        os.close(writing)
    assert attempt(make_sparse(tmp_path / "disk.img", MIB, {}), "--byte-count", MIB + 1).status == 74


def test_an_answer_that_nobody_takes_is_a_failure(tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", MIB, {})
    with image.open("rb") as file, open("/dev/full", "wb") as full:
        done = subprocess.run([inspector_binary(), "--descriptor", str(file.fileno())], pass_fds=[file.fileno()], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 74 and done.stderr.count(b"\n") == 1


@pytest.mark.root
def test_a_block_device_is_read_like_a_file(tmp_path: Path, cleanup: ExitStack) -> None:
    image = make_image(tmp_path / "disk.img", 8 * MIB)
    run("mkfs.ext4", "-q", "-F", image)
    device = cleanup.enter_context(loop_device(image))
    answer = inspect(device)
    assert answer.volumes == inspect(image).volumes and answer.volumes[0].type == "ext4"
