"""A clock that stands at 1970, runs backwards or is far ahead: no rule depends on it."""

import shutil
from pathlib import Path

import pytest

from support.images import MIB, make_image, overwrite
from support.reader import read
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


def test_everything_works_before_1970(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 2 * MIB)
    early = at(repository, "@1965-03-01 12:00:00")
    first = early.backup("--limit-rate", "8MiB", image)["snapshot"]
    assert first["start_time"].startswith("1965-03-01T12:00:")
    overwrite(image, MIB, b"changed")
    second = early.backup(image)["snapshot"]
    early.run("forget", "--keep-last", "1", "--keep-within", "1h", "--keep-daily", "1", "--dry-run").require(0)
    early.run("forget", first["id"]).require(0)
    assert early.snapshot_ids() == [second["id"]]
    early.run("prune").require(0)
    for command in (["stats", "--by-machine"], ["sessions"], ["repair"], ["show", "latest"]):
        early.run(*command).require(0)
    early.require_equal("latest", image, tmp_path / "back.img")
    early.require_clean()
    repository.snapshot(image)
    repository.run("forget", "--keep-last", "1", "--prune").require(0)
    repository.require_clean()
    done = read("--repository", repository.folder, "--key-file", repository.key_file, "check")
    assert done.returncode == 0, done.stderr


def test_a_prune_waits_before_1970_too(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 40 * MIB)
    repository.run("forget", repository.snapshot(make_image(tmp_path / "other.img", MIB, seed=2))).require(0)
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "4MiB", image))
    while process.poll() is None and not list((repository.folder / "sessions").iterdir()):
        pass
    for _ in range(2):
        (summary,) = at(repository, "@1965-03-01 12:00:00").run("prune", "--json").require(0).of_type("summary")
        assert len(summary["waits_for"]) == 1
    process.kill()
    process.communicate()


def test_latest_is_the_last_one_made_even_if_the_clock_went_back(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    future = at(repository, "@2090-01-01 00:00:00").snapshot(image)
    overwrite(image, 0, b"changed")
    past = at(repository, "@1970-01-01 00:00:10").snapshot(image)
    assert repository.snapshot_ids() == [future, past]
    repository.require_equal("latest", image, tmp_path / "back.img")
    repository.require_clean()
