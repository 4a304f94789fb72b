"""Targets that would destroy something."""

import fcntl
import struct
import subprocess
from pathlib import Path

import pytest

from support.devices import loop_device, mounted, run
from support.images import MIB, make_image, make_sparse, overwrite
from support.nbd import connect, running
from support.objects import object_names
from support.program import Program
from support.repository import Repository


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", 4 * MIB)


def test_restoring_onto_the_source_says_so_before_it_asks(repository: Repository, image: Path) -> None:
    repository.snapshot(image)
    overwrite(image, MIB, b"newer than the snapshot")
    before = image.read_bytes()
    outcome = repository.run("restore", "latest", image).require(1)
    assert "source" in outcome.errors and str(image) in outcome.errors and image.read_bytes() == before


def test_a_link_to_the_source_is_the_source(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    (tmp_path / "link").symlink_to(image)
    (tmp_path / "hard").hardlink_to(image)
    for name in ("link", "hard"):
        assert "source" in repository.run("restore", "latest", tmp_path / name).require(1).errors


def test_the_source_can_be_put_back_with_yes(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    original = image.read_bytes()
    overwrite(image, MIB, b"newer than the snapshot")
    repository.run("restore", "--yes", "--verify", "latest", image).require(0)
    assert image.read_bytes() == original


def test_a_target_inside_the_repository_is_refused(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    before = object_names(repository.folder)
    (tmp_path / "way-in").symlink_to(repository.folder)
    pack = next(name for name in before if name.startswith("packs/"))
    for target in (repository.folder / "new.img", repository.folder / pack, tmp_path / "way-in/packs/new.img"):
        outcome = repository.run("restore", "--yes", "latest", target).require(1)
        assert "inside the repository" in outcome.errors and str(target) in outcome.errors
    assert object_names(repository.folder) == before
    repository.require_clean()


def test_a_folder_is_no_target(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    (tmp_path / "folder").mkdir()
    outcome = repository.run("restore", "--yes", "latest", tmp_path / "folder").require(1)
    assert str(tmp_path / "folder") in outcome.errors
    missing = repository.run("restore", "latest", tmp_path / "nowhere/new.img").require(1)
    assert str(tmp_path / "nowhere") in missing.errors


def test_a_failed_restore_removes_the_target_that_it_made(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    for pack in (repository.folder / "packs").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            overwrite(pack, pack.stat().st_size // 3, b"damaged")
    target = tmp_path / "back.img"
    outcome = repository.run("restore", "latest", target).require(1)
    assert str(target) in outcome.errors and "was removed again" in outcome.errors
    assert not target.exists()


@pytest.mark.root
def test_bytes_that_are_mounted_through_another_device_are_in_use(repository: Repository, image: Path, tmp_path: Path) -> None:
    """Two loop devices over one file, one over a part of it, and one over another."""
    repository.snapshot(image)
    for offset in (0, MIB):
        backing = make_sparse(tmp_path / f"backing-{offset}", 64 * MIB, {})
        run("mkfs.ext4", "-q", "-F", "-E", f"offset={offset}", backing, f"{(64 * MIB - offset) // 1024}k")
        with mounted(backing, tmp_path / "mounted", "-o", f"loop,offset={offset}") as folder, loop_device(backing) as device:
            before = backing.read_bytes()

            def require_refusal(target: Path, folder: Path = folder) -> None:
                for options in (["--yes"], ["--dry-run"]):
                    outcome = repository.run("restore", *options, "latest", target).require(1)
                    assert str(folder) in outcome.errors and str(target) in outcome.errors

            require_refusal(device)
            with loop_device(device) as upper:
                require_refusal(upper)
            assert backing.read_bytes() == before


@pytest.mark.root
def test_a_repository_on_the_target_itself_is_refused(holdfast: Program, image: Path, tmp_path: Path) -> None:
    backing = make_sparse(tmp_path / "backing", 128 * MIB, {})
    run("mkfs.ext4", "-q", "-F", backing)
    with loop_device(backing) as first, mounted(first, tmp_path / "mounted") as folder, loop_device(backing) as second:
        repository = Repository.create(holdfast, folder / "repository", tmp_path / "full.key")
        repository.snapshot(image)
        outcome = repository.run("restore", "--yes", "latest", second).require(1)
        assert str(folder) in outcome.errors
        repository.require_clean()


@pytest.mark.root
def test_one_file_behind_two_devices_is_one_target(repository: Repository, image: Path, tmp_path: Path) -> None:
    other = make_image(tmp_path / "other.img", 4 * MIB, seed=9)
    repository.run("backup", image, other).require(0)
    backing = make_sparse(tmp_path / "backing", 8 * MIB, {})
    with loop_device(backing) as first, loop_device(backing) as second:
        outcome = repository.run("restore", "--yes", "latest", "--disk", f"{image}={first}", "--disk", f"{other}={second}").require(64)
        assert "target of two disks" in outcome.errors
        assert backing.read_bytes() == bytes(8 * MIB)
        # Also when the file has no name any more.
        backing.unlink()
        assert "target of two disks" in repository.run("restore", "--yes", "latest", "--disk", f"{image}={first}", "--disk", f"{other}={second}").require(64).errors


@pytest.mark.root
def test_partitions_side_by_side_are_targets_of_their_own(repository: Repository, image: Path, tmp_path: Path) -> None:
    """Two loop devices over one file that share no byte."""
    repository.snapshot(image)
    backing = make_sparse(tmp_path / "backing", 64 * MIB, {})
    run("mkfs.ext4", "-q", "-F", "-E", f"offset={16 * MIB}", backing, f"{48 * 1024}k")
    device = run("losetup", "--find", "--show", "--offset", 4 * MIB, "--sizelimit", 8 * MIB, backing).strip()
    try:
        with mounted(backing, tmp_path / "mounted", "-o", f"loop,offset={16 * MIB},sizelimit={48 * MIB}"):
            repository.run("restore", "--yes", "--verify", "latest", device).require(0)
    finally:
        run("losetup", "--detach", device)
    assert backing.read_bytes()[4 * MIB:8 * MIB] == image.read_bytes()


def test_a_file_that_somebody_has_locked_is_in_use(repository: Repository, image: Path, tmp_path: Path) -> None:
    """Another restore, or a machine of QEMU."""
    repository.snapshot(image)
    target = make_image(tmp_path / "target.img", 64 * MIB, seed=5)
    before = target.read_bytes()
    with running("qemu-nbd", "--persistent", "--format", "raw", "--socket", tmp_path / "nbd.sock", target):
        connect(tmp_path / "nbd.sock").close()
        outcome = repository.run("restore", "--yes", "latest", target).require(1)
        assert "another program has locked it" in outcome.errors and target.read_bytes() == before
    with target.open("r+b") as file:
        fcntl.fcntl(file, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
        assert "another program has locked it" in repository.run("restore", "--yes", "latest", target).require(1).errors
    repository.run("restore", "--yes", "latest", target).require(0)
    assert target.read_bytes() == image.read_bytes()


@pytest.mark.root
def test_a_file_that_a_loop_device_shows_is_in_use(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    target = make_image(tmp_path / "attached.img", 8 * MIB, seed=5)
    before = target.read_bytes()
    with loop_device(target) as device:
        for arguments in ((), ("--dry-run",)):
            outcome = repository.run("restore", "--yes", *arguments, "latest", target).require(1)
            assert str(device) in outcome.errors and "in use" in outcome.errors
    assert target.read_bytes() == before


def cached_byte_count(path: Path) -> int:
    return int(subprocess.run(["fincore", "--bytes", "--noheadings", "--output", "RES", path], check=True, capture_output=True, text=True).stdout)


def test_what_others_have_of_a_target_in_the_page_cache_stays_there(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 16 * MIB)
    repository.snapshot(image)
    overwrite(image, 5 * MIB, b"other")
    run("sync", image)
    image.read_bytes()
    assert cached_byte_count(image) == 16 * MIB
    repository.run("restore", "latest", image, "--yes").require(0)
    # But for the block that was written past the cache, and the large page of the cache around it.
    assert cached_byte_count(image) >= 12 * MIB


def test_what_a_restore_writes_through_the_page_cache_does_not_stay_there(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 16 * MIB)
    # No block of the partition is a block of the file, so that nothing can be written past the cache.
    subprocess.run(["sfdisk", "-q", image], input="label: dos\nstart=63, type=da\n", check=True, text=True, capture_output=True)
    expected = image.read_bytes()
    repository.snapshot(image)
    target = tmp_path / "target.img"
    target.write_bytes(b"\xff" * 16 * MIB)
    run("sync", target)
    run("dd", f"of={target}", "oflag=nocache", "conv=notrunc,fdatasync", "count=0", "status=none")
    assert cached_byte_count(target) < MIB
    repository.run("restore", "latest", target, "--yes").require(0)
    assert cached_byte_count(target) < MIB and target.read_bytes() == expected


def test_a_killed_restore_leaves_nothing_under_the_name_of_the_target(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 64 * MIB)
    repository.snapshot(image)
    target = tmp_path / "back.img"
    process = repository.program.start(*repository.arguments("restore", "--threads", "1", "latest", target))
    while process.poll() is None and not target.with_name("back.img.incomplete").exists():
        pass
    process.kill()
    process.wait()
    assert not target.exists()
    repository.require_equal("latest", image, target)
    assert not target.with_name("back.img.incomplete").exists()
