"""Sources that are frozen while they are read, and thawed whatever happens."""

import os
import re
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, mounted, run, unmount
from support.file_systems import churn, tree_of
from support.freezing import freeze, guardians, is_written, thaw, volume, wait_for, wait_until_frozen, writer
from support.images import MIB, make_image
from support.program import finish
from support.repository import Repository
from support.tracing import needs_strace, under_strace

pytestmark = pytest.mark.root


@pytest.fixture
def device_and_folder(tmp_path: Path, cleanup: ExitStack) -> tuple[Path, Path]:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted"))
    make_image(folder / "letters", 200 * MIB)
    return device, folder


def slow_backup(repository: Repository, device: Path, folder: Path, *options: object) -> "subprocess.Popen[bytes]":
    """One that keeps `folder` frozen for half a minute."""
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "8MiB", "--freeze", folder, *options, device))
    wait_until_frozen(folder)
    return process


def check(image: Path, type_name: str, folder: Path) -> None:
    """Sound without anything being played back, or with what the file system itself leaves in a log when it is frozen."""
    if type_name == "ext4":
        assert "needs_recovery" not in run("dumpe2fs", "-h", image)
        run("e2fsck", "-f", "-n", image)
    elif type_name == "btrfs":
        run("btrfs", "check", "--readonly", image)
    else:
        # XFS leaves one record in its log on purpose. Everything stands where it belongs all the same.
        with mounted(image, folder, "-o", "ro,norecovery,nouuid,loop"):
            assert tree_of(folder)
        with mounted(image, folder, "-o", "nouuid,loop"):
            pass
        run("xfs_repair", "-n", image)


@pytest.mark.parametrize("type_name", ["ext4", "xfs", "btrfs"])
def test_a_frozen_file_system_is_sound_in_the_snapshot_and_goes_on_afterwards(
        repository: Repository, tmp_path: Path, cleanup: ExitStack, type_name: str) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", type_name))
    count = cleanup.enter_context(writer(folder))
    for turn in range(3):
        wait_for(lambda: count() > 100 * (turn + 1))
        outcome = repository.run("backup", "--freeze", folder, device).require(0)
        assert "in use" not in outcome.errors
        before = count()
        wait_for(lambda: count() > before + 20, 20)
        repository.run("restore", "latest", tmp_path / "back.img").require(0)
        check(tmp_path / "back.img", type_name, tmp_path / "seen")
        (tmp_path / "back.img").unlink()
    assert guardians(folder) == []


def test_a_frozen_xfs_tells_itself_what_it_does_not_use(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", "xfs"))
    for number in range(6):
        make_image(folder / f"deleted {number}", 20 * MIB, number)
    churn(folder, 8)
    run("sync", "-f", folder)
    for number in range(6):
        (folder / f"deleted {number}").unlink()
    # It frees blocks when it finds the time.
    wait_for(lambda: used_byte_count(folder) < 60 * MIB)
    used = used_byte_count(folder)
    outcome = repository.run("backup", "--json", "--freeze", folder, device).require(0)
    assert outcome.errors == "" and not outcome.of_type("warning")
    expected = tree_of(folder)
    (summary,) = outcome.of_type("summary")
    # The log is no block that could be used, and in use all the same.
    assert summary["snapshot"]["counters"]["read_byte_count"] <= used * 1.02 + 66 * MIB < device_byte_count(device) / 2
    repository.run("restore", "latest", tmp_path / "back.img").require(0)
    check(tmp_path / "back.img", "xfs", tmp_path / "seen")
    with mounted(tmp_path / "back.img", tmp_path / "seen", "-o", "nouuid,loop"):
        assert tree_of(tmp_path / "seen") == expected
    used_by_disk = repository.run("show", "latest", "--json").require(0).of_type("snapshot")[0]["manifest"]["images"][0]["volumes"][0]["file_system"]["used_byte_count"]
    assert used_by_disk < device_byte_count(device) / 2


def used_byte_count(folder: Path) -> int:
    status = os.statvfs(folder)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def device_byte_count(device: Path) -> int:
    return int(run("blockdev", "--getsize64", device))


def test_the_image_file_behind_a_frozen_file_system_is_sound(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    _, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted"))
    count = cleanup.enter_context(writer(folder))
    wait_for(lambda: count() > 100)
    outcome = repository.run("backup", "--freeze", folder, tmp_path / "source").require(0)
    assert "warning" not in outcome.errors
    repository.run("restore", "latest", tmp_path / "back.img").require(0)
    check(tmp_path / "back.img", "ext4", tmp_path / "seen")


def test_what_was_written_up_to_the_freezing_is_in_the_snapshot(repository: Repository, device_and_folder: tuple[Path, Path], tmp_path: Path) -> None:
    device, folder = device_and_folder
    (tmp_path / "password").write_text("secret")
    (tmp_path / "password").chmod(0o600)
    place = tmp_path / "with password"
    repository.program.run("init", "-r", place, "--password-file", tmp_path / "password").require(0)
    # Run when the source is open already. Whoever reads the device leaves it in its page cache, which the file system writes past.
    meanwhile = f"dd if={device} of=/dev/null bs=1M status=none; yes new | dd of={folder}/letters bs=1M count=9 iflag=fullblock conv=notrunc status=none; printf secret"
    repository.program.run("backup", "-r", place, "--password-command", meanwhile, "--freeze", folder, device).require(0)
    repository.program.run("restore", "-r", place, "--password-file", tmp_path / "password", "latest", tmp_path / "back.img").require(0)
    with mounted(tmp_path / "back.img", tmp_path / "seen", "-o", "ro,loop") as seen:
        assert (seen / "letters").read_bytes() == (folder / "letters").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_what_ends_the_program_thaws_at_once(repository: Repository, device_and_folder: tuple[Path, Path], number: signal.Signals) -> None:
    device, folder = device_and_folder
    process = slow_backup(repository, device, folder)
    assert len(guardians(folder)) == 1
    os.killpg(process.pid, number)
    assert is_written(folder, 1)
    finish(process).require(-9 if number == signal.SIGKILL else 130)
    wait_for(lambda: guardians(folder) == [], 2)
    assert not thaw(folder) and repository.snapshot_ids() == []
    repository.backup("--freeze", folder, device)


def test_an_interrupt_thaws_before_sources_have_ended(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", byte_count=64 * MIB))
    # A command that does not end when it is asked to has two seconds.
    process = repository.program.start(*repository.arguments(
        "backup", "--freeze", folder, device, "--stdin-command", "trap '' TERM; echo data; sleep 61"))
    wait_until_frozen(folder)
    time.sleep(3)  # The device is read by now, and the command waited for.
    os.kill(process.pid, signal.SIGINT)
    assert is_written(folder, 1)
    finish(process).require(130)


def test_a_signal_to_all_programs_of_the_terminal_leaves_the_guardian_at_work(repository: Repository, device_and_folder: tuple[Path, Path]) -> None:
    device, folder = device_and_folder
    process = slow_backup(repository, device, folder)
    (guardian,) = guardians(folder)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE):
        os.kill(guardian, number)
    assert not is_written(folder, 1) and guardians(folder) == [guardian]
    os.kill(process.pid, signal.SIGKILL)
    assert is_written(folder, 1)
    finish(process)


@needs_strace
def test_it_is_thawed_before_packs_and_manifest_are_written(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", byte_count=64 * MIB))
    make_image(folder / "letters", 24 * MIB)
    slow = under_strace(repository.program, "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:delay_enter=1500000")
    process = slow.start(*repository.arguments("backup", "--limit-rate", "16MiB", "--freeze", folder, device))
    wait_until_frozen(folder)
    wait_for(lambda: is_written(folder, 0.4))
    assert process.poll() is None and repository.snapshot_ids() == []
    finish(process).require(0)


def test_after_the_longest_time_it_is_thawed_and_the_snapshot_is_incomplete(repository: Repository, device_and_folder: tuple[Path, Path]) -> None:
    device, folder = device_and_folder
    start = time.monotonic()
    process = repository.program.start(
        *repository.arguments("backup", "--json", "--limit-rate", "24MiB", "--freeze", folder, "--freeze-timeout", "3s", device))
    wait_until_frozen(folder)
    wait_for(lambda: is_written(folder, 0.4))
    assert time.monotonic() - start < 6 and process.poll() is None
    outcome = finish(process).require(3)
    assert "thawed after 3 seconds" in outcome.errors and "--freeze-timeout" in outcome.errors
    assert outcome.of_type("summary")[0]["snapshot"]["complete"] is False


def test_a_program_that_is_stopped_keeps_nothing_frozen_for_longer(repository: Repository, device_and_folder: tuple[Path, Path]) -> None:
    device, folder = device_and_folder
    process = slow_backup(repository, device, folder, "--freeze-timeout", "4s")
    os.kill(process.pid, signal.SIGSTOP)
    wait_for(lambda: is_written(folder, 0.4), 6)
    os.kill(process.pid, signal.SIGKILL)
    finish(process)


def test_without_its_guardian_the_program_thaws_itself(repository: Repository, device_and_folder: tuple[Path, Path]) -> None:
    device, folder = device_and_folder
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "64MiB", "--freeze", folder, device))
    wait_until_frozen(folder)
    for guardian in guardians(folder):
        os.kill(guardian, signal.SIGKILL)
    assert not is_written(folder, 0.4)
    finish(process).require(0)
    assert is_written(folder, 1) and not thaw(folder)


def test_without_its_guardian_it_is_thawed_after_the_longest_time_too(repository: Repository, device_and_folder: tuple[Path, Path]) -> None:
    device, folder = device_and_folder
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "8MiB", "--freeze", folder, "--freeze-timeout", "2s", device))
    wait_until_frozen(folder)
    for guardian in guardians(folder):
        os.kill(guardian, signal.SIGKILL)
    wait_for(lambda: is_written(folder, 0.4), 6)
    assert process.poll() is None
    outcome = finish(process).require(3)
    assert "not of one moment" in outcome.errors and not thaw(folder)


def test_somebody_who_thaws_it_is_told_of(repository: Repository, device_and_folder: tuple[Path, Path]) -> None:
    device, folder = device_and_folder
    process = repository.program.start(*repository.arguments("backup", "--limit-rate", "64MiB", "--freeze", folder, device))
    wait_until_frozen(folder)
    assert thaw(folder)
    outcome = finish(process).require(3)
    assert "somebody else thawed" in outcome.errors and str(folder) in outcome.errors


def test_what_somebody_else_froze_is_left_frozen(repository: Repository, device_and_folder: tuple[Path, Path]) -> None:
    device, folder = device_and_folder
    freeze(folder)
    outcome = repository.run("backup", "--freeze", folder, device).require(1)
    assert str(folder) in outcome.errors and "frozen already" in outcome.errors
    assert not is_written(folder, 0.5)
    assert thaw(folder) and repository.snapshot_ids() == []


def test_a_file_system_that_lies_on_another_is_frozen_first(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    _, outer = cleanup.enter_context(volume(tmp_path / "outer", tmp_path / "outer mounted", byte_count=400 * MIB))
    device, inner = cleanup.enter_context(volume(outer / "inner", tmp_path / "inner mounted", byte_count=200 * MIB))
    make_image(inner / "letters", 64 * MIB)
    start = time.monotonic()
    repository.run("backup", "--freeze", outer, "--freeze", inner, "--freeze-timeout", "20s", device).require(0)
    assert time.monotonic() - start < 15 and not thaw(inner) and not thaw(outer)


def refused(repository: Repository, folder: Path, device: Path) -> str:
    outcome = repository.run("backup", "--freeze", folder, device)
    assert outcome.status == 64 and is_written(folder, 1) and not thaw(folder)
    (line,) = outcome.errors.splitlines()
    return line


def test_what_the_program_writes_to_is_not_frozen(repository: Repository, device_and_folder: tuple[Path, Path], tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = device_and_folder
    inside = Repository.create(repository.program, folder / "repository", tmp_path / "inside.key")
    assert f"the repository {folder}/repository lies on it" in refused(inside, folder, device)
    seen = cleanup.enter_context(mounted(folder, tmp_path / "bound", "--bind"))
    assert f"{seen}/repository lies on it" in refused(Repository(inside.program, seen / "repository", inside.key_file), folder, device)
    for variable in ("HOLDFAST_CACHE_DIR", "HOLDFAST_STATE_DIR"):
        there = repository.using(repository.program.with_variables(**{variable: str(folder / "none" / "yet")}))
        assert variable in refused(there, folder, device)
    for stream, name in (("stdout", "standard output"), ("stderr", "standard error")):
        with (folder / "log").open("wb") as log:
            command = repository.program.command(*repository.arguments("backup", "--freeze", folder, device))
            done = subprocess.run(command, env=repository.program.environment, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, stream: log}, timeout=60)
        assert done.returncode == 64 and name in (done.stderr or (folder / "log").read_bytes()).decode()
    assert repository.snapshot_ids() == []


def test_what_lies_on_it_through_a_loop_device_counts(repository: Repository, device_and_folder: tuple[Path, Path], tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = device_and_folder
    _, other = cleanup.enter_context(volume(folder / "disk", tmp_path / "other", byte_count=32 * MIB))
    inside = Repository.create(repository.program, other / "repository", tmp_path / "inside.key")
    assert "the repository" in refused(inside, folder, device)


def test_a_subvolume_is_a_part_of_what_is_frozen(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", "btrfs"))
    run("btrfs", "subvolume", "create", folder / "part")
    part = cleanup.enter_context(mounted(device, tmp_path / "part", "-o", "subvol=part"))
    inside = Repository.create(repository.program, part / "repository", tmp_path / "inside.key")
    assert "the repository" in refused(inside, folder, device)
    assert "frozen" not in repository.run("backup", "--freeze", folder, "--freeze", part, device).require(0).errors


def test_a_file_system_on_two_devices_is_frozen_on_both(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    devices = []
    for name in ("first", "second"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(200 * MIB)
        devices.append(cleanup.enter_context(loop_device(tmp_path / name)))
    run("mkfs.btrfs", "-q", "-d", "raid0", *devices)
    run("btrfs", "device", "scan", *devices)
    folder = cleanup.enter_context(mounted(devices[0], tmp_path / "mounted"))
    cleanup.callback(thaw, folder)
    make_image(folder / "letters", 20 * MIB)
    assert "in use" not in repository.run("backup", "--freeze", folder, *devices).require(0).errors
    for device in devices:
        repository.run("restore", f"latest::{device}", tmp_path / f"back-{device.name}").require(0)
    expected = (folder / "letters").read_bytes()
    unmount(folder)
    for device in devices:
        run("dd", f"if={tmp_path}/back-{device.name}", f"of={device}", "bs=1M")
    run("btrfs", "check", "--readonly", devices[0])
    run("mount", devices[0], folder)
    assert (folder / "letters").read_bytes() == expected


def test_only_a_mount_point_of_what_can_be_frozen_is(repository: Repository, device_and_folder: tuple[Path, Path], tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = device_and_folder
    (folder / "inside").mkdir()
    outcome = repository.run("backup", "--freeze", folder / "inside", device).require(1)
    assert "no mount point" in outcome.errors and str(folder) in outcome.errors
    assert "no such file" in repository.run("backup", "--freeze", tmp_path / "none", device).require(1).errors
    memory = cleanup.enter_context(mounted("none", tmp_path / "memory", "-t", "proc"))
    assert "cannot be frozen" in repository.run("backup", "--freeze", memory, device).require(1).errors
    assert "--freeze-timeout" in repository.run("backup", "--freeze-timeout", "10s", device).require(64).errors
    assert repository.snapshot_ids() == []


def test_a_mounted_writable_device_is_warned_of_unless_it_holds_still(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    device, folder = cleanup.enter_context(volume(tmp_path / "source", tmp_path / "mounted", byte_count=64 * MIB))
    for source in (device, tmp_path / "source"):
        errors = repository.run("backup", source).require(0).errors
        assert re.search(rf"warning: {source} is in use \(mounted at {folder}\).*--freeze {folder}.*--before", errors)
        for options in (["--freeze", folder], ["--before", "true"]):
            assert "warning" not in repository.run("backup", *options, source).require(0).errors
    run("mount", "-o", "remount,ro", folder)
    assert "warning" not in repository.run("backup", device).require(0).errors


def test_a_mounted_partition_of_the_disk_is_warned_of(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(100 * MIB)
    subprocess.run(["sfdisk", "-q", disk], input=b"label: gpt\nstart=2048, size=100000\nstart=120000\n", check=True)
    device = cleanup.enter_context(loop_device(disk))
    run("partx", "--update", device)
    run("mkfs.ext4", "-q", "-F", f"{device}p1")
    folder = cleanup.enter_context(mounted(f"{device}p1", tmp_path / "mounted"))
    cleanup.callback(thaw, folder)
    assert f"mounted at {folder}" in repository.run("backup", device).require(0).errors
    assert "warning" not in repository.run("backup", "--freeze", folder, device).require(0).errors
    assert "warning" not in repository.run("backup", f"{device}p2").require(0).errors
