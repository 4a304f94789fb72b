"""Disks that are written to are backed up by what a dirty bitmap of QEMU says, as Specs/guides/changed-blocks.md tells."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.images import MIB, make_image
from support.nbd import storage_daemon
from support.qemu import KIB, Machine, boot_sector, emulated_machine
from support.repository import Repository

SIZE = 256 * MIB
DATA = 160 * MIB


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    image = make_image(tmp_path / "disk.img", DATA, 21)
    with image.open("r+b") as file:
        file.truncate(SIZE)
    with storage_daemon(tmp_path) as monitor:
        yield Machine(monitor, tmp_path, image)


def backup(repository: Repository, machine: Machine, *options: object) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The summary, what became of the change map, and warnings."""
    outcome = repository.run("backup", "--json", "--image-name", "vm", *options, machine.source).require(0)
    (summary,) = outcome.of_type("summary")
    (use,) = summary["change_maps"]
    return summary, use, outcome.errors


def begin(repository: Repository, machine: Machine) -> None:
    with machine.snapshot(None, "b1"):
        summary, use, errors = backup(repository, machine, "--next-bitmap", "b1")
    assert use["outcome"] == "unused" and errors == ""
    assert DATA <= summary["snapshot"]["counters"]["read_byte_count"] <= DATA + MIB


def test_a_disk_in_use_is_backed_up_by_what_changed(repository: Repository, machine: Machine, tmp_path: Path) -> None:
    begin(repository, machine)
    for number in range(3):
        since, begun = f"b{number + 1}", f"b{number + 2}"
        machine.guest(*(f"write -P {17 + number} {(place * 37 + number) % 150}M 64k" for place in range(20)), f"discard {20 + number * 10}M 3M")
        with machine.writing(number, range(100 * MIB, 130 * MIB, 64 * KIB)), machine.snapshot(since, begun):
            truth = machine.copy(tmp_path / "truth.img")
            dirty = machine.dirty_byte_count(since)
            summary, use, errors = backup(repository, machine, "--dirty-bitmap", since, "--next-bitmap", begun)
            # The export stays as it was whatever is written meanwhile.
            assert truth.read_bytes() == machine.copy(tmp_path / "later.img").read_bytes()
        machine.keep(since)
        counters = summary["snapshot"]["counters"]
        changed_reads = counters["read_byte_count"] - use["audited_byte_count"]
        print(f"\n{dirty / MIB:.2f} MiB named, of them and around them {changed_reads / MIB:.2f} MiB read; {use['audited_byte_count'] / MIB:.2f} MiB audited")
        assert use["outcome"] == "used" and errors == ""
        assert changed_reads <= 2 * dirty
        # At least the first 4 MiB and the last one, where they hold something; as a rule 1 % of the rest.
        assert use["audited_byte_count"] <= 5 * MIB + 0.06 * DATA
        assert use["taken_byte_count"] >= 0.5 * SIZE
        repository.require_equal("latest", truth, tmp_path / "back.img")
    shown = repository.run("show", "latest").require(0).output
    assert "changes are told by qemu-bitmap “vm” since “b4”" in shown and "taken over" in shown
    repository.require_clean()


def test_a_bitmap_that_missed_writes_is_found_out(repository: Repository, machine: Machine, tmp_path: Path) -> None:
    begin(repository, machine)
    machine.guest("write -P 7 1M 64k", "write -P 8 90M 64k")
    # Somebody else takes the bitmap for his own.
    machine.qmp("block-dirty-bitmap-clear", node="disk", name="b1")
    machine.guest("write -P 9 50M 64k")
    with machine.snapshot("b1", "b2"):
        truth = machine.copy(tmp_path / "truth.img")
        summary, use, errors = backup(repository, machine, "--dirty-bitmap", "b1", "--next-bitmap", "b2")
    assert use["outcome"] == "refuted" and MIB - 256 * KIB <= use["offset"] < MIB + 64 * KIB
    assert "THE CHANGE MAP IS WRONG" in errors
    assert summary["snapshot"]["counters"]["read_byte_count"] >= DATA
    repository.require_equal("latest", truth, tmp_path / "back.img")
    # Nor is the next one believed.
    machine.keep("b1")
    with machine.snapshot("b2", "b3"):
        _, use, errors = backup(repository, machine, "--dirty-bitmap", "b2", "--next-bitmap", "b3")
    assert use["outcome"] == "unused" and errors == ""


def test_a_bitmap_that_is_gone_or_of_another_moment_has_everything_read(repository: Repository, machine: Machine, tmp_path: Path) -> None:
    begin(repository, machine)
    machine.guest("write -P 7 90M 64k")
    machine.qmp("block-dirty-bitmap-add", node="disk", name="other", granularity=65536)
    for since, begun in (("nothing", "c1"), ("other", "c2")):
        with machine.snapshot(since, begun):
            summary, use, errors = backup(repository, machine, "--dirty-bitmap", since, "--next-bitmap", begun)
        assert use["outcome"] == "unused" and use["reason"] and errors == ""
        assert summary["snapshot"]["counters"]["read_byte_count"] >= DATA
        repository.require_equal("latest", machine.folder / "disk.img", tmp_path / "back.img")


def test_a_disk_that_grew_is_read_whole(repository: Repository, machine: Machine, tmp_path: Path) -> None:
    begin(repository, machine)
    machine.resize(SIZE + 64 * MIB)
    with machine.snapshot("b1", "b2"):
        _, use, errors = backup(repository, machine, "--dirty-bitmap", "b1", "--next-bitmap", "b2")
    assert use["outcome"] == "unused" and "another size" in use["reason"] and errors == ""
    repository.require_equal("latest", machine.folder / "disk.img", tmp_path / "back.img")


def test_after_a_backup_that_failed_the_old_bitmap_goes_on(repository: Repository, machine: Machine, tmp_path: Path) -> None:
    begin(repository, machine)
    machine.guest("write -P 7 90M 64k")
    with machine.snapshot("b1", "b2"):
        process = repository.program.start(
            *repository.arguments("backup", "--image-name", "vm", "--limit-rate", "1MiB", "--dirty-bitmap", "b1", "--next-bitmap", "b2", machine.source))
        machine.guest("write -P 8 95M 64k")
        machine.qmp("block-export-del", id="vm", mode="hard")
        machine.wait_for_end("vm")
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 1, errors
        machine.qmp("block-export-add", type="nbd", id="vm", node_name="access", name="vm")
    machine.undo("b1", "b2")
    machine.guest("write -P 9 97M 64k")
    with machine.snapshot("b1", "b3"):
        _, use, _ = backup(repository, machine, "--dirty-bitmap", "b1", "--next-bitmap", "b3")
    assert use["outcome"] == "used"
    repository.require_equal("latest", machine.folder / "disk.img", tmp_path / "back.img")


def test_a_snapshot_that_breaks_ends_the_backup_and_not_the_machine(repository: Repository, machine: Machine) -> None:
    """The scratch file has no room, and the machine goes on."""
    begin(repository, machine)
    with machine.snapshot("b1", "b2", breaks=True):
        machine.guest("write -P 8 95M 64k")
        outcome = repository.run("backup", "--image-name", "vm", "--dirty-bitmap", "b1", "--next-bitmap", "b2", machine.source)
    assert outcome.status == 1 and "failed" in outcome.errors
    assert len(repository.snapshot_ids()) == 1


def test_a_machine_that_runs_is_backed_up_by_what_its_guest_changed(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", SIZE, 22)
    with image.open("r+b") as file:
        file.write(boot_sector(tmp_path))
    with emulated_machine(tmp_path, image) as machine:
        with machine.snapshot(None, "b1"):
            backup(repository, machine, "--next-bitmap", "b1")
        for number in range(1, 3):
            since, begun = f"b{number}", f"b{number + 1}"
            time.sleep(1)
            with machine.snapshot(since, begun):
                truth = machine.copy(tmp_path / "truth.img")
                dirty = machine.dirty_byte_count(since)
                summary, use, errors = backup(repository, machine, "--dirty-bitmap", since, "--next-bitmap", begun)
                # The guest went on meanwhile.
                assert truth.read_bytes() == machine.copy(tmp_path / "later.img").read_bytes()
                with image.open("rb") as now:
                    assert now.read() != truth.read_bytes()
            machine.keep(since)
            changed_reads = summary["snapshot"]["counters"]["read_byte_count"] - use["audited_byte_count"]
            print(f"\n{dirty / MIB:.2f} MiB named, {changed_reads / MIB:.2f} MiB read for them, {use['audited_byte_count'] / MIB:.2f} MiB audited")
            assert use["outcome"] == "used" and errors == "" and 0 < changed_reads <= 2 * dirty
            repository.require_equal("latest", truth, tmp_path / "back.img")
