"""Storage that reports errors: the backup fails and says why, and nothing is wrong afterwards."""

from pathlib import Path

import pytest

from support.images import MIB, make_image, random_bytes
from support.repository import Repository
from support.tracing import needs_strace, run_failing

pytestmark = needs_strace


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EDQUOT"])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "linkat", "fsync"])
@pytest.mark.parametrize("when", ["1", "2", "1+"])
def test_a_backup_whose_storage_fails_loses_nothing(repository: Repository, tmp_path: Path, call: str, error: str, when: str) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    first = repository.snapshot(image)
    original = image.read_bytes()
    image.write_bytes(random_bytes(MIB, seed=2))
    outcome = run_failing(repository, call, error, when, "backup", image)
    ids = repository.snapshot_ids()
    if outcome.status == 0:
        # One failure may be made good by another way; then the snapshot has to be there.
        assert when != "1+" and len(ids) == 2
    else:
        outcome.require(1)
        assert str(repository.folder) in outcome.errors or "packs/" in outcome.errors
        wanted = {"EIO": ("Input/output",), "ENOSPC": ("no space",), "EDQUOT": ("no space", "quota")}[error]
        assert any(word.lower() in outcome.errors.lower() for word in wanted), outcome.errors
    repository.require_clean()
    repository.require_equal(repository.snapshot(image), image, tmp_path / "back.img")
    assert repository.run("restore", first, "-").require(0).output_bytes == original


@pytest.mark.parametrize("call", ["pwrite64", "fsync"])
def test_a_restore_whose_target_fails_says_so(repository: Repository, tmp_path: Path, call: str) -> None:
    repository.snapshot(make_image(tmp_path / "disk.img", MIB))
    outcome = run_failing(repository, call, "EIO", "1+", "restore", "latest", str(tmp_path / "back.img"))
    assert str(tmp_path / "back.img") in outcome.require(1).errors and "was removed again" in outcome.errors


def test_a_repository_that_cannot_be_listed_is_not_taken_for_empty(repository: Repository, tmp_path: Path) -> None:
    repository.snapshot(make_image(tmp_path / "disk.img", MIB))
    for command in (["snapshots"], ["check"], ["backup", str(tmp_path / "disk.img")]):
        outcome = run_failing(repository, "getdents64", "EIO", "1+", *command).require(1)
        assert "Input/output" in outcome.errors
    assert len(repository.snapshot_ids()) == 1
