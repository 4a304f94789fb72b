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
