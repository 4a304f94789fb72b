"""Several backups into one repository at once."""

from pathlib import Path

import pytest

from support.images import MIB, make_image
from support.program import finish
from support.repository import Repository


@pytest.mark.parametrize("count", [2, 4])
def test_backups_at_once_are_all_kept(repository: Repository, tmp_path: Path, count: int) -> None:
    shared = make_image(tmp_path / "shared", 8 * MIB)
    images: list[Path] = []
    for number in range(count):
        image = tmp_path / f"{number}.img"
        own = make_image(tmp_path / "own", 8 * MIB, seed=number + 2)
        image.write_bytes(shared.read_bytes() + own.read_bytes())
        images.append(image)
    processes = [
        repository.program.start(*repository.arguments("backup", "--json", "--host", f"host{number}", image))
        for number, image in enumerate(images)]
    for image, process in zip(images, processes):
        (summary,) = finish(process).require(0).of_type("summary")
        repository.require_equal(summary["snapshot"]["id"], image, tmp_path / "back.img")
    assert len(repository.snapshot_ids()) == count
    repository.require_clean()


def test_two_backups_of_one_machine_at_once_are_both_kept(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 16 * MIB)
    processes = [repository.program.start(*repository.arguments("backup", image)) for _ in range(2)]
    for process in processes:
        finish(process).require(0)
    ids = repository.snapshot_ids()
    assert len(ids) == 2
    for snapshot in [*ids, repository.snapshot(image)]:
        repository.require_equal(snapshot, image, tmp_path / "back.img")
    repository.require_clean()


def test_a_restore_and_a_check_run_beside_a_backup(repository: Repository, tmp_path: Path) -> None:
    first = make_image(tmp_path / "first.img", 16 * MIB)
    snapshot = repository.snapshot(first)
    second = make_image(tmp_path / "second.img", 48 * MIB, seed=2)
    backup = repository.program.start(*repository.arguments("backup", "--limit-rate", "24MiB", second))
    while backup.poll() is None:
        repository.require_equal(snapshot, first, tmp_path / "back.img")
        repository.check("--read-data").require(0)
    finish(backup).require(0)
    repository.require_equal("latest", second, tmp_path / "back.img")


def test_of_two_inits_at_once_one_makes_the_repository(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    for round_number in range(4):
        folder = tmp_path / f"contested-{round_number}"
        key_files = [tmp_path / f"{round_number}-{number}.key" for number in range(2)]
        processes = [repository.program.start("init", "-r", folder, "--key-file", key_file) for key_file in key_files]
        outcomes = [finish(process) for process in processes]
        winners = [key_file for key_file, outcome in zip(key_files, outcomes) if outcome.status == 0]
        assert len(winners) == 1, [outcome.text for outcome in outcomes]
        assert all(outcome.status in (0, 1) for outcome in outcomes)
        new = Repository(repository.program, folder, winners[0])
        new.require_equal(new.snapshot(image), image, tmp_path / "back.img")
        new.require_clean()
