"""Images from standard input and from what a command prints."""

import subprocess
from pathlib import Path

from support.images import MIB, make_image, random_bytes
from support.repository import Repository


def test_standard_input_becomes_an_image(repository: Repository) -> None:
    data = random_bytes(5 * MIB + 13, seed=1) + bytes(3 * MIB)
    repository.run("backup", "--stdin-name", "dump", standard_input=data).require(0)
    assert repository.run("restore", "latest::dump", "-").require(0).output_bytes == data
    (shown,) = repository.run("show", "--json", "latest").require(0).objects
    assert shown["snapshot"]["images"][0]["source_kind"] == "stream"


def test_a_stream_without_a_byte_makes_no_snapshot(repository: Repository) -> None:
    # As a rule the program that should have written has failed.
    outcomes = [
        repository.run("backup", "--stdin-name", "dump", standard_input=b""),
        repository.run("backup", "--stdin-command", "true"),
    ]
    for outcome in outcomes:
        assert "first byte" in outcome.require(1).errors
    assert repository.snapshot_ids() == []


def test_a_closed_standard_input_is_an_empty_one(repository: Repository) -> None:
    command = repository.program.command(*repository.arguments("backup", "--stdin-name", "dump"))
    closed = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], env=repository.program.environment, timeout=60, capture_output=True)
    assert closed.returncode == 1 and b"first byte" in closed.stderr


def test_what_a_command_prints_becomes_an_image(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 3 * MIB)
    repository.run("backup", "--stdin-command", f"cat '{image}'").require(0)
    repository.require_equal("latest::stdin", image, tmp_path / "back.img")
    repository.run("backup", "--stdin-command", f"cat '{image}'", "--stdin-name", "dump").require(0)
    repository.require_equal("latest::dump", image, tmp_path / "back.img")


def test_a_failed_command_makes_no_snapshot(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 3 * MIB)
    for command, told in ((f"cat '{image}'; exit 7", "7"), (f"cat '{image}'; kill -9 $$", "9"), ("/nonexistent/dump", "127")):
        outcome = repository.run("backup", "--stdin-command", command).require(1)
        assert told in outcome.errors and command in outcome.errors
        assert repository.snapshot_ids() == []
    repository.require_clean()


def test_a_file_and_a_stream_go_into_one_snapshot(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 2 * MIB)
    repository.run("backup", "--stdin-name", "dump", image, standard_input=b"some text").require(0)
    assert repository.run("restore", "latest::dump", "-").require(0).output_bytes == b"some text"
    repository.require_equal(f"latest::{image}", image, tmp_path / "back.img")
