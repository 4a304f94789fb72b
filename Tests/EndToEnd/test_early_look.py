"""Disks are looked into while the key is derived, unless they are to hold still first."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.freezing import volume, wait_for
from support.images import MIB, make_image
from support.program import Program


@pytest.fixture
def looking(holdfast: Program, binary: Path, tmp_path: Path) -> Program:
    """The program beside an inspector that leaves a mark, and a repository of which the password is wrong."""
    place = tmp_path / "place"
    place.mkdir()
    shutil.copy(binary, place / "holdfast")
    (place / "holdfast-inspect").write_text(f"#!/bin/sh\ntouch {tmp_path}/looked\n")
    (place / "holdfast-inspect").chmod(0o755)
    repository = tmp_path / "locked"
    holdfast.with_variables(HOLDFAST_PASSWORD="secret").run("init", "-r", repository).require(0)
    return holdfast.at_binary(place / "holdfast").with_variables(HOLDFAST_PASSWORD="wrong", HOLDFAST_REPOSITORY=str(repository))


def test_a_disk_is_looked_into_before_it_is_known_whether_the_password_is_right(looking: Program, tmp_path: Path) -> None:
    disk = make_image(tmp_path / "disk.img", MIB, 1)
    looking.run("backup", disk).require(12)
    wait_for(lambda: (tmp_path / "looked").exists())


@pytest.mark.parametrize("options", [["--before", "true"], ["--all-blocks"]])
def test_what_a_command_may_change_or_nobody_asks_for_is_not_looked_into_early(looking: Program, tmp_path: Path, options: list[str]) -> None:
    disk = make_image(tmp_path / "disk.img", MIB, 1)
    looking.run("backup", *options, disk).require(12)
    assert not (tmp_path / "looked").exists()


@pytest.mark.root
def test_what_will_be_frozen_is_not_looked_into_early(looking: Program, tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted"))
    looking.run("backup", "--freeze", folder, device).require(12)
    assert not (tmp_path / "looked").exists()
