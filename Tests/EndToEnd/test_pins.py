"""What a machine remembers of a repository, so that storage cannot hand it an older or another one."""

import shutil
from pathlib import Path

import pytest

from support.images import MIB, make_image
from support.objects import names_of_kind
from support.repository import Repository


def change_keys(repository: Repository, folder: Path) -> None:
    repository.program.run(
        "key", "add", "-r", repository.folder, "--key-file", repository.key_file, "--new-key-file", folder / "second.key", "--role",
        "backup").require(0)


def test_an_older_state_of_the_keys_is_refused(repository: Repository, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(repository.folder, old)
    change_keys(repository, tmp_path)
    repository.run("snapshots").require(0)
    shutil.rmtree(repository.folder)
    shutil.copytree(old, repository.folder)
    outcome = repository.run("backup", make_image(tmp_path / "disk.img", MIB)).require(1)
    assert "keyring" in outcome.errors
    repository.run("snapshots").require(1)
    # A machine that never saw the newer state cannot know.
    repository.using(repository.program.at_home(tmp_path / "other-home")).run("snapshots").require(0)


def test_a_keyring_taken_away_is_refused(repository: Repository, tmp_path: Path) -> None:
    change_keys(repository, tmp_path)
    newest = names_of_kind(repository.folder, "keyring")[-1]
    (repository.folder / newest).unlink()
    assert "keyring" in repository.run("snapshots").require(1).errors


def test_a_lost_keyring_is_not_taken_for_a_wrong_key(repository: Repository, tmp_path: Path) -> None:
    change_keys(repository, tmp_path)
    (*_, older, newest) = names_of_kind(repository.folder, "keyring")
    second = repository.opened_by(tmp_path / "second.key")
    second.run("snapshots").require(0)
    (repository.folder / newest).rename(tmp_path / "lost")
    errors = second.run("snapshots").require(1).errors
    assert f"{newest} is missing" in errors and older in errors and "copy" in errors and "opens no slot" not in errors
    (tmp_path / "lost").rename(repository.folder / newest)
    other = Repository.create(repository.program, tmp_path / "other", tmp_path / "other.key")
    assert "opens no slot" in repository.opened_by(other.key_file).run("snapshots").require(12).errors


def test_another_repository_with_the_same_id_is_refused(repository: Repository, tmp_path: Path) -> None:
    """The attacker knows the key file and makes a repository of his own under the pinned id: its root key is another."""
    repository.run("snapshots").require(0)
    other = Repository.create(repository.program.at_home(tmp_path / "his-home"), tmp_path / "his", repository.key_file.with_name("his.key"))
    pins = list((repository.program.home / "state").rglob("pins.json"))
    assert len(pins) == 1
    other.run("snapshots").require(0)
    his_id = next((other.program.home / "state").rglob("pins.json")).parent.name
    # This machine takes the id of his repository for one it knows, with the root key of ours.
    pins[0].parent.rename(pins[0].parent.with_name(his_id))
    outcome = other.using(repository.program).run("snapshots")
    assert outcome.status in (1, 12) and outcome.output == ""


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 100, b'{"root_public_key": 5}'], ids=["empty", "cut", "zeros", "wrong"])
def test_a_damaged_pin_is_named_kept_and_settled_by_the_user(repository: Repository, tmp_path: Path, content: bytes) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    repository.snapshot(image)
    (pin,) = (repository.program.home / "state").rglob("pins.json")
    pin.write_bytes(content)
    for command in (["snapshots"], ["backup", image], ["check"]):
        outcome = repository.run(*command).require(0)
        assert "warning" in outcome.errors and f"{pin}: what this machine has seen" in outcome.errors and "move it away" in outcome.errors
        assert pin.read_bytes() == content, f"{command}: what guards against rollback was dropped"
    errors = repository.run("prune").require(1).errors.splitlines()[-1]
    assert str(pin) in errors and "move it away" in errors and "holdfast check" not in errors
    pin.rename(tmp_path / "moved-away")
    assert repository.run("prune").require(0).errors.count("warning") == 0
    assert pin.exists()


@pytest.mark.parametrize("is_put_back", [True, False])
def test_a_lost_snapshot_is_not_forgotten_with_the_next_backup(repository: Repository, tmp_path: Path, is_put_back: bool) -> None:
    first, second, third = (make_image(tmp_path / f"{seed}.img", MIB, seed) for seed in (1, 2, 3))
    repository.snapshot(first)
    lost = repository.folder / "snapshots" / repository.snapshot(second)
    lost.rename(tmp_path / "manifest")
    packs = names_of_kind(repository.folder, "packs")
    for _ in range(2):
        outcome = repository.run("backup", third).require(0)
        assert lost.name in outcome.errors and "--drop-lost-snapshots" in outcome.errors
    assert lost.name in repository.run("check").require(1).errors
    assert lost.name in repository.run("prune").require(1).errors
    assert set(packs) <= set(names_of_kind(repository.folder, "packs"))
    if is_put_back:
        (tmp_path / "manifest").rename(lost)
        repository.require_equal(lost.name, second, tmp_path / "back.img")
    else:
        repository.run("repair", "--drop-lost-snapshots").require(0)
    repository.run("backup", third).require(0)
    repository.run("prune").require(0)
    repository.require_clean()
    assert (lost.name in repository.snapshot_ids()) == is_put_back
