"""Exit statuses that scripts rely on, each with a message that names what it is about."""

import os
import subprocess
from pathlib import Path

import pytest

from support.images import MIB, make_image
from support.objects import object_names
from support.program import Program
from support.repository import Repository

USES = [["snapshots"], ["backup", "SOURCE"], ["restore", "latest", "TARGET"], ["check"], ["stats"]]


def words(use: list[str], folder: Path) -> list[str]:
    source = make_image(folder / "source.img", MIB)
    return [{"SOURCE": str(source), "TARGET": str(folder / "target.img")}.get(word, word) for word in use]


def test_a_wrong_password_exits_with_12(holdfast: Program, tmp_path: Path) -> None:
    for name in ("right", "wrong"):
        (tmp_path / name).write_text(name + "\n")
        (tmp_path / name).chmod(0o600)
    folder = tmp_path / "repository"
    holdfast.run("init", "-r", folder, "--password-file", tmp_path / "right").require(0)
    before = object_names(folder)
    for use in USES:
        outcome = holdfast.run(use[0], "-r", folder, "--password-file", tmp_path / "wrong", *words(use, tmp_path)[1:]).require(12)
        assert "password" in outcome.errors and outcome.output == "" and object_names(folder) == before
    holdfast.run("snapshots", "-r", folder, "--password-file", tmp_path / "right").require(0)


@pytest.mark.parametrize("use", USES, ids=lambda use: use[0])
def test_a_wrong_key_file_exits_with_12(repository: Repository, tmp_path: Path, use: list[str]) -> None:
    other = Repository.create(repository.program, tmp_path / "other", tmp_path / "other.key")
    before = object_names(repository.folder)
    outcome = repository.opened_by(other.key_file).run(*words(use, tmp_path)).require(12)
    assert "key" in outcome.errors and object_names(repository.folder) == before and not (tmp_path / "target.img").exists()


def test_a_file_that_is_no_key_file_is_named(repository: Repository, tmp_path: Path) -> None:
    bad = tmp_path / "bad.key"
    bad.write_text("HOLDFAST-KEY-1:1234\n")
    bad.chmod(0o600)
    outcome = repository.opened_by(bad).run("snapshots")
    assert outcome.status in (1, 12) and str(bad) in outcome.errors


@pytest.mark.parametrize("use", USES, ids=lambda use: use[0])
def test_where_nothing_is_the_status_is_10(repository: Repository, tmp_path: Path, use: list[str]) -> None:
    nowhere = Repository(repository.program, tmp_path / "nowhere", repository.key_file)
    assert str(nowhere.folder) in nowhere.run(*words(use, tmp_path)).require(10).errors
    assert not nowhere.folder.exists()


@pytest.mark.parametrize("use", USES, ids=lambda use: use[0])
def test_a_folder_that_is_no_repository_exits_with_10(repository: Repository, tmp_path: Path, use: list[str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"cat")
    outcome = Repository(repository.program, photos, repository.key_file).run(*words(use, tmp_path)).require(10)
    assert str(photos) in outcome.errors and object_names(photos) == ["cat.jpg"]


def test_init_refuses_a_folder_that_holds_something_else(repository: Repository, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"cat")
    outcome = repository.program.run("init", "-r", photos, "--key-file", repository.key_file).require(1)
    assert str(photos) in outcome.errors and object_names(photos) == ["cat.jpg"]


def test_init_refuses_a_repository(repository: Repository) -> None:
    before = object_names(repository.folder)
    outcome = repository.program.run("init", "-r", repository.folder, "--key-file", repository.key_file).require(1)
    assert str(repository.folder) in outcome.errors and object_names(repository.folder) == before


@pytest.mark.parametrize("use", USES, ids=lambda use: use[0])
def test_a_repository_of_a_newer_format_is_refused_by_name(repository: Repository, tmp_path: Path, use: list[str]) -> None:
    config = repository.folder / "config"
    data = bytearray(config.read_bytes())
    data[9] = 2
    config.chmod(0o600)
    config.write_bytes(data)
    outcome = repository.run(*words(use, tmp_path)).require(1)
    assert "newer" in outcome.errors and "config" in outcome.errors and not (tmp_path / "target.img").exists()


@pytest.mark.parametrize("arguments", [
    ["frobnicate"], ["backup"], ["restore", "latest"], ["backup", "--no-such-option", "x"], ["check", "--read-data=200%"],
    ["backup", "--limit-rate", "fast", "x"], ["backup", "--compression", "13", "x"], ["restore", "--json", "latest", "-"]])
def test_wrong_usage_exits_with_64(repository: Repository, arguments: list[str]) -> None:
    outcome = repository.run(*arguments).require(64)
    assert "--help" in outcome.errors or "help" in outcome.errors


@pytest.mark.parametrize("option", ["--tag", "--host", "--image-name", "--description"])
def test_what_is_not_utf_8_is_wrong_usage(repository: Repository, tmp_path: Path, option: str) -> None:
    source = make_image(tmp_path / "disk.img", MIB)
    done = subprocess.run(
        [*map(os.fsencode, repository.program.command(*repository.arguments("backup"))), os.fsencode(source), option.encode(), b"caf\xe9"],
        env=repository.program.environment, capture_output=True)
    assert done.returncode == 64 and "is not UTF-8" in done.stderr.decode() and "--help" in done.stderr.decode()
    assert repository.snapshot_ids() == []
    repository.snapshot(source, option, "caf\u00e9 \ufffd")


def test_no_repository_named_is_wrong_usage(holdfast: Program) -> None:
    assert "--repository" in holdfast.run("snapshots").require(64).errors


def test_a_source_that_is_not_there_is_named(repository: Repository, tmp_path: Path) -> None:
    outcome = repository.run("backup", tmp_path / "missing.img").require(1)
    assert str(tmp_path / "missing.img") in outcome.errors and repository.snapshot_ids() == []


def test_there_is_nothing_to_restore_in_an_empty_repository(repository: Repository, tmp_path: Path) -> None:
    outcome = repository.run("restore", "latest", tmp_path / "back.img").require(1)
    assert "snapshot" in outcome.errors and not (tmp_path / "back.img").exists()


def test_a_repository_inside_another_is_refused(repository: Repository) -> None:
    for folder in (repository.folder / "condemned", repository.folder / "packs/new/deeper"):
        outcome = repository.program.run("init", "-r", folder, "--key-file", repository.key_file).require(1)
        assert "inside the repository" in outcome.errors and str(repository.folder) in outcome.errors
    repository.require_clean()


def test_a_file_is_no_repository(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    assert "nothing here" in repository.program.run("snapshots", "-r", tmp_path / "file", "--key-file", repository.key_file).require(10).errors


def test_a_lost_config_is_no_reason_to_make_a_new_repository(repository: Repository) -> None:
    (repository.folder / "config").unlink()
    outcome = repository.run("snapshots").require(1)
    assert "config" in outcome.errors and "copy" in outcome.errors and "init" not in outcome.errors


def test_who_may_open_few_files_only_is_told_so(repository: Repository, tmp_path: Path) -> None:
    repository.snapshot(make_image(tmp_path / "disk.img", MIB))
    failed = 0
    for use in [*USES, ["prune"]]:
        for limit in range(4, 12):
            outcome = repository.using(repository.program.under("prlimit", f"--nofile={limit}")).run(*words(use, tmp_path))
            assert outcome.status in (0, 1), f"{use} with {limit} files: {outcome.status}: {outcome.text}"
            assert outcome.status == 0 or "Too many open files" in outcome.errors, f"{use} with {limit} files: {outcome.text}"
            failed += outcome.status
            (tmp_path / "target.img").unlink(missing_ok=True)
    assert failed > 0, "the limits are too high to matter"
