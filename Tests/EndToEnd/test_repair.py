"""Repair: what damage costs, and how the next backup makes it good."""

from pathlib import Path
from typing import Any

import pytest

from support.images import KIB, MIB, make_image, overwrite, random_bytes
from support.objects import flip, names_of_kind
from support.program import Outcome
from support.reader import read
from support.repository import Repository


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", 6 * MIB)


def repair(repository: Repository, *options: object, status: int = 0) -> Outcome:
    return repository.run("repair", "--json", *options).require(status)


def summary(outcome: Outcome) -> dict[str, Any]:
    (found,) = outcome.of_type("summary")
    return found


def damage(repository: Repository, name: str, offset: int = 100) -> None:
    path = repository.folder / name
    path.chmod(0o600)
    flip(path, offset, 0xFF)


def test_damaged_data_is_listed_to_the_byte_and_healed_by_the_next_backup(repository: Repository, image: Path, tmp_path: Path) -> None:
    old = repository.snapshot(image)
    overwrite(image, 0, random_bytes(200 * KIB, seed=9))
    new = repository.snapshot(image)
    (name, *_) = sorted(names_of_kind(repository.folder, "packs"), key=lambda name: -(repository.folder / name).stat().st_size)
    damage(repository, name, 3 * MIB)
    assert "holdfast repair" in repository.run("check", "--read-data").require(1).output
    dry = repair(repository, "--read-data", "--dry-run", status=1)
    assert names_of_kind(repository.folder, "condemned") == []
    outcome = repair(repository, "--read-data", status=1)
    assert [step["object"] for step in outcome.of_type("step")] == [name] and outcome.of_type("lost") == dry.of_type("lost")
    lost = {entry["snapshot"]: entry["ranges"] for entry in outcome.of_type("lost")}
    assert set(lost) == {old, new} and lost[old] == lost[new]
    (extent,) = lost[old]
    assert 0 < extent["byte_count"] <= MIB and summary(outcome)["lost_byte_count"] == 2 * extent["byte_count"]
    words = repository.run("repair").require(1).output
    assert f"bytes {extent['offset']} to {extent['offset'] + extent['byte_count'] - 1}" in words and old[:12] in words
    # The pack is condemned already, and a list says so once.
    assert len(names_of_kind(repository.folder, "condemned")) == 1
    # The source still has what was lost.
    repository.snapshot(image)
    assert summary(repair(repository, "--read-data"))["whole"]
    repository.check().require(0)
    repository.require_equal(new, image, tmp_path / "back.img")
    overwrite(image, 0, make_image(tmp_path / "first.img", 6 * MIB).read_bytes()[:200 * KIB])
    repository.require_equal(old, image, tmp_path / "back.img")
    assert (repository.folder / name).exists()


@pytest.mark.parametrize("lost", ["folder", "damaged"])
def test_a_lost_index_is_made_anew(repository: Repository, image: Path, tmp_path: Path, lost: str) -> None:
    old = repository.snapshot(image)
    names = names_of_kind(repository.folder, "index")
    for name in names:
        if lost == "folder":
            (repository.folder / name).unlink()
        else:
            damage(repository, name)
    if lost == "folder":
        (repository.folder / "index").rmdir()
    else:
        repository.run("prune").require(1)
    repository.run("check").require(1)
    outcome = repair(repository)
    assert summary(outcome)["whole"] and {step["action"] for step in outcome.of_type("step")} >= {"index"}
    assert len(names_of_kind(repository.folder, "quarantine")) == (0 if lost == "folder" else len(names))
    assert set(names_of_kind(repository.folder, "index")).isdisjoint(names)
    repository.check().require(0)
    repository.require_equal(old, image, tmp_path / "back.img")
    repository.run("prune").require(0)
    assert repository.backup(image)["snapshot"]["counters"]["new_byte_count"] == 0
    # The second reader, too, reads on beside what is in quarantine.
    done = read("--repository", repository.folder, "--key-file", repository.key_file, "check")
    assert done.returncode == 0, done.stderr
    assert "Nothing had to be done" in repository.run("repair").require(0).output


def test_a_lost_manifest_is_left_until_it_is_given_up(repository: Repository, image: Path, tmp_path: Path) -> None:
    lost = repository.snapshot(image)
    overwrite(image, 0, random_bytes(MIB, seed=10))
    kept = repository.snapshot(image)
    damage(repository, f"snapshots/{lost}")
    (problem,) = repair(repository, status=1).of_type("problem")
    assert problem["object"] == f"snapshots/{lost}" and "--drop-lost-snapshots" in problem["reason"]
    repository.run("prune").require(1)
    outcome = repair(repository, "--drop-lost-snapshots")
    assert [step["action"] for step in outcome.of_type("step")] == ["drop"]
    repository.run("prune").require(0)
    assert repository.snapshot_ids() == [kept]
    repository.check().require(0)
    repository.require_equal(kept, image, tmp_path / "back.img")


def test_a_repair_on_a_whole_repository_changes_nothing(repository: Repository, image: Path) -> None:
    repository.snapshot(image)
    before = {path: path.read_bytes() for path in repository.folder.rglob("*") if path.is_file()}
    assert summary(repair(repository, "--read-data"))["step_count"] == 0
    assert {path: path.read_bytes() for path in repository.folder.rglob("*") if path.is_file()} == before
