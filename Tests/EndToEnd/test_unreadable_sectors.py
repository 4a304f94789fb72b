"""Sectors that cannot be read."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, run
from support.images import MIB, make_image
from support.repository import Repository

pytestmark = pytest.mark.root


def test_a_device_that_fails_at_its_end_is_backed_up_as_far_as_it_goes(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    backing = make_image(tmp_path / "backing", 48 * MIB)
    original = backing.read_bytes()
    device = cleanup.enter_context(loop_device(backing))
    with backing.open("r+b") as file:
        file.truncate(47 * MIB + 8192)
    run("blockdev", "--flushbufs", device)
    outcome = repository.run("backup", "--json", device).require(3)
    (summary,) = outcome.of_type("summary")
    lost = [(each["offset"], each["offset"] + each["byte_count"]) for each in summary["unreadable"]]
    assert lost == [(47 * MIB + 8192, 48 * MIB)]
    assert str(device) in outcome.errors and "could not be read" in outcome.errors
    restored = repository.run("restore", "latest", tmp_path / "back.img").require(3)
    assert "zeros" in restored.errors
    assert (tmp_path / "back.img").read_bytes() == original[:47 * MIB + 8192] + bytes(MIB - 8192)
    (shown,) = repository.run("snapshots", "--json").require(0).of_type("snapshot")
    assert shown["snapshot"]["complete"] is False
    repository.require_clean()


def test_a_bad_sector_in_the_middle_costs_that_sector_only(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    image = make_image(tmp_path / "disk.img", 8 * MIB)
    device = cleanup.enter_context(loop_device(image))
    name = f"holdfast-test-{tmp_path.name}"
    table = f"0 5000 linear {device} 0\n5000 8 error\n5008 {8 * MIB // 512 - 5008} linear {device} 5008\n"
    try:
        run("dmsetup", "create", name, "--table", table)
    except (AssertionError, FileNotFoundError) as error:
        pytest.skip(f"device mapper does not work here: {error}")
    cleanup.callback(run, "dmsetup", "remove", "--retry", name)
    outcome = repository.run("backup", "--json", f"/dev/mapper/{name}").require(3)
    lost = [(each["offset"], each["offset"] + each["byte_count"]) for each in outcome.of_type("summary")[0]["unreadable"]]
    begin, end = lost[0][0], lost[-1][1]
    assert begin <= 5000 * 512 and 5008 * 512 <= end and end - begin <= 64 * 1024
    expected = bytearray(image.read_bytes())
    for low, high in lost:
        expected[low:high] = bytes(high - low)
    assert repository.run("restore", "latest", "-").require(3).output_bytes == bytes(expected)
