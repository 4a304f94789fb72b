"""Disks are looked into while the key is derived, unless they are to hold still first."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.freezing import volume, wait_for
from support.images import MIB, make_image
from support.program import Program
from support.tracing import needs_strace


@pytest.fixture
def looking(holdfast: Program, binary: Path, tmp_path: Path) -> Program:
    """The program beside an inspector that only leaves a mark, and a repository with the password “secret”."""
    place = tmp_path / "place"
    place.mkdir()
    shutil.copy(binary, place / "holdfast")
    (place / "holdfast-inspect").write_text(f"#!/bin/sh\necho looked >>{tmp_path}/looks\n")
    (place / "holdfast-inspect").chmod(0o755)
    program = holdfast.at_binary(place / "holdfast").with_variables(HOLDFAST_PASSWORD="secret", HOLDFAST_REPOSITORY=str(tmp_path / "repository"))
    program.run("init").require(0)
    return program


def look_count(tmp_path: Path) -> int:
    looks = tmp_path / "looks"
    return len(looks.read_text().splitlines()) if looks.exists() else 0


def test_a_disk_is_looked_into_before_it_is_known_whether_the_password_is_right(looking: Program, tmp_path: Path) -> None:
    disk = make_image(tmp_path / "disk.img", MIB, 1)
    looking.with_variables(HOLDFAST_PASSWORD="wrong").run("backup", disk).require(12)
    wait_for(lambda: look_count(tmp_path) == 1)


def test_it_is_looked_into_once_for_each_backup(looking: Program, tmp_path: Path) -> None:
    disk = make_image(tmp_path / "disk.img", MIB, 1)
    outcome = looking.run("backup", disk).require(0)
    assert look_count(tmp_path) == 1 and outcome.errors.count("all blocks are backed up") == 1
    looking.run("backup", "--before", "true", disk).require(0)
    assert look_count(tmp_path) == 2


def test_a_look_that_takes_long_is_waited_for(looking: Program, tmp_path: Path) -> None:
    inspector = looking.binary.parent / "holdfast-inspect"
    inspector.write_text(inspector.read_text() + "sleep 3\n")
    disk = make_image(tmp_path / "disk.img", MIB, 1)
    looking.run("backup", disk).require(0)
    assert look_count(tmp_path) == 1


@needs_strace
def test_it_is_looked_into_again_if_opening_the_repository_takes_long(looking: Program, tmp_path: Path) -> None:
    disk = make_image(tmp_path / "disk.img", MIB, 1)
    slow = looking.under("strace", "-f", "-o", "/dev/null", "-e", "trace=linkat", "-e", "inject=linkat:delay_enter=2500000:when=1")
    outcome = slow.run("backup", disk).require(0)
    assert look_count(tmp_path) == 2 and outcome.errors.count("all blocks are backed up") == 1


@pytest.mark.parametrize("options", [["--before", "true"], ["--all-blocks"]])
def test_what_a_command_may_change_or_nobody_asks_for_is_not_looked_into_early(looking: Program, tmp_path: Path, options: list[str]) -> None:
    disk = make_image(tmp_path / "disk.img", MIB, 1)
    looking.with_variables(HOLDFAST_PASSWORD="wrong").run("backup", *options, disk).require(12)
    assert look_count(tmp_path) == 0


@pytest.mark.root
def test_what_will_be_frozen_is_not_looked_into_early(looking: Program, tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted"))
    looking.with_variables(HOLDFAST_PASSWORD="wrong").run("backup", "--freeze", folder, device).require(12)
    assert look_count(tmp_path) == 0
