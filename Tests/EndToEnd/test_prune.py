"""Freeing space: prune, sessions, and what happens when a prune is cut off."""

import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from support.images import KIB, MIB, make_image, overwrite, random_bytes
from support.objects import flip, names_of_kind
from support.reader import read
from support.repository import Repository


def byte_count(repository: Repository) -> int:
    return sum(file.stat().st_size for kind in ("packs", "maps") for file in (repository.folder / kind).rglob("*") if file.is_file())


def prune(repository: Repository, *options: object) -> dict[str, Any]:
    (summary,) = repository.run("prune", "--json", *options).require(0).of_type("summary" if "--dry-run" not in options else "plan")
    return summary


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", 8 * MIB)


@pytest.fixture
def generations(repository: Repository, image: Path) -> list[str]:
    """Three snapshots with nothing in common."""
    ids = []
    for seed in range(3):
        overwrite(image, 0, random_bytes(8 * MIB, seed=50 + seed))
        ids.append(repository.snapshot(image))
    return ids


def test_forgetting_and_pruning_frees_the_space(repository: Repository, image: Path, generations: list[str], tmp_path: Path) -> None:
    before = byte_count(repository)
    assert prune(repository)["deleted_pack_count"] == 0 and byte_count(repository) == before
    repository.run("forget", *generations[:2]).require(0)
    plan = prune(repository, "--dry-run")
    assert plan["forgotten"] == generations[:2] and byte_count(repository) == before, "a dry run deletes nothing"
    summary = prune(repository)
    assert summary["deleted_byte_count"] == plan["deleted_byte_count"] == before - byte_count(repository)
    assert summary["final_snapshot_count"] == 2 and byte_count(repository) < before * 0.4
    outcome = repository.check().require(0)
    assert outcome.of_type("problem") == []
    repository.require_equal(generations[2], image, tmp_path / "back.img")
    # The second reader, too, takes it for a whole repository.
    done = read("--repository", repository.folder, "--key-file", repository.key_file, "check")
    assert done.returncode == 0, done.stderr
    assert "no snapshot" in repository.run("undelete", generations[0]).require(1).errors
    assert repository.run("snapshots", "--forgotten", "--json").require(0).of_type("snapshot") == []
    assert "Nothing to delete" in repository.run("prune").require(0).errors


def test_what_is_needed_of_a_pack_is_copied_and_the_rest_freed(repository: Repository, image: Path, tmp_path: Path) -> None:
    first = repository.snapshot(image)
    overwrite(image, MIB, random_bytes(5 * MIB, seed=50))
    second = repository.snapshot(image)
    repository.run("forget", first).require(0)
    before = byte_count(repository)
    assert "to be copied" in repository.run("prune", "--dry-run").require(0).output
    # The first snapshot's map pack needs no copying.
    assert prune(repository, "--max-repack", "0")["written_pack_count"] == 0 and before - byte_count(repository) < 100 * KIB
    assert prune(repository, "--max-unused", "70%")["written_pack_count"] == 0 and before - byte_count(repository) < 100 * KIB
    summary = prune(repository)
    assert summary["written_pack_count"] > 0 and before - byte_count(repository) > 4 * MIB
    repository.require_equal(second, image, tmp_path / "back.img")
    assert repository.check("--read-data").require(0).of_type("problem") == []
    # The second reader, too, opens segments with the keys of several sessions.
    done = read("--repository", repository.folder, "--key-file", repository.key_file, "check")
    assert done.returncode == 0, done.stderr
    repository.run("forget", second, "--max-repack", "1GiB").require(64)


def test_a_key_that_cannot_read_data_may_be_allowed_to_prune(repository: Repository, image: Path, tmp_path: Path) -> None:
    first = repository.snapshot(image)
    overwrite(image, MIB, random_bytes(5 * MIB, seed=50))
    second = repository.snapshot(image)
    key = tmp_path / "janitor.key"
    repository.run("key", "add", "--role", "backup", "--allow", "prune", "forget-any", "--new-key-file", key).require(0)
    janitor = Repository(repository.program, repository.folder, key)
    janitor.run("forget", first).require(0)
    before = byte_count(repository)
    assert prune(janitor)["written_pack_count"] > 0 and before - byte_count(repository) > 3 * MIB
    janitor.run("restore", second, tmp_path / "no.img").require(1)
    repository.require_equal(second, image, tmp_path / "back.img")
    repository.require_clean()


def test_forget_prune_does_both(repository: Repository, image: Path, generations: list[str], tmp_path: Path) -> None:
    before = byte_count(repository)
    outcome = repository.run("forget", "--keep-last", 1, "--prune").require(0)
    assert "2 forgotten snapshots gone for good" in outcome.output
    assert byte_count(repository) < before * 0.4 and repository.snapshot_ids() == generations[2:]
    repository.require_equal("latest", image, tmp_path / "back.img")
    repository.run("forget", "--keep-last", 1, "--prune", "--dry-run").require(64)


def test_a_backup_that_was_killed_leaves_a_session_that_prune_ends(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    large = make_image(tmp_path / "large.img", 96 * MIB, 9)
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "16MiB", large))
    deadline = time.monotonic() + 30
    while not list((repository.folder / "sessions").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(1)
    (running,) = repository.run("sessions", "--json").require(0).of_type("session")
    assert running["session"]["kind"] == "backup" and not running["session"]["gone"]
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    (cut_off,) = repository.run("sessions", "--json").require(0).of_type("session")
    assert cut_off["session"]["gone"] and cut_off["session"]["id"] == running["session"]["id"]
    prune(repository)
    summary = prune(repository)
    assert summary["waits_for"] == []
    repository.require_clean()
    assert repository.snapshot(large) in repository.snapshot_ids()


@pytest.mark.root
@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_session_of_another_machine_is_ended_when_nothing_was_heard_of_it_for_a_day(repository: Repository, generations: list[str], tmp_path: Path) -> None:
    repository.run("forget", *generations[:2]).require(0)
    large = make_image(tmp_path / "large.img", 40 * MIB, 9)
    # Another name, and process numbers of its own, as in a container.
    elsewhere = repository.program.under(
        "unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh")
    process = elsewhere.start(*repository.arguments("backup", "--limit-rate", "4MiB", large))
    deadline = time.monotonic() + 30
    while not list((repository.folder / "sessions").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    container = repository.using(repository.program.under("unshare", "--pid", "--fork", "--mount-proc"))
    (running,) = container.run("sessions", "--json").require(0).of_type("session")
    assert not running["session"]["gone"], "in another container its number says nothing"
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)

    def waits_for(hours: int, *options: object) -> list[dict[str, object]]:
        later = repository.using(repository.program.under("faketime", "-f", f"+{hours}h"))
        (summary,) = later.run("prune", "--json", *options).require(0).of_type("summary")
        return list(summary["waits_for"])

    # Who can remember nothing promises nothing.
    forgetful = repository.using(repository.program.with_variables(HOME="", HOLDFAST_CACHE_DIR="", HOLDFAST_STATE_DIR=""))
    errors = forgetful.run("prune").require(0).errors
    assert "no state folder" in errors and "hear nothing" not in errors
    (first,) = waits_for(0)
    assert first["host"] == "elsewhere" and not first["gone"]
    (second,) = waits_for(23)
    assert second["id"] == first["id"] and 23 * 3600 <= int(str(second["silent_seconds"])) < 24 * 3600
    assert "hear nothing for 24 hours is ended" in repository.run("prune").require(0).errors
    assert "hear nothing for 90 minutes is ended" in repository.run("prune", "--end-silent", "90m").require(0).errors
    assert len(waits_for(25, "--end-silent", "never")) == 1 and len(waits_for(25, "--end-silent", "2d")) == 1
    assert waits_for(25) == []
    assert not list((repository.folder / "sessions").iterdir())
    assert repository.snapshot_ids() == generations[2:]
    repository.require_clean()
    repository.run("prune", "--end-silent", "10m").require(64)


def test_packs_of_a_snapshot_that_came_back_are_spared_and_no_backup_is_said_to_be_why(
        repository: Repository, generations: list[str], tmp_path: Path) -> None:
    repository.run("forget", *generations[:2]).require(0)
    large = make_image(tmp_path / "large.img", 40 * MIB, 9)
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "4MiB", large))
    while process.poll() is None and not list((repository.folder / "sessions").iterdir()):
        time.sleep(0.05)
    assert len(prune(repository)["waits_for"]) == 1
    repository.run("undelete", generations[0]).require(0)
    process.kill()
    process.communicate()
    output = repository.run("prune").require(0).output
    assert "spared, as they are needed after all" in output and "backup" not in output
    assert repository.snapshot_ids() == [generations[0], generations[2]]
    repository.require_clean()


@pytest.mark.parametrize("kind", ["packs", "maps"])
@pytest.mark.parametrize("is_gone", [True, False], ids=["gone", "damaged"])
@pytest.mark.parametrize("is_backed_up", [True, False])
def test_a_prune_that_stops_at_a_loss_names_the_snapshot_and_the_ways_out(
        repository: Repository, image: Path, tmp_path: Path, kind: str, is_gone: bool, is_backed_up: bool) -> None:
    if kind == "packs" and not is_gone:
        pytest.skip("a prune reads no data that stays")
    lost = repository.snapshot(image)
    (name, *_) = names_of_kind(repository.folder, kind)
    other = make_image(tmp_path / "other.img", 4 * MIB, seed=7)
    kept = repository.snapshot(other)
    repository.run("protect", lost).require(0)
    path = repository.folder / name
    if is_gone:
        path.unlink()
    else:
        path.chmod(0o600)
        for offset in range(50, path.stat().st_size, 20):
            flip(path, offset, 0xFF)
    for command in (["prune"], ["prune", "--dry-run"]):
        errors = repository.run(*command).require(1).errors
        assert lost in errors and kept not in errors
        assert all(f"holdfast {words}" in errors for words in ("check", "repair", f"unprotect {lost[:12]}", f"forget {lost[:12]}"))
    if is_backed_up:
        if not is_gone:
            repository.run("repair", "--read-data").require(1)
        repository.snapshot(image)
        repository.run("prune").require(0)
        repository.require_equal(lost, image, tmp_path / "back.img")
    else:
        repository.run("unprotect", lost[:12]).require(0)
        repository.run("forget", lost[:12]).require(0)
        repository.run("prune").require(0)
        repository.require_clean()
    repository.require_equal(kept, other, tmp_path / "back.img")


def test_a_prune_waits_for_a_running_backup_unless_it_is_ended(repository: Repository, image: Path, generations: list[str], tmp_path: Path) -> None:
    repository.run("forget", *generations[:2]).require(0)
    before = byte_count(repository)
    large = make_image(tmp_path / "large.img", 40 * MIB, 9)
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "4MiB", large))
    deadline = time.monotonic() + 30
    while not list((repository.folder / "sessions").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    outcome = repository.run("prune").require(0)
    assert "waits for" in outcome.output and byte_count(repository) >= before
    (running,) = repository.run("sessions", "--json").require(0).of_type("session")
    repository.run("sessions", "--end", "ffff").require(1)
    repository.run("sessions", "--end", running["session"]["id"][:10]).require(0)
    repository.run("prune").require(0)
    repository.require_equal("latest", image, tmp_path / "back.img")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 11, errors
    repository.run("prune").require(0)
    assert byte_count(repository) < before * 0.4
    repository.require_clean()


def test_a_prune_of_a_damaged_repository_deletes_nothing(repository: Repository, image: Path, generations: list[str]) -> None:
    repository.run("forget", generations[0]).require(0)
    manifest = repository.folder / "snapshots" / generations[1]
    sound = manifest.read_bytes()
    manifest.write_bytes(sound[:100] + bytes([sound[100] ^ 1]) + sound[101:])
    before = byte_count(repository)
    outcome = repository.run("prune").require(1)
    assert f"snapshots/{generations[1]}" in outcome.errors and "nothing is deleted" in outcome.errors
    assert byte_count(repository) == before
    manifest.write_bytes(sound)
    prune(repository)
    assert byte_count(repository) < before
    repository.require_clean()
