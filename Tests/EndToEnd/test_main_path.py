"""What everybody does: make a repository, back up, look, restore, check."""

import filecmp
from pathlib import Path

import pytest

from support.images import MIB, make_image, overwrite, random_bytes
from support.objects import names_of_kind
from support.repository import Repository


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", 20 * MIB + 777)


def test_an_image_comes_back_bit_for_bit(repository: Repository, image: Path, tmp_path: Path) -> None:
    said = repository.run("backup", image).require(0).output
    assert said.startswith("Snapshot ") and "20MiB" in said
    outcome = repository.run("restore", "latest", tmp_path / "back.img").require(0)
    assert str(tmp_path / "back.img") in outcome.output
    assert filecmp.cmp(image, tmp_path / "back.img", shallow=False)


def test_restore_writes_to_standard_output(repository: Repository, image: Path) -> None:
    repository.snapshot(image)
    assert repository.run("restore", "latest", "-").require(0).output_bytes == image.read_bytes()


def test_restore_reads_the_target_back_when_asked_to(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    outcome = repository.run("restore", "--json", "--verify", "latest", tmp_path / "back.img").require(0)
    (summary,) = outcome.of_type("summary")
    assert summary["verified"] is True and summary["image_byte_count"] == 20 * MIB + 777
    assert "read back and equal" in repository.run("restore", "--verify", "latest", tmp_path / "second.img").require(0).output


def test_an_existing_file_is_not_overwritten_without_yes(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    target = tmp_path / "precious.img"
    target.write_bytes(b"precious")
    outcome = repository.run("restore", "latest", target).require(1)
    assert str(target) in outcome.errors and "--yes" in outcome.errors
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("old_byte_count", [5, 20 * MIB + 777, 31 * MIB])
def test_an_existing_file_is_overwritten_with_yes(repository: Repository, image: Path, tmp_path: Path, old_byte_count: int) -> None:
    repository.snapshot(image)
    target = make_image(tmp_path / "old.img", old_byte_count, seed=5)
    repository.run("restore", "--yes", "latest", target).require(0)
    assert filecmp.cmp(image, target, shallow=False)


def test_what_the_target_holds_already_is_not_written(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    target = tmp_path / "same.img"
    target.write_bytes(image.read_bytes())
    overwrite(target, 7 * MIB, b"changed")
    (summary,) = repository.run("restore", "--json", "--yes", "latest", target).require(0).of_type("summary")
    assert 0 < summary["written_byte_count"] < 2 * MIB
    assert filecmp.cmp(image, target, shallow=False)


def test_a_dry_run_writes_nothing(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    outcome = repository.run("restore", "--dry-run", "latest", tmp_path / "back.img").require(0)
    assert str(tmp_path / "back.img") in outcome.output and not (tmp_path / "back.img").exists()


def test_a_second_identical_backup_stores_next_to_nothing(repository: Repository, image: Path) -> None:
    repository.snapshot(image)
    packs = names_of_kind(repository.folder, "packs")
    before = sum(path.stat().st_size for path in repository.folder.rglob("*") if path.is_file())
    second = repository.backup(image)
    after = sum(path.stat().st_size for path in repository.folder.rglob("*") if path.is_file())
    assert names_of_kind(repository.folder, "packs") == packs
    assert second["data_pack_count"] == 0 and after - before < MIB


def test_diff_tells_which_ranges_changed(repository: Repository, image: Path) -> None:
    first = repository.snapshot(image)
    overwrite(image, 5 * MIB, random_bytes(100_000, seed=2))
    second = repository.snapshot(image)
    (difference,) = repository.run("diff", "--json", first, second).require(0).of_type("difference")
    assert difference["kind"] == "changed" and 100_000 <= difference["changed_byte_count"] < 500_000
    covered = [(each["offset"], each["offset"] + each["byte_count"]) for each in difference["changed_ranges"]]
    assert any(low <= 5 * MIB and 5 * MIB + 100_000 <= high for low, high in covered)
    (same,) = repository.run("diff", "--json", second, second).require(0).of_type("difference")
    assert same["kind"] == "same" and same["changed_ranges"] == []


def test_check_finds_nothing_in_a_sound_repository(repository: Repository, image: Path) -> None:
    repository.snapshot(image)
    plain = repository.run("check").require(0)
    assert "No errors were found." in plain.output
    (all_data,) = repository.check("--read-data").require(0).of_type("summary")
    assert all_data["opened_pack_count"] == all_data["pack_count"] >= 2 and all_data["snapshot_count"] == 1
    repository.check("--read-data=5%").require(0)


def test_check_compares_the_parts_of_chunks_that_are_referred_to(repository: Repository, image: Path) -> None:
    repository.snapshot(image)
    (before,) = repository.check("--read-data").require(0).of_type("summary")
    with image.open("r+b") as file:
        file.seek(200 * 4096)
        file.write(b"changed" * 500)
    repository.snapshot(image)
    (after,) = repository.check("--read-data").require(0).of_type("summary")
    (structure,) = repository.run("check", "--json").require(0).of_type("summary")
    assert before["compared_part_count"] == structure["compared_part_count"] == 0 < after["compared_part_count"] and after["part_sample"] == 1
    assert " to parts of chunks with the chunks." in repository.run("check", "--read-data").require(0).output


def test_check_of_a_share_reads_fewer_packs(repository: Repository, tmp_path: Path) -> None:
    for seed in range(12):
        repository.snapshot(make_image(tmp_path / f"{seed}.img", MIB, seed))
    (sample,) = repository.check("--read-data=5%").require(0).of_type("summary")
    (whole,) = repository.check("--read-data").require(0).of_type("summary")
    assert 0 < sample["opened_pack_count"] < whole["opened_pack_count"]


def test_stats_add_up(repository: Repository, image: Path) -> None:
    repository.snapshot(image)
    repository.snapshot(image)
    (numbers,) = repository.run("stats", "--json").require(0).of_type("statistics")
    on_disk = sum(path.stat().st_size for path in repository.folder.rglob("*") if path.is_file() and path.name != "reserve")
    parts = ("data_pack_byte_count", "map_pack_byte_count", "index_byte_count", "other_byte_count")
    assert numbers["snapshot_count"] == 2 and numbers["image_byte_count"] == 2 * (20 * MIB + 777)
    assert numbers["stored_byte_count"] == sum(numbers[part] for part in parts) == on_disk
    assert "2" in repository.run("stats").require(0).output


def test_an_empty_image_is_an_image(repository: Repository, tmp_path: Path) -> None:
    empty = make_image(tmp_path / "empty.img", 0)
    repository.require_equal(repository.snapshot(empty), empty, tmp_path / "back.img")


@pytest.mark.parametrize("level", ["none", "1", "12"])
def test_every_compression_level_restores(repository: Repository, image: Path, tmp_path: Path, level: str) -> None:
    repository.require_equal(repository.snapshot("--compression", level, image), image, tmp_path / "back.img")
