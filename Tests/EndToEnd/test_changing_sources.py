"""Sources that shrink or grow while they are read, and the limit of the reading rate."""

import time
from pathlib import Path

from support.images import MIB, make_image, make_sparse, overwrite, random_bytes
from support.program import finish
from support.repository import Repository


def test_a_source_that_shrinks_is_told_range_by_range(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "shrinking.img", 96 * MIB)
    original = image.read_bytes()
    process = repository.program.start(*repository.arguments("backup", "--json", "--limit-rate", "24MiB", image))
    time.sleep(1)
    with image.open("r+b") as file:
        file.truncate(80 * MIB)
    outcome = finish(process).require(3)
    (summary,) = outcome.of_type("summary")
    (lost,) = summary["unreadable"]
    assert lost.items() >= {"image": str(image), "offset": 80 * MIB, "byte_count": 16 * MIB}.items()
    assert summary["snapshot"]["complete"] is False and summary["snapshot"]["counters"]["unreadable_byte_count"] == 16 * MIB
    assert str(image) in outcome.errors and str(80 * MIB) in outcome.errors and str(96 * MIB) in outcome.errors
    restored = repository.run("restore", "--json", "latest", tmp_path / "back.img").require(3)
    assert restored.of_type("summary")[0]["unreadable"] == [lost]
    assert (tmp_path / "back.img").read_bytes() == original[:80 * MIB] + bytes(16 * MIB)
    repository.require_clean()


def test_a_source_that_grows_brings_a_warning(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "growing.img", 48 * MIB)
    original = image.read_bytes()
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "24MiB", image))
    time.sleep(1)
    with image.open("ab") as file:
        file.write(random_bytes(MIB, 2))
    outcome = finish(process).require(0)
    assert "warning" in outcome.errors and str(image) in outcome.errors and "grew" in outcome.errors
    assert repository.run("restore", "latest", "-").require(0).output_bytes == original


def test_a_source_that_is_written_to_brings_a_warning(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "busy.img", 48 * MIB)
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "24MiB", image))
    time.sleep(1)
    overwrite(image, 47 * MIB, b"written meanwhile")
    outcome = finish(process).require(0)
    assert "warning" in outcome.errors and str(image) in outcome.errors and "written to" in outcome.errors
    assert "written to" not in repository.run("backup", image).require(0).errors
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_an_incomplete_snapshot_is_no_parent(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", 32 * MIB)
    whole = repository.snapshot(image)
    data = image.read_bytes()
    process = repository.program.start(*repository.arguments("backup", "--parent", "none", "--limit-rate", "12MiB", image))
    time.sleep(1)
    with image.open("r+b") as file:
        file.truncate(30 * MIB)
    finish(process).require(3)
    image.write_bytes(data)
    assert repository.backup(image)["snapshot"]["parent"] == whole
    repository.require_equal("latest", image, tmp_path / "back.img")


def test_reading_is_not_faster_than_the_limit(repository: Repository, tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 200 * MIB, {100 * MIB: random_bytes(24 * MIB, 1)})
    start = time.monotonic()
    repository.backup("--limit-rate", "8MiB", image)
    seconds = time.monotonic() - start
    # 24 MiB of data at 8 MiB/s; holes cost nothing. A burst at the beginning is allowed.
    assert 1.5 < seconds < 12
