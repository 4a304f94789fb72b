"""Which snapshot and which image a name means."""

from pathlib import Path

import pytest

from support.images import MIB, make_image
from support.repository import Repository


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return [make_image(tmp_path / name, MIB, seed) for seed, name in enumerate(("a.img", "b.img", "c.img"))]


def test_latest_is_the_newest_and_latest_of_a_host_is_its_newest(repository: Repository, images: list[Path]) -> None:
    tower = repository.snapshot("--host", "tower", images[0])
    attic = repository.snapshot("--host", "attic", images[1])

    def shown(*name: object) -> str:
        return str(repository.run("show", "--json", *name).require(0).objects[0]["snapshot"]["id"])

    assert shown("latest") == shown("latest:attic") == attic
    assert shown("latest:tower") == shown("latest", "--host", "tower") == tower
    assert "cellar" in repository.run("show", "latest:cellar").require(1).errors


def test_tags_and_hosts_select(repository: Repository, images: list[Path]) -> None:
    daily = repository.snapshot("--host", "tower", "--tag", "daily", images[0])
    both = repository.snapshot("--host", "attic", "--tag", "daily", "--tag", "kept", images[0])

    def listed(*options: str) -> list[str]:
        return [value["snapshot"]["id"] for value in repository.run("snapshots", "--json", *options).require(0).of_type("snapshot")]

    assert listed() == listed("--tag", "daily") == [daily, both]
    assert listed("--tag", "daily", "--tag", "kept") == [both]
    assert listed("--host", "tower") == [daily]
    assert listed("--host", "tower", "--tag", "kept") == []


def test_the_first_digits_of_an_id_are_enough(repository: Repository, images: list[Path], tmp_path: Path) -> None:
    snapshot = repository.snapshot(images[0])
    for digits in (snapshot[:8], snapshot[:8].upper(), snapshot):
        repository.require_equal(digits, images[0], tmp_path / "back.img")


def test_an_ambiguous_prefix_is_refused(repository: Repository, images: list[Path]) -> None:
    ids: list[str] = []
    # Among 17 ids two begin with the same digit.
    for _ in range(17):
        ids.append(repository.snapshot(images[0]))
    digit = next(each[0] for each in ids if sum(other[0] == each[0] for other in ids) > 1)
    outcome = repository.run("show", digit).require(1)
    assert f"“{digit}” fits" in outcome.errors
    assert all(each[:12] in outcome.errors for each in ids if each[0] == digit)


def test_a_prefix_of_no_snapshot_is_refused(repository: Repository, images: list[Path], tmp_path: Path) -> None:
    snapshot = repository.snapshot(images[0])
    wrong = ("0" if snapshot[0] != "0" else "1") + snapshot[1:8]
    outcome = repository.run("restore", wrong, tmp_path / "back.img").require(1)
    assert wrong in outcome.errors and not (tmp_path / "back.img").exists()


def test_what_is_no_name_at_all_is_wrong_usage(repository: Repository) -> None:
    assert "yesterday" in repository.run("show", "yesterday").require(64).errors


def test_several_images_make_one_snapshot(repository: Repository, images: list[Path], tmp_path: Path) -> None:
    snapshot = repository.snapshot(*images)
    assert repository.snapshot_ids() == [snapshot]
    for image in images:
        repository.require_equal(f"{snapshot}:{image}", image, tmp_path / "back.img")
        repository.require_equal(f"latest::{image}", image, tmp_path / "back.img")


def test_restore_of_one_of_several_images_asks_which(repository: Repository, images: list[Path], tmp_path: Path) -> None:
    snapshot = repository.snapshot(*images)
    outcome = repository.run("restore", snapshot, tmp_path / "back.img").require(1)
    assert all(str(image) in outcome.errors for image in images)
    missing = repository.run("restore", f"{snapshot}:/dev/other", tmp_path / "back.img").require(1)
    assert "/dev/other" in missing.errors
    assert not (tmp_path / "back.img").exists()


def test_an_image_can_be_given_a_name(repository: Repository, images: list[Path], tmp_path: Path) -> None:
    snapshot = repository.snapshot("--image-name", "system", images[0])
    repository.require_equal(f"{snapshot}:system", images[0], tmp_path / "back.img")


def test_the_parent_is_the_newest_of_the_same_host_and_image(repository: Repository, images: list[Path]) -> None:
    first = repository.snapshot(images[0])
    repository.snapshot("--host", "attic", images[0])
    repository.snapshot(images[1])
    assert repository.backup(images[0])["snapshot"]["parent"] == first
    assert repository.backup("--parent", "none", images[0])["snapshot"]["parent"] is None
    assert repository.backup("--parent", first[:10], images[0])["snapshot"]["parent"] == first
