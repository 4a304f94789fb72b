"""A clock that stands at 1970, runs backwards or is far ahead: no rule depends on it."""

import shutil
from pathlib import Path

import pytest

from support.images import MIB, make_image, overwrite
from support.repository import Repository

pytestmark = pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")


def at(repository: Repository, time: str) -> Repository:
    return repository.using(repository.program.under("faketime", "-f", time))


def test_everything_works_when_the_clock_says_1970(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 2 * MIB)
    early = at(repository, "@1970-01-01 00:00:10")
    first = early.backup(image)["snapshot"]
    assert first["start_time"].startswith("1970-01-01T00:00:")
    overwrite(image, MIB, b"changed")
    second = early.backup(image)["snapshot"]
    assert second["parent"] == first["id"] and early.snapshot_ids() == [first["id"], second["id"]]
    early.require_equal("latest", image, tmp_path / "back.img")
    early.require_clean()
    early.run("stats").require(0)


def test_a_repository_can_be_made_in_1970(repository: Repository, tmp_path: Path) -> None:
    early = at(repository, "@1970-01-01 00:00:10").program
    new = Repository.create(early, tmp_path / "early", tmp_path / "early.key")
    image = make_image(tmp_path / "disk.img", MIB)
    new.require_equal(new.snapshot(image), image, tmp_path / "back.img")
    new.using(repository.program).require_clean()


def test_latest_is_the_last_one_made_even_if_the_clock_went_back(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    future = at(repository, "@2090-01-01 00:00:00").snapshot(image)
    overwrite(image, 0, b"changed")
    past = at(repository, "@1970-01-01 00:00:10").snapshot(image)
    assert repository.snapshot_ids() == [future, past]
    repository.require_equal("latest", image, tmp_path / "back.img")
    repository.require_clean()
