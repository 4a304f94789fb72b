"""Targets that would destroy something."""

from pathlib import Path

import pytest

from support.devices import loop_device
from support.images import MIB, make_image, overwrite
from support.objects import object_names
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
def test_a_file_that_a_loop_device_shows_is_in_use(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    target = make_image(tmp_path / "attached.img", 8 * MIB, seed=5)
    before = target.read_bytes()
    with loop_device(target) as device:
        for arguments in ((), ("--dry-run",)):
            outcome = repository.run("restore", "--yes", *arguments, "latest", target).require(1)
            assert str(device) in outcome.errors and "in use" in outcome.errors
    assert target.read_bytes() == before


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
