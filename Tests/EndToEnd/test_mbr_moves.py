"""Disks with an MBR, whose partitions move on a disk of another size: primary ones, and an extended one with all that it holds."""

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.devices import loop_device, run
from support.file_systems import FAT, NTFS, FileSystem, ext
from support.images import MIB, make_image, overwrite
from support.inspector import inspect
from support.partitions import content, disk, require_sound, table
from support.repository import Repository

ROOT = ext("root", byte_count=96 * MIB)
FILES = FAT("files", "vfat", ["mkfs.vfat", "-F", "16"], ["fsck.vfat", "-n"], 24 * MIB)
DEBIAN_DISK = 160 * MIB
# As the installer of Debian made them: the extended partition begins two sectors before its first one.
DEBIAN = f"""label: dos
label-id: 0xdeb1a100
start=2048, size={ROOT.byte_count // 512}, type=83, bootable
start=204798, size=83970, type=5
start=204800, size=32768, type=82
start=239616, size={FILES.byte_count // 512}, type=6
"""
SWAP_ID = "11111111-2222-3333-4444-555555555555"
HIDDEN = slice(28, 32)


def partition(path: Path, number: int) -> dict[str, Any]:
    return next(value for value in table(path)["partitions"] if value["node"].removeprefix(str(path)).removeprefix("p") == str(number))


def start(path: Path, number: int) -> int:
    found = partition(path, number)["start"] * 512
    assert isinstance(found, int)
    return found


def size(path: Path, number: int) -> int:
    found = partition(path, number)["size"] * 512
    assert isinstance(found, int)
    return found


def part(path: Path, number: int, folder: Path) -> Path:
    (folder / "part.img").write_bytes(content(path, partition(path, number)))
    return folder / "part.img"


def put(path: Path, number: int, image: Path) -> None:
    assert image.stat().st_size <= size(path, number)
    overwrite(path, start(path, number), image.read_bytes())


def partitioned(path: Path, byte_count: int, script: str) -> Path:
    """A disk that was used before."""
    overwrite(make_image(path, byte_count, 9), 0, bytes(MIB))
    done = subprocess.run(["sfdisk", "--quiet", "--no-tell-kernel", "--wipe", "never", path], input=script, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return path


def debian(folder: Path) -> Path:
    """Root, swap, a FAT, and what looks like a boot loader in front of them."""
    image = partitioned(folder / "debian.img", DEBIAN_DISK, DEBIAN)
    generator = random.Random(17)
    overwrite(image, 0, generator.randbytes(440))
    overwrite(image, 512, generator.randbytes(60_000))
    ROOT.fill(ROOT.create(folder / "root.img"), folder / "mounted")
    put(image, 1, folder / "root.img")
    run("mkswap", "-U", SWAP_ID, make_image(folder / "swap.img", 16 * MIB))
    put(image, 5, folder / "swap.img")
    run("mkfs.vfat", "-F", "16", "-h", start(image, 6) // 512, make_image(folder / "files.img", FILES.byte_count))
    FILES.fill(folder / "files.img", folder / "copied")
    put(image, 6, folder / "files.img")
    return image


def require_same_files(path: Path, other: Path, number: int, system: FileSystem, folder: Path) -> None:
    system.require_clean(part(path, number, folder))
    tree = system.tree(folder / "part.img", folder / "read")
    assert tree and tree == system.tree(part(other, number, folder), folder / "read")


def require_known(path: Path) -> None:
    """sfdisk, libblkid and the inspector find the same partitions, and nothing to complain of."""
    require_sound(path)
    found = table(path)["partitions"]
    answer = inspect(path)
    assert answer.label and answer.label["kind"] == "mbr" and answer.texts == ""
    assert [(value["offset"], value["byte_count"]) for value in answer.label["partitions"]] == [(value["start"] * 512, value["size"] * 512) for value in found]
    lines = [line.split() for line in run("partx", "--show", "--noheadings", "--output", "START,SECTORS,TYPE", path).splitlines()]
    expected = [(str(value["start"]), str(value["size"]), f"0x{value['type']}") for value in found]
    # It shows of an extended partition what the kernel does: its first sectors.
    assert [(line[0], line[2]) for line in lines] == [(value[0], value[2]) for value in expected]
    assert [line[1] for line in lines if line[2] not in ("0x5", "0xf")] == [value[1] for value in expected if value[2] not in ("0x5", "0xf")]


def require_debian(path: Path, source: Path, folder: Path) -> None:
    """All that it holds, and what boots it, wherever it stands."""
    require_known(path)
    assert table(path)["id"] == "0xdeb1a100"
    assert [(value["type"], value.get("bootable", False)) for value in table(path)["partitions"]] == [("83", True), ("5", False), ("82", False), ("6", False)]
    new, old = (file.read_bytes()[:MIB] for file in (path, source))
    assert new[:440] == old[:440] and new[512:] == old[512:], "what boots it"
    require_same_files(path, source, 1, ROOT, folder)
    require_same_files(path, source, 6, FILES, folder)
    assert f"UUID={SWAP_ID}" in run("blkid", "-p", "-o", "export", part(path, 5, folder))
    assert int.from_bytes(content(path, partition(path, 6))[HIDDEN], "little") * 512 == start(path, 6), "where the FAT says that it begins"


def image_of(repository: Repository, snapshot: str) -> dict[str, Any]:
    (shown,) = repository.run("show", snapshot, "--json").require(0).of_type("snapshot")
    (image,) = shown["manifest"]["images"]
    assert isinstance(image, dict)
    return image


def contents(image: dict[str, Any]) -> list[tuple[int, str | None, str | None]]:
    """Partitions with what they hold."""
    partitions = [(value["partition"], value["file_system"] or {}) for value in image["volumes"] if value["kind"] == "partition"]
    return [(number, holds.get("type"), holds.get("uuid")) for number, holds in partitions]


@pytest.mark.root
@pytest.mark.parametrize("byte_count", [200 * MIB, 128 * MIB + 512], ids=["larger", "smaller"])
def test_the_root_before_an_extended_partition_takes_what_is_left(repository: Repository, tmp_path: Path, byte_count: int) -> None:
    source = debian(tmp_path)
    snapshot = repository.snapshot(source)
    target = make_image(tmp_path / "target.img", 150 * MIB, 33)
    arguments = [snapshot, "--resize", "1", "--size", byte_count]
    plan = repository.run("restore", *arguments, "--dry-run", target).require(0).output
    assert f"Partition 1 becomes {'larger' if byte_count > DEBIAN_DISK else 'smaller'}" in plan and "Partition 5 moves" in plan and "Partition 6 moves" in plan
    repository.run("restore", *arguments, "--verify", "--yes", target).require(0)
    require_debian(target, source, tmp_path)
    assert all(size(target, number) == size(source, number) for number in (2, 5, 6))
    assert all(start(target, number) - start(target, 2) == start(source, number) - start(source, 2) for number in (5, 6)) and start(target, 5) % MIB == 0
    assert byte_count - MIB < start(target, 2) + size(target, 2) <= byte_count and start(target, 1) + size(target, 1) > start(target, 2) - MIB
    assert contents(image_of(repository, repository.snapshot(target))) == contents(image_of(repository, snapshot))


@pytest.mark.parametrize("options", [["--size", 94 * MIB], ["--size", 120 * MIB], ["--new-ids"], ["--resize", "3=3MiB", "--size", 120 * MIB]])
def test_where_nothing_has_to_move_nothing_but_the_first_table_changes(repository: Repository, tmp_path: Path, options: list[object]) -> None:
    source = disk(tmp_path / "disk.img", "label: dos\nsize=20M\nstart=53246, size=65538, type=5\nstart=122880, size=2M\nstart=53248, size=10M\nstart=79872, size=19M\n")
    repository.run("backup", source).require(0)
    repository.run("restore", "latest", *options, "--verify", tmp_path / "target").require(0)
    require_known(tmp_path / "target")
    new, old = (tmp_path / "target").read_bytes(), source.read_bytes()
    end = min(len(new), len(old))
    assert new[:440] == old[:440] and new[512:end] == old[512:end] and (new[440:512] == old[440:512]) == (len(options) == 2)


def test_an_extended_partition_moves_with_all_that_it_holds(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", "label: dos\nsize=20M\nstart=104448, size=40M, type=5\nstart=106496, size=6M\nstart=120832, size=9M, type=7\nstart=141312, size=22M\n")
    before = table(source)["partitions"]
    generator = random.Random(3)
    # In front of the first table, as boot loaders once stood there; between its partitions; and before it, where it comes to stand.
    overwrite(source, before[1]["start"] * 512, generator.randbytes(446))
    overwrite(source, before[3]["start"] * 512 - 9000, generator.randbytes(8000))
    overwrite(source, before[1]["start"] * 512 - 25 * MIB, generator.randbytes(25 * MIB))
    snapshot = repository.snapshot(source)
    target = make_image(tmp_path / "target.img", 80 * MIB, 5)
    repository.run("restore", snapshot, "--size", 64 * MIB, "--verify", "--yes", target).require(0)
    require_known(target)
    after = table(target)["partitions"]
    assert (after[0]["start"], after[0]["size"]) == (before[0]["start"], before[0]["size"]) and after[1]["start"] == 24 * MIB // 512
    for old, new in zip(before[1:], after[1:], strict=True):
        assert (new["start"] - after[1]["start"], new["size"], new["type"]) == (old["start"] - before[1]["start"], old["size"], old["type"])
    assert content(target, after[0]) == content(source, before[0])
    assert content(target, after[1]) == content(source, before[1]), "all of it, also between its partitions"
    gap = slice(before[0]["start"] * 512 + before[0]["size"] * 512, after[1]["start"] * 512)
    assert target.read_bytes()[gap] == source.read_bytes()[gap], "what lies outside stays"
    volumes = [[(value["kind"], value["partition"]) for value in image_of(repository, name)["volumes"]] for name in (snapshot, repository.snapshot(target))]
    assert volumes[0][:8] == volumes[1][:8]


def test_what_does_not_fit_is_refused_with_the_size_that_is_needed(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", "label: dos\nsize=20M\nstart=104448, size=40M, type=5\nstart=106496, size=6M\nstart=120832, size=9M, type=7\n")
    repository.run("backup", source).require(0)
    target = tmp_path / "target.img"
    refused = repository.run("restore", "latest", "--size", 30 * MIB, target).require(1).errors
    needed = 21 * MIB + 17 * MIB
    assert f"the target has {30 * MIB} bytes" in refused and f"need {needed}" in refused
    assert f"need {needed}" in repository.run("restore", "latest", "--size", needed - 512, target).require(1).errors and not target.exists()
    repository.run("restore", "latest", "--size", needed, "--verify", target).require(0)
    require_known(target)
    # What was free behind its last partition, the extended one has no more.
    assert size(target, 2) == 17 * MIB
    for number in (1, 5, 6):
        assert content(target, partition(target, number)) == content(source, partition(source, number))
    refused = repository.run("restore", "latest", "--resize", "1=3TiB", "--size", 4 << 40, tmp_path / "none").require(1).errors
    assert f"no more than {2 << 40} of the {4 << 40} bytes" in refused and "need" in refused
    assert "show" in repository.run("restore", "latest", "--resize", "2=20MiB", tmp_path / "none").require(64).errors, "it follows what it holds"


@pytest.mark.root
@pytest.mark.parametrize("byte_count", [230 * MIB, 140 * MIB], ids=["larger", "smaller"])
@pytest.mark.parametrize("order", ["first", "last", "first by its place"])
def test_a_logical_partition_takes_what_is_left(repository: Repository, tmp_path: Path, byte_count: int, order: str) -> None:
    home, files = f"start=49152, size={ROOT.byte_count // 512}\n", f"start=270336, size={FILES.byte_count // 512}, type=6\n"
    if order == "last":
        home, files = f"start=118784, size={ROOT.byte_count // 512}\n", f"start=49152, size={FILES.byte_count // 512}, type=6\n"
    script = "label: dos\nsize=20M\nstart=45056, size=140M, type=f\n" + (files + home if order == "first by its place" else home + files) + "start=331776, size=7M\n"
    source = partitioned(tmp_path / "disk.img", 180 * MIB, script)
    numbers = {"home": 6, "files": 5} if order == "first by its place" else {"home": 5, "files": 6}
    ROOT.fill(ROOT.create(tmp_path / "home.img"), tmp_path / "mounted")
    put(source, numbers["home"], tmp_path / "home.img")
    FILES.fill(FILES.create(tmp_path / "files.img"), tmp_path / "copied")
    put(source, numbers["files"], tmp_path / "files.img")
    snapshot = repository.snapshot(source)
    target = make_image(tmp_path / "target.img", 150 * MIB, 33)
    repository.run("restore", snapshot, "--resize", numbers["home"], "--size", byte_count, "--verify", "--yes", target).require(0)
    require_known(target)
    require_same_files(target, source, numbers["home"], ROOT, tmp_path)
    require_same_files(target, source, numbers["files"], FILES, tmp_path)
    assert [value["type"] for value in table(target)["partitions"]] == [value["type"] for value in table(source)["partitions"]]
    for number in (1, 3):
        assert content(target, partition(target, number)) == content(source, partition(source, number))
    assert start(target, 2) == start(source, 2) and byte_count - 9 * MIB <= start(target, 2) + size(target, 2)
    assert (size(target, numbers["home"]) > ROOT.byte_count) == (byte_count > 180 * MIB)
    assert contents(image_of(repository, repository.snapshot(target))) == contents(image_of(repository, snapshot))


@pytest.mark.root
def test_a_device_gets_a_logical_partition_of_the_size_that_is_named(repository: Repository, tmp_path: Path) -> None:
    source = partitioned(tmp_path / "disk.img", 130 * MIB, f"label: dos\nsize=20M\nstart=45054, size=206850, type=5\nstart=45056, size={ROOT.byte_count // 512}\n")
    ROOT.fill(ROOT.create(tmp_path / "root.img"), tmp_path / "mounted")
    put(source, 5, tmp_path / "root.img")
    repository.run("backup", source).require(0)
    backing = make_image(tmp_path / "backing", 100 * MIB, 8)
    with loop_device(backing) as device:
        repository.run("restore", "latest", "--resize", "5=64MiB", "--scratch", tmp_path, "--verify", "--yes", device).require(0)
    require_known(backing)
    assert size(backing, 5) == 64 * MIB and content(backing, partition(backing, 1)) == content(source, partition(source, 1))
    require_same_files(backing, source, 5, ROOT, tmp_path)


def test_a_logical_file_system_that_moves_is_told_where_it_is_on_the_disk_and_not_what_it_never_knew(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", "label: dos\nsize=4M\nstart=61440, size=60M, type=5\nstart=63488, size=20M, type=6\nstart=106496, size=20M, type=6\n")
    # One counts from the disk, the other from the table in front of it.
    for number, hidden in ((5, start(source, 5) // 512), (6, 2048)):
        run("mkfs.vfat", "-F", "16", "-h", hidden, make_image(tmp_path / f"{number}.img", 20 * MIB))
        put(source, number, tmp_path / f"{number}.img")
    repository.run("backup", source).require(0)
    target = tmp_path / "target.img"
    repository.run("restore", "latest", "--size", 70 * MIB, "--verify", target).require(0)
    assert start(target, 5) != start(source, 5)
    found = [int.from_bytes(content(target, partition(target, number))[HIDDEN], "little") for number in (5, 6)]
    assert found == [start(target, 5) // 512, 2048]


@pytest.mark.parametrize("script, is_told", [("size=8M, type=7, bootable\nstart=61440, size=40M, type=7\n", True), ("size=8M, type=7\nstart=61440, size=40M, type=7\n", False)])
def test_windows_may_have_to_be_repaired_where_it_moves(repository: Repository, tmp_path: Path, script: str, is_told: bool) -> None:
    source = disk(tmp_path / "disk.img", "label: dos\n" + script)
    for number in (1, 2):
        run(*NTFS[0].make, make_image(tmp_path / f"{number}.img", size(source, number)))
        put(source, number, tmp_path / f"{number}.img")
    repository.run("backup", source).require(0)
    arguments = ["latest", "--size", 60 * MIB]
    assert ("bootrec" in repository.run("restore", *arguments, "--dry-run", tmp_path / "target").require(0).output) == is_told
    outcome = repository.run("restore", *arguments, "--verify", tmp_path / "target").require(0)
    assert ("Windows knows partition 2" in outcome.errors) == is_told
    assert outcome.errors.count("\n") <= 1
    repository.run("restore", "latest", "--size", 2 * 96 * MIB, "--verify", tmp_path / "large").require(0)
