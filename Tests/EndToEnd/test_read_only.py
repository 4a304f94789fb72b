"""A repository that can only be read, and machines that can keep nothing."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import mounted, run, small_tmpfs
from support.images import MIB, make_image
from support.repository import Repository


@pytest.mark.root
def test_a_read_only_repository_can_be_listed_restored_and_checked(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    image = make_image(tmp_path / "disk.img", 2 * MIB)
    snapshot = repository.snapshot(image)
    folder = cleanup.enter_context(mounted(repository.folder, tmp_path / "read-only", "--bind"))
    run("mount", "-o", "remount,bind,ro", folder)
    read_only = Repository(repository.program, folder, repository.key_file)
    assert read_only.snapshot_ids() == [snapshot]
    read_only.require_equal(snapshot, image, tmp_path / "back.img")
    read_only.require_clean()
    for command in (
            ["show", "latest"], ["stats", "--by-machine"], ["diff", "latest", "latest"], ["check"], ["sessions"], ["key", "list"], ["repair"], ["prune", "--dry-run"],
            ["forget", "--keep-last", "1", "--dry-run"], ["snapshots", "--sizes"]):
        read_only.program.run(*command, "-r", folder, "--key-file", repository.key_file).require(0)
    for arguments in (["backup", image], ["forget", snapshot], ["protect", snapshot]):
        errors = read_only.run(*arguments).require(1).errors
        assert str(folder) in errors and "mounted read-only" in errors and "mount it writable" in errors and "user who may" not in errors
    repository.run("forget", snapshot).require(0)
    assert "mount it writable" in read_only.run("prune").require(1).errors
    repository.run("undelete", snapshot).require(0)
    assert repository.snapshot_ids() == [snapshot]


@pytest.mark.root
def test_unwritable_cache_and_state_folders_bring_warnings_at_most(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    image = make_image(tmp_path / "disk.img", 2 * MIB)
    home = cleanup.enter_context(small_tmpfs(MIB, tmp_path / "home-read-only"))
    run("mount", "-o", "remount,ro", home)
    poor = repository.using(repository.program.at_home(home))
    outcome = poor.run("backup", image).require(0)
    assert all("warning" in line for line in outcome.errors.splitlines() if line.startswith("holdfast:"))
    poor.require_equal("latest", image, tmp_path / "back.img")
    poor.require_clean()


@pytest.mark.parametrize("name", ["cache", "state"])
def test_a_file_in_place_of_a_folder_brings_a_warning_at_most(repository: Repository, tmp_path: Path, name: str) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    home = tmp_path / "odd-home"
    home.mkdir()
    (home / name).write_text("not a folder")
    odd = repository.using(repository.program.at_home(home))
    odd.run("backup", image).require(0)
    odd.require_equal("latest", image, tmp_path / "back.img")
    assert (home / name).read_text() == "not a folder"


def test_without_a_home_it_works_all_the_same(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    environment = {"HOME": "", "HOLDFAST_CACHE_DIR": "", "HOLDFAST_STATE_DIR": ""}
    homeless = repository.using(repository.program.with_variables(**environment))
    homeless.run("backup", image).require(0)
    homeless.require_equal("latest", image, tmp_path / "back.img")


def test_secrets_and_pins_are_closed_to_others(repository: Repository) -> None:
    repository.run("snapshots").require(0)
    pins = list((repository.program.home / "state").rglob("pins.json"))
    assert pins and all(path.stat().st_mode & 0o022 == 0 for path in [*pins, repository.key_file])
    assert repository.key_file.stat().st_mode & 0o077 == 0
