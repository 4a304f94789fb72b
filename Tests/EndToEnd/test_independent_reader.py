"""The reader that was written from Specs/format alone restores what the program stored."""

import json
import random
from pathlib import Path

import pytest

from support.images import KIB, MIB, make_image, make_sparse, overwrite, random_bytes
from support.objects import flip, names_of_kind
from support.program import Program
from support.reader import read
from support.repository import Repository


def access(repository: Repository) -> list[object]:
    return ["--repository", repository.folder, "--key-file", repository.key_file]


def test_the_reader_restores_every_snapshot(repository: Repository, tmp_path: Path) -> None:
    disk = make_image(tmp_path / "disk.img", 18 * MIB + 5)
    sparse = make_sparse(tmp_path / "sparse.img", 600 * MIB, {0: b"x" * 4096, 500 * MIB: random_bytes(100 * KIB, 7)})
    text = tmp_path / "text.img"
    text.write_bytes(b"compresses well\n" * 200_000)
    empty = make_image(tmp_path / "empty.img", 0)
    states: dict[str, dict[Path, bytes]] = {}
    for number in range(3):
        overwrite(disk, number * 3 * MIB, random_bytes(70_000, seed=number))
        images = [disk, sparse, text, empty][:4 - number]
        compression = ["2", "none", "9"][number]
        snapshot = repository.snapshot("--compression", compression, *images)
        states[snapshot] = {image: image.read_bytes() for image in images}
    listed = [json.loads(line) for line in read(*access(repository), "list").stdout.splitlines()]
    assert [each["snapshot_id"] for each in listed] == list(states)
    for snapshot, images in states.items():
        for image, data in images.items():
            target = tmp_path / "back.img"
            done = read(*access(repository), "restore", snapshot, "--image", image, target)
            assert done.returncode == 0, done.stderr
            assert target.read_bytes() == data
            target.unlink()
    checked = read(*access(repository), "check")
    assert checked.returncode == 0 and json.loads(checked.stdout)["errors"] == 0, checked.stderr


def test_the_reader_opens_a_repository_by_its_password(holdfast: Program, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    (tmp_path / "password").chmod(0o600)
    image = make_image(tmp_path / "disk.img", 2 * MIB)
    access = ["-r", tmp_path / "repository", "--password-file", tmp_path / "password"]
    holdfast.run("init", *access, "--recovery-file", tmp_path / "recovery").require(0)
    holdfast.run("backup", *access, image).require(0)
    for option, file in (("--password-file", "password"), ("--key-file", "recovery")):
        done = read("--repository", tmp_path / "repository", option, tmp_path / file, "restore", "latest", tmp_path / option)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / option).read_bytes() == image.read_bytes()


@pytest.mark.parametrize("kind", ["config", "keyring", "packs", "maps", "index", "snapshots"])
def test_the_reader_finds_a_flipped_byte_too(repository: Repository, tmp_path: Path, kind: str) -> None:
    repository.snapshot(make_image(tmp_path / "disk.img", 300 * KIB))
    name = names_of_kind(repository.folder, kind)[0]
    path = repository.folder / name
    path.chmod(0o600)
    flip(path, random.Random(kind).randrange(path.stat().st_size), 0x10)
    done = read(*access(repository), "check")
    assert done.returncode in (1, 2) and done.stderr
    assert repository.check().status != 0


def test_the_reader_reads_a_repository_with_changed_keys(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    repository.snapshot(image)
    options = ["-r", repository.folder, "--key-file", repository.key_file]
    repository.program.run("key", "add", *options, "--new-key-file", tmp_path / "backup.key", "--role", "backup").require(0)
    backup_key = repository.opened_by(tmp_path / "backup.key")
    overwrite(image, 0, b"changed")
    backup_key.snapshot(image)
    slots = repository.program.run("key", "list", "--json", *options).require(0).of_type("slot")
    slot = next(slot["id"] for slot in slots if slot["role"] == "backup")
    repository.program.run("key", "remove", slot, "--yes", *options).require(0)
    done = read(*access(repository), "restore", "latest", tmp_path / "back.img")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back.img").read_bytes() == image.read_bytes()
    assert read("--repository", repository.folder, "--key-file", tmp_path / "backup.key", "list").returncode != 0
