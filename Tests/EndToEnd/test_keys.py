"""Key slots: roles, adding, removing, changing, the recovery key."""

from pathlib import Path

import pytest

from support.images import MIB, make_image
from support.objects import names_of_kind
from support.program import Program
from support.repository import Repository
from support.tracing import needs_strace, under_strace


def add_key(repository: Repository, key_file: Path, role: str) -> str:
    outcome = repository.program.run(
        "key", "add", "--json", "-r", repository.folder, "--key-file", repository.key_file, "--new-key-file", key_file, "--role", role)
    (summary,) = outcome.require(0).of_type("summary")
    assert summary["role"] == role
    return str(summary["slot_id"])


def key(repository: Repository, *arguments: object) -> list[object]:
    return ["key", arguments[0], "-r", repository.folder, "--key-file", repository.key_file, *arguments[1:]]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", 3 * MIB)


@pytest.fixture
def stranger(repository: Repository, tmp_path: Path) -> Repository:
    """The repository on a machine that has a key file of role backup and nothing else."""
    add_key(repository, tmp_path / "backup.key", "backup")
    return repository.opened_by(tmp_path / "backup.key").using(repository.program.at_home(tmp_path / "other-home"))


def test_a_backup_key_backs_up_and_deduplicates(repository: Repository, stranger: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot("--host", "tower", image)
    summary = stranger.backup("--host", "attic", image)
    assert summary["data_pack_count"] == 0 and summary["snapshot"]["counters"]["new_byte_count"] == 0
    own = stranger.snapshot(make_image(tmp_path / "own.img", MIB, seed=9))
    assert len(stranger.snapshot_ids()) == 3
    stranger.run("check").require(0)
    repository.require_equal(own, tmp_path / "own.img", tmp_path / "back.img")
    repository.require_clean()


def test_a_backup_key_restores_nothing_not_even_its_own(repository: Repository, stranger: Repository, image: Path, tmp_path: Path) -> None:
    others = repository.snapshot(image)
    own = stranger.snapshot(make_image(tmp_path / "own.img", MIB, seed=9))
    for snapshot in (others, own):
        outcome = stranger.run("restore", f"{snapshot}", tmp_path / "back.img").require(1)
        assert "backup" in outcome.errors and "full" in outcome.errors
        assert not (tmp_path / "back.img").exists() or (tmp_path / "back.img").stat().st_size == 0
        assert stranger.run("restore", snapshot, "-").require(1).output_bytes == b""
    assert "full" in stranger.run("check", "--read-data").require(1).errors


def test_a_backup_key_cannot_manage_keys(stranger: Repository, tmp_path: Path) -> None:
    before = names_of_kind(stranger.folder, "keyring")
    outcome = stranger.program.run(*key(stranger, "add", "--new-key-file", tmp_path / "more.key", "--role", "full")).require(1)
    assert "backup" in outcome.errors or "full" in outcome.errors
    assert names_of_kind(stranger.folder, "keyring") == before


def test_a_removed_key_opens_no_more(repository: Repository, image: Path, tmp_path: Path) -> None:
    slot = add_key(repository, tmp_path / "second.key", "backup")
    second = repository.opened_by(tmp_path / "second.key")
    snapshot = second.snapshot(image)
    repository.program.run(*key(repository, "remove", slot[:12], "--yes")).require(0)
    assert "key" in second.run("snapshots").require(12).errors
    second.run("backup", image).require(12)
    assert repository.snapshot_ids() == [snapshot]
    repository.require_equal(snapshot, image, tmp_path / "back.img")
    repository.require_clean()


def test_the_key_in_use_and_the_last_full_key_stay(repository: Repository) -> None:
    slots = repository.program.run(*key(repository, "list", "--json")).require(0).of_type("slot")
    (own,) = [slot for slot in slots if slot["own"]]
    assert own["role"] == "full" and {"write", "restore", "keys"} <= set(own["capabilities"])
    repository.program.run(*key(repository, "remove", own["id"], "--yes")).require(1)
    repository.run("snapshots").require(0)


def test_a_key_is_not_removed_without_an_answer(repository: Repository, tmp_path: Path) -> None:
    slot = add_key(repository, tmp_path / "second.key", "full")
    outcome = repository.program.under("setsid", "--wait").run(*key(repository, "remove", slot)).require(1)
    assert "--yes" in outcome.errors
    repository.opened_by(tmp_path / "second.key").run("snapshots").require(0)


def test_removing_a_slot_that_is_not_there_says_so(repository: Repository) -> None:
    assert "ffffffff" in repository.program.run(*key(repository, "remove", "ffffffff", "--yes")).require(1).errors


def test_a_changed_key_replaces_the_old_one(repository: Repository, image: Path, tmp_path: Path) -> None:
    snapshot = repository.snapshot(image)
    (summary,) = repository.program.run(
        *key(repository, "change", "--json", "--new-key-file", tmp_path / "new.key")).require(0).of_type("summary")
    assert summary["operation"] == "key_change" and summary["slot_id"] != summary["old_slot_id"]
    repository.run("snapshots").require(12)
    changed = repository.opened_by(tmp_path / "new.key")
    changed.require_equal(snapshot, image, tmp_path / "back.img")
    changed.require_clean()


@needs_strace
@pytest.mark.parametrize("command", [["add", "--role", "full"], ["change"]], ids=lambda command: command[0])
@pytest.mark.parametrize(("call", "number"), [(call, number) for call in ("linkat", "fsync", "unlinkat", "unlink") for number in ("1", "2", "1+")])
def test_a_new_key_file_goes_again_where_it_opens_nothing(
        repository: Repository, image: Path, tmp_path: Path, command: list[str], call: str, number: str) -> None:
    """Whatever call fails: afterwards there is a key file that opens the repository, or none."""
    snapshot = repository.snapshot(image)
    new = tmp_path / "new.key"
    arguments = [*key(repository, *command), "--new-key-file", new]
    failing = under_strace(repository.program, "--seccomp-bpf", "-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={number}")
    outcome = failing.run(*arguments)
    assert outcome.status in (0, 1)
    if new.exists():
        repository.opened_by(new).require_equal(snapshot, image, tmp_path / "back.img")
    else:
        assert outcome.status == 1 and (f"removed the key file {new} again" in outcome.errors or f"{new}: writing failed" in outcome.errors)
        repository.require_equal(snapshot, image, tmp_path / "back.img")
    assert (new.exists(), outcome.status) != (True, 1) or (call, number) != ("linkat", "1+")


def test_a_key_file_that_was_there_stays_where_adding_it_fails(repository: Repository) -> None:
    before = repository.key_file.read_bytes()
    outcome = repository.program.run(*key(repository, "add", "--role", "full", "--new-key-file", repository.key_file)).require(1)
    assert "removed" not in outcome.errors and repository.key_file.read_bytes() == before


@pytest.mark.parametrize("form", ["line", "words", "file"])
def test_the_recovery_key_opens_everything_when_the_password_is_lost(holdfast: Program, tmp_path: Path, form: str) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    folder = tmp_path / "repository"
    forgotten = holdfast.with_variables(HOLDFAST_PASSWORD="forgotten soon")
    shown = forgotten.run("init", "-r", folder, "--recovery-file", tmp_path / "recovery").require(0).output
    forgotten.run("backup", "-r", folder, image).require(0)
    line = (tmp_path / "recovery").read_bytes()
    assert line.decode().strip() in shown
    words = shown.split("24 words:")[1].split("or as the line")[0].split()
    assert [int(number) for number in words[0::2]] == list(range(1, 25))
    spoken = " ".join(words[1::2]).encode()
    # Another machine, which has nothing but the paper.
    other = holdfast.at_home(tmp_path / "other-home")
    options = ["--key-file", tmp_path / "recovery"] if form == "file" else ["--recovery"]
    typed = {"line": line, "words": spoken, "file": b""}[form]
    other.run("restore", "-r", folder, *options, "latest", tmp_path / "back.img", standard_input=typed).require(0)
    assert (tmp_path / "back.img").read_bytes() == image.read_bytes()
    other.run(
        "key", "add", "-r", folder, *options, "--new-key-file", tmp_path / "new.key", "--role", "full", standard_input=typed).require(0)
    other.run("snapshots", "-r", folder, "--key-file", tmp_path / "new.key").require(0)


def test_a_mistyped_recovery_key_is_told_apart_from_a_wrong_one(repository: Repository) -> None:
    line = repository.recovery_file.read_text().strip()
    mistyped = line[:20] + ("A" if line[20] != "A" else "B") + line[21:]
    outcome = repository.program.run("snapshots", "-r", repository.folder, "--recovery", standard_input=mistyped.encode())
    assert outcome.status in (1, 12) and "check" in outcome.errors.lower()
