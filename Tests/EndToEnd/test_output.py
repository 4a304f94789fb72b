"""What is printed: JSON as Specs/json.md describes it, and silence when asked for."""

import re
from pathlib import Path
from typing import Any

import pytest

from support.images import MIB, make_image
from support.repository import Repository

HEXADECIMAL_ID = re.compile(r"[0-9a-f]{32}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
SNAPSHOT_MEMBERS = {
    "id", "parent", "host", "start_time", "end_time", "tool", "tags", "description", "complete", "ordinal", "slot_id", "digest",
    "forgotten", "protected", "counters", "images"}
COUNTERS = {
    "image_byte_count", "read_byte_count", "unreadable_byte_count", "taken_byte_count", "audited_byte_count", "chunk_count", "new_chunk_count", "new_byte_count",
    "stored_byte_count"}
PROGRESS_MEMBERS = {
    "operation", "total_byte_count", "done_byte_count", "read_byte_count", "new_byte_count", "stored_byte_count", "seconds",
    "bytes_per_second", "seconds_left"}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return make_image(tmp_path / "disk.img", 6 * MIB)


def require_snapshot(value: dict[str, Any], image: Path) -> None:
    assert SNAPSHOT_MEMBERS <= value.keys() and COUNTERS <= value["counters"].keys()
    assert HEXADECIMAL_ID.fullmatch(value["id"]) and HEXADECIMAL_ID.fullmatch(value["slot_id"])
    assert TIME.fullmatch(value["start_time"]) and TIME.fullmatch(value["end_time"])
    assert all(isinstance(value["counters"][name], int) for name in COUNTERS)
    (entry,) = value["images"]
    assert entry["name"] == entry["source_path"] == str(image) and entry["byte_count"] == 6 * MIB
    assert entry["source_kind"] == "file" and entry["volume_count"] == 1


def test_backup_snapshots_and_show_describe_the_same_snapshot(repository: Repository, image: Path) -> None:
    first = repository.backup(image)
    summary = repository.backup("--tag", "a", "--tag", "b", "--description", "two words", "--host", "tower", image)
    require_snapshot(summary["snapshot"], image)
    assert summary["data_pack_count"] == 0 and summary["unreadable"] == [] and isinstance(summary["milliseconds"], int)
    assert summary["snapshot"]["tags"] == ["a", "b"] and summary["snapshot"]["description"] == "two words"
    listed = [value["snapshot"] for value in repository.run("snapshots", "--json").require(0).of_type("snapshot")]
    assert [each["id"] for each in listed] == [first["snapshot"]["id"], summary["snapshot"]["id"]]
    assert listed[1] == summary["snapshot"] and listed[1]["ordinal"] == 2
    (shown,) = repository.run("show", "--json", "latest").require(0).objects
    assert shown["snapshot"] == summary["snapshot"] and isinstance(shown["manifest"], dict)
    words = repository.run("show", "latest").require(0).output
    assert all(text in words for text in ("two words", "tower", str(image), summary["snapshot"]["id"]))


def test_every_object_of_every_command_has_a_type(repository: Repository, image: Path, tmp_path: Path) -> None:
    repository.snapshot(image)
    for command in (
            ["backup", image], ["snapshots"], ["show", "latest"], ["restore", "latest", tmp_path / "new.img"], ["check"], ["stats"],
            ["restore", "--dry-run", "latest", tmp_path / "other.img"], ["diff", "latest", "latest"], ["key", "list"]):
        words = command[:2] if command[0] == "key" else command[:1]
        outcome = repository.program.run(
            *words, "-r", repository.folder, "--key-file", repository.key_file, "--json", *command[len(words):]).require(0)
        assert outcome.objects and all(isinstance(value.get("type"), str) for value in outcome.objects), command


def test_progress_is_told_once_a_second(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "big.img", 24 * MIB)
    outcome = repository.run("backup", "--json", "--limit-rate", "8MiB", image).require(0)
    progress = outcome.of_type("progress")
    assert 1 <= len(progress) <= 10
    assert all(PROGRESS_MEMBERS <= value.keys() and value["operation"] == "backup" for value in progress)
    done = [value["done_byte_count"] for value in progress]
    assert done == sorted(done) and all(0 <= value <= 24 * MIB for value in done)
    assert {value["total_byte_count"] for value in progress} == {24 * MIB}


def test_errors_are_told_as_json_too(repository: Repository) -> None:
    outcome = repository.run("show", "--json", "latest").require(1)
    (error,) = outcome.of_type("error")
    assert error["status"] == 1 and error["message"] and error["message"] in outcome.errors


def test_quiet_prints_the_result_and_nothing_else(repository: Repository, image: Path, tmp_path: Path) -> None:
    for command in (["backup", "--quiet", image], ["check", "-q", "--read-data"], ["restore", "--quiet", "latest", tmp_path / "new.img"]):
        outcome = repository.run(*command).require(0)
        assert outcome.errors == "" and 1 <= len(outcome.output.splitlines()) <= 2
    assert repository.run("restore", "--quiet", "latest", "-").require(0).errors == ""


def test_init_tells_the_repository_and_not_the_recovery_key(repository: Repository, tmp_path: Path) -> None:
    recovery_file = tmp_path / "recovery"
    outcome = repository.program.run(
        "init", "-r", tmp_path / "second", "--key-file", repository.key_file, "--json", "--recovery-file", recovery_file).require(0)
    (summary,) = outcome.objects
    assert summary["operation"] == "init" and summary["place"] == str(tmp_path / "second")
    assert summary["recovery_file"] == str(recovery_file) and HEXADECIMAL_ID.fullmatch(summary["repository_id"])
    secret = recovery_file.read_text().split(":")[1]
    assert len(secret) == 64 and secret not in outcome.text
    assert recovery_file.stat().st_mode & 0o077 == 0


def test_one_is_not_counted_as_several(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "small.img").write_bytes(b"x")
    plural = re.compile(r"\b1 (snapshots|packs|chunks|bytes|images|errors|hours)\b")
    for command in (["backup", tmp_path / "small.img"], ["check", "--read-data"], ["repair"], ["show", "latest"], ["prune", "--dry-run"], ["forget", "--keep-last", "1"]):
        text = repository.run(*command).require(0).text
        assert not plural.search(text), text
    assert "Checked 1 snapshot, 2 packs" in repository.run("check").require(0).output
    assert "Looked at 1 snapshot and 2 packs" in repository.run("repair").require(0).output
