"""Holes and zeros."""

from pathlib import Path

from support.images import GIB, MIB, allocated_byte_count, make_sparse, random_bytes
from support.repository import Repository


def test_holes_are_neither_read_nor_stored_nor_restored_as_data(repository: Repository, tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "sparse.img", 2 * GIB + 123, {0: b"begin", GIB + 77: random_bytes(2 * MIB, 1), 2 * GIB + 120: b"end"})
    summary = repository.backup(image)
    counters = summary["snapshot"]["counters"]
    assert counters["image_byte_count"] == 2 * GIB + 123
    assert counters["read_byte_count"] < 64 * MIB and counters["stored_byte_count"] < 4 * MIB
    target = tmp_path / "back.img"
    repository.run("restore", "--verify", "latest", target).require(0)
    assert target.stat().st_size == 2 * GIB + 123 and allocated_byte_count(target) < 8 * MIB
    with target.open("rb") as file:
        for offset, data in ((0, b"begin"), (GIB + 77, random_bytes(2 * MIB, 1)), (2 * GIB + 120, b"end"), (GIB // 2, bytes(MIB))):
            file.seek(offset)
            assert file.read(len(data)) == data


def test_zeros_that_are_written_out_become_holes(repository: Repository, tmp_path: Path) -> None:
    image = tmp_path / "zeros.img"
    image.write_bytes(bytes(40 * MIB) + b"x")
    assert repository.backup(image)["snapshot"]["counters"]["stored_byte_count"] < MIB
    repository.run("restore", "latest", tmp_path / "back.img").require(0)
    assert (tmp_path / "back.img").read_bytes() == image.read_bytes()
    assert allocated_byte_count(tmp_path / "back.img") < MIB


def test_zeros_of_the_image_overwrite_what_an_old_target_held(repository: Repository, tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "sparse.img", 40 * MIB, {20 * MIB: b"data"})
    repository.snapshot(image)
    target = tmp_path / "old.img"
    target.write_bytes(b"\xff" * (40 * MIB))
    repository.run("restore", "--yes", "--verify", "latest", target).require(0)
    assert target.read_bytes() == image.read_bytes()
