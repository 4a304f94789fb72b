"""Block devices as source and as target."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, mounted, run
from support.images import MIB, make_image
from support.repository import Repository

pytestmark = pytest.mark.root
BYTE_COUNT = 64 * MIB


def file_system(backing: Path, cleanup: ExitStack) -> Path:
    """A loop device with ext4 that holds a file."""
    with backing.open("wb") as file:
        file.truncate(BYTE_COUNT)
    run("mkfs.ext4", "-q", "-F", backing)
    device = cleanup.enter_context(loop_device(backing))
    with mounted(device, backing.with_suffix(".mounted")) as folder:
        make_image(folder / "letters", 5 * MIB)
    return device


def blank(backing: Path, byte_count: int, cleanup: ExitStack, content: bytes = b"\xee") -> Path:
    backing.write_bytes(content * byte_count)
    return cleanup.enter_context(loop_device(backing))


def device_bytes(device: Path) -> bytes:
    run("blockdev", "--flushbufs", device)
    return device.read_bytes()


def test_a_device_with_a_file_system_is_restored_onto_another(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = file_system(tmp_path / "source", cleanup)
    target = blank(tmp_path / "target", BYTE_COUNT, cleanup)
    summary = repository.backup("--all-blocks", source)
    assert summary["snapshot"]["images"][0]["source_kind"] == "device"
    repository.run("restore", "--yes", "--verify", "latest", target).require(0)
    assert device_bytes(target) == device_bytes(source)
    run("e2fsck", "-f", "-n", target)
    with mounted(target, tmp_path / "seen", "-o", "ro") as folder:
        assert (folder / "letters").stat().st_size == 5 * MIB


def test_a_device_is_restored_to_a_file_and_a_file_onto_a_device(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = file_system(tmp_path / "source", cleanup)
    repository.require_equal(repository.snapshot(source), tmp_path / "source", tmp_path / "back.img")
    image = make_image(tmp_path / "disk.img", 10 * MIB)
    target = blank(tmp_path / "target", BYTE_COUNT, cleanup)
    snapshot = repository.snapshot(image)
    repository.run("restore", "--yes", snapshot, target).require(0)
    restored = device_bytes(target)
    assert restored[:10 * MIB] == image.read_bytes() and restored[10 * MIB:] == b"\xee" * (BYTE_COUNT - 10 * MIB)


def test_a_device_is_not_overwritten_without_yes(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    repository.snapshot(file_system(tmp_path / "source", cleanup))
    target = blank(tmp_path / "target", BYTE_COUNT, cleanup)
    outcome = repository.run("restore", "latest", target).require(1)
    assert str(target) in outcome.errors and "--yes" in outcome.errors
    assert device_bytes(target) == b"\xee" * BYTE_COUNT


def test_a_mounted_device_is_refused_even_with_yes(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = file_system(tmp_path / "source", cleanup)
    repository.snapshot(source)
    target = file_system(tmp_path / "target", cleanup)
    with mounted(target, tmp_path / "busy"):
        outcome = repository.run("restore", "--yes", "latest", target).require(1)
    assert str(target) in outcome.errors and "mounted" in outcome.errors
    run("e2fsck", "-f", "-n", target)


def test_a_device_that_is_too_small_is_refused(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    repository.snapshot(file_system(tmp_path / "source", cleanup))
    target = blank(tmp_path / "target", BYTE_COUNT - MIB, cleanup)
    outcome = repository.run("restore", "--yes", "latest", target).require(1)
    assert str(target) in outcome.errors and str(BYTE_COUNT) in outcome.errors
    assert device_bytes(target) == b"\xee" * (BYTE_COUNT - MIB)


def test_restoring_onto_the_source_device_is_told(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = file_system(tmp_path / "source", cleanup)
    repository.snapshot(source)
    assert "source" in repository.run("restore", "latest", source).require(1).errors


def test_a_mounted_device_can_be_backed_up(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = file_system(tmp_path / "source", cleanup)
    with mounted(source, tmp_path / "busy"):
        repository.snapshot(source)
    repository.require_clean()


def test_a_mounted_device_is_backed_up_with_a_warning(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = file_system(tmp_path / "source", cleanup)
    with mounted(source, tmp_path / "seen"):
        errors = repository.run("backup", source).require(0).errors
    assert "warning" in errors and "in use" in errors and str(tmp_path / "seen") in errors
    assert "in use" not in repository.run("backup", source).require(0).errors


def test_what_was_overwritten_while_mounted_is_backed_up_as_it_is_now(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = file_system(tmp_path / "source", cleanup)
    with mounted(source, tmp_path / "busy") as folder:
        # Whoever reads the device leaves it in its page cache, which the file system writes past.
        run("dd", f"if={source}", "of=/dev/null", "bs=1M")
        with (folder / "letters").open("r+b") as file:
            file.write(b"new" * MIB)
        run("sync", "-f", folder)
        snapshot = repository.snapshot(source)
        repository.run("restore", snapshot, tmp_path / "back.img").require(0)
    with mounted(tmp_path / "back.img", tmp_path / "seen", "-o", "ro,loop,noload") as folder:
        assert (folder / "letters").read_bytes()[:3 * MIB] == b"new" * MIB
