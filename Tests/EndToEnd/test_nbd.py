"""Exports of NBD servers as sources."""

import os
import shutil
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from support.disks import Disk, Part
from support.file_systems import NTFS, ext
from support.images import MIB, make_image, make_sparse, random_bytes
from support.inspector import inspect, with_free
from support.nbd import connect, nbdkit, running, storage_daemon, uri
from support.program import finish
from support.repository import Repository


def disk_file(image: Path, node: str = "disk") -> tuple[str, ...]:
    """Options of the storage daemon: a raw disk in a file."""
    return ("--blockdev", f"driver=file,node-name={node}-file,filename={image}", "--blockdev", f"driver=raw,node-name={node},file={node}-file")


def test_an_export_is_backed_up_and_what_is_not_allocated_is_not_read(repository: Repository, tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 200 * MIB, {3 * MIB: random_bytes(5 * MIB, 1), 170 * MIB + 4096: random_bytes(MIB, 2)})
    with storage_daemon(tmp_path, *disk_file(image), "--export", "type=nbd,id=disk,node-name=disk"):
        source = uri(tmp_path / "nbd.sock", "disk")
        first = repository.backup(source)
        counters = first["snapshot"]["counters"]
        assert 6 * MIB <= counters["read_byte_count"] <= 7 * MIB and counters["image_byte_count"] == 200 * MIB
        second = repository.backup(source)
        assert second["snapshot"]["counters"]["new_byte_count"] == 0 and second["snapshot"]["parent"] == first["snapshot"]["id"]
    (shown,) = repository.run("show", "latest", "--json").require(0).of_type("snapshot")
    assert shown["manifest"]["images"][0]["source"] == {"kind": "nbd", "path": source, "serial_number": None, "world_wide_name": None, "model": None}
    repository.require_equal("latest", image, tmp_path / "back.img")
    repository.require_clean()


@pytest.mark.root
def test_a_disk_of_an_export_is_looked_into(repository: Repository, tmp_path: Path) -> None:
    """Its partitions are volumes, and what was deleted in them is neither read nor stored."""
    parts = {1: Part(ext("ext4", byte_count=60 * MIB), is_in_use=True), 2: Part(replace(NTFS[0], byte_count=50 * MIB))}
    disk = Disk("disk", 160 * MIB, "label: gpt\nsize=60M, name=one\nsize=50M, name=two\n", parts)
    image = disk.build(tmp_path)
    answer = inspect(image)
    used = disk.byte_count - sum(volume.free_byte_count for volume in answer.volumes)
    assert used < 0.8 * disk.byte_count
    with storage_daemon(tmp_path, *disk_file(image), "--export", "type=nbd,id=disk,node-name=disk"):
        outcome = repository.run("backup", "--json", "--image-name", "disk", uri(tmp_path / "nbd.sock", "disk")).require(0)
        assert outcome.errors == ""
        read = outcome.of_type("summary")[0]["snapshot"]["counters"]["read_byte_count"]
        assert read <= used * 1.01 + MIB
        everything = repository.backup("--all-blocks", "--image-name", "whole", uri(tmp_path / "nbd.sock", "disk"))
        assert everything["snapshot"]["counters"]["read_byte_count"] > used * 1.1
    # A file's image pairs with it, volume by volume.
    again = repository.backup("--image-name", "disk", image)
    assert again["snapshot"]["counters"]["new_byte_count"] == 0
    data = image.read_bytes()
    for name in ("latest::disk", "latest::whole"):
        repository.run("restore", name, tmp_path / "back.img").require(0)
        assert (tmp_path / "back.img").read_bytes() == (data if "whole" in name else with_free(data, answer, bytes(len(data))))
        (tmp_path / "back.img").unlink()
    repository.run("restore", "latest::disk", "--partition", "one", tmp_path / "one.img").require(0)
    assert (tmp_path / "one.img").stat().st_size == 60 * MIB


def test_an_export_over_tcp_is_backed_up(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 20 * MIB + 512, 3)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with storage_daemon(tmp_path, *disk_file(image)) as monitor:
        monitor.command("nbd-server-stop")
        address = {"type": "inet", "data": {"host": "127.0.0.1", "port": str(port)}}
        monitor.command("nbd-server-start", addr=address)
        monitor.command("block-export-add", type="nbd", id="disk", node_name="disk", name="a disk")
        repository.run("backup", "--image-name", "disk", f"nbd://127.0.0.1:{port}/a%20disk").require(0)
    repository.require_equal("latest", image, tmp_path / "back.img")


# What a server may demand or not know: blocks, lengths of requests, extents, more than one connection.
SERVERS = {
    "blocks of 4 KiB": ("--filter=blocksize-policy", "file", "blocksize-minimum=4096", "blocksize-preferred=4096", "blocksize-maximum=65536", "blocksize-error-policy=error"),
    "no extents": ("--filter=noextents", "file"),
    "one connection": ("--filter=limit", "file", "limit=1"),
    "no more than the basics": ("--no-sr", "file"),
}


@pytest.mark.parametrize("kind", SERVERS)
def test_servers_of_all_kinds_are_understood(repository: Repository, tmp_path: Path, kind: str) -> None:
    image = make_sparse(tmp_path / "disk.img", 40 * MIB, {4 * MIB + 12_288: random_bytes(9 * MIB, 4)})
    with nbdkit(tmp_path / "nbd.sock", "--readonly", *SERVERS[kind], image):
        for _ in range(2):
            repository.run("backup", uri(tmp_path / "nbd.sock")).require(0)
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_a_server_that_serves_one_client_is_enough(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 20 * MIB, 11)
    with running("qemu-nbd", "--read-only", "--persistent", "--format", "raw", "--socket", tmp_path / "nbd.sock", image):
        while not (tmp_path / "nbd.sock").exists():
            time.sleep(0.02)
        repository.run("backup", uri(tmp_path / "nbd.sock")).require(0)
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_sectors_that_a_server_cannot_read_are_told(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 20 * MIB, 5)
    script = tmp_path / "disk.sh"
    # Sector 10000 is dead.
    script.write_text(f"""#!/bin/bash
    case $1 in
        get_size) stat -c %s {image} ;;
        pread) if [ $4 -le 5120000 ] && [ $(($4 + $3)) -gt 5120000 ]; then echo EIO dead sector >&2; exit 1; fi
               dd if={image} iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=1M status=none ;;
        *) exit 2 ;;
    esac""")
    script.chmod(0o755)
    with nbdkit(tmp_path / "nbd.sock", "sh", script):
        summary = repository.backup(uri(tmp_path / "nbd.sock"), status=3)
    assert [(value["offset"], value["byte_count"]) for value in summary["unreadable"]] == [(5_120_000, 512)]


def test_a_server_that_refuses_ends_the_backup_at_once(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 20 * MIB, 6)
    with nbdkit(tmp_path / "nbd.sock", "--filter=error", "file", image, "error-pread=EPERM", "error-rate=100%"):
        outcome = repository.run("backup", uri(tmp_path / "nbd.sock")).require(1)
    assert "read at byte 0 failed" in outcome.errors
    assert repository.snapshot_ids() == []


def test_a_connection_that_breaks_ends_the_backup_and_what_was_stored_is_kept(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 150 * MIB, 7)
    with nbdkit(tmp_path / "nbd.sock", "file", image) as server:
        process = repository.program.start(*repository.arguments("backup", "--limit-rate", "50MiB", "--json", uri(tmp_path / "nbd.sock")))
        time.sleep(2)
        os.killpg(server.pid, signal.SIGKILL)
        outcome = finish(process).require(1)
    assert "connection to the NBD server was lost" in outcome.errors
    assert repository.snapshot_ids() == []
    with nbdkit(tmp_path / "nbd-again.sock", "file", image):
        summary = repository.backup("--image-name", "disk", uri(tmp_path / "nbd-again.sock"))
    assert summary["snapshot"]["counters"]["new_byte_count"] < 120 * MIB
    repository.require_equal("latest", image, tmp_path / "back.img")
    repository.require_clean()


def test_a_server_may_take_its_time(repository: Repository, tmp_path: Path) -> None:
    """Also one that is asked through several connections."""
    image = make_image(tmp_path / "disk.img", 60 * MIB, 12)
    with running("qemu-nbd", "--read-only", "--persistent", "--shared", "8", "--format", "raw", "--socket", tmp_path / "nbd.sock", image) as server:
        connect(tmp_path / "nbd.sock").close()
        process = repository.program.start(*repository.arguments("backup", "--limit-rate", "15MiB", uri(tmp_path / "nbd.sock")))
        time.sleep(2)
        os.kill(server.pid, signal.SIGSTOP)
        time.sleep(5)
        os.kill(server.pid, signal.SIGCONT)
        finish(process).require(0)
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_a_server_that_is_not_there_is_told(repository: Repository, tmp_path: Path) -> None:
    outcome = repository.run("backup", uri(tmp_path / "nobody.sock")).require(1)
    assert "connect failed" in outcome.errors and "nobody.sock" in outcome.errors
    image = make_image(tmp_path / "disk.img", MIB, 8)
    with storage_daemon(tmp_path, *disk_file(image)):
        outcome = repository.run("backup", uri(tmp_path / "nbd.sock", "nothing")).require(1)
    assert "connect failed" in outcome.errors


def test_without_libnbd_everything_else_works(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB, 9)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "libnbd.so.0").write_bytes(b"no library")
    without = repository.using(repository.program.with_variables(LD_LIBRARY_PATH=str(broken)))
    without.run("backup", image).require(0)
    outcome = without.run("backup", uri(tmp_path / "nbd.sock")).require(1)
    assert "need libnbd" in outcome.errors and "libnbd0" in outcome.errors
    assert shutil.which("ldd") is None or "libnbd" not in os.popen(f"ldd {repository.program.binary}").read()
