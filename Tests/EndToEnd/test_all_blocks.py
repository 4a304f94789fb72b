"""All blocks are backed up on request, and where nobody tells which are in use."""

import shutil
from pathlib import Path

import pytest

from support.disks import Disk, Part
from support.file_systems import ext
from support.images import MIB, make_image
from support.repository import Repository

DISK = Disk("ext4", 50 * MIB, "label: gpt\nsize=48M\n", {1: Part(ext("ext4", byte_count=48 * MIB))})


@pytest.mark.root
def test_all_blocks_are_equal_in_every_bit_on_request(repository: Repository, tmp_path: Path) -> None:
    disk = DISK.build(tmp_path)
    repository.run("backup", "--all-blocks", disk).require(0)
    repository.require_equal("latest", disk, tmp_path / "back.img")


@pytest.mark.root
def test_without_the_inspector_all_blocks_are_backed_up_and_a_warning_says_so(repository: Repository, binary: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(binary, alone / "holdfast")
    disk = DISK.build(tmp_path)
    poor = repository.using(repository.program.at_binary(alone / "holdfast"))
    assert "all blocks are backed up" in poor.run("backup", disk).require(0).errors
    repository.require_equal("latest", disk, tmp_path / "back.img")


@pytest.mark.parametrize("script", ["exit 0", "echo nonsense", "kill -9 $$", "exit 71", "head -c 300000000 /dev/zero"])
def test_an_inspector_that_fails_or_lies_costs_nothing_but_room(repository: Repository, binary: Path, tmp_path: Path, script: str) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(binary, alone / "holdfast")
    (alone / "holdfast-inspect").write_text(f"#!/bin/sh\n{script}\n")
    (alone / "holdfast-inspect").chmod(0o755)
    disk = make_image(tmp_path / "disk.img", 3 * MIB, 6)
    poor = repository.using(repository.program.at_binary(alone / "holdfast"))
    assert "all blocks are backed up" in poor.run("backup", disk).require(0).errors
    repository.require_equal("latest", disk, tmp_path / "back.img")
