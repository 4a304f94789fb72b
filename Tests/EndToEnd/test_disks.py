"""Disks with partition tables: as a whole, one partition, and onto disks of another size."""

import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, run
from support.images import MIB, make_image, overwrite
from support.partitions import DISK, content, disk, require_sound, table
from support.repository import Repository

GPT = "label: gpt\nsize=8M, name=boot, attrs=LegacyBIOSBootable\nstart=18435, size=20M, name=system\nsize=16M, type=swap\n"
MBR = "label: dos\nlabel-id: 0x1234abcd\nstart=63, size=8M, bootable\nsize=40M, type=5\nsize=6M, type=83\nsize=9M, type=7\n"


@pytest.mark.parametrize("script", [GPT, MBR], ids=["gpt", "mbr"])
def test_a_disk_is_known_by_its_partitions_and_restored_bit_by_bit(repository: Repository, tmp_path: Path, script: str) -> None:
    source = disk(tmp_path / "disk.img", script)
    assert repository.run("backup", source).require(0).errors == ""
    (shown,) = repository.run("show", "latest", "--json").require(0).of_type("snapshot")
    (image,) = shown["manifest"]["images"]
    expected = table(source)
    data = [partition for partition in expected["partitions"] if partition["type"] != "5"]
    partitions = {value["number"]: value for value in image["label"]["partitions"]}
    assert [partitions[int(value["node"].removeprefix(str(source)))]["offset"] for value in data] == [value["start"] * 512 for value in data]
    volumes = image["volumes"]
    assert [value["placements"][0]["byte_count"] for value in volumes if value["kind"] == "partition"] == [value["size"] * 512 for value in data]
    text = repository.run("show", "latest").require(0).output
    assert "partition 1" in text and "gap1" in text and expected["id"].lower() in text.lower()
    repository.require_equal("latest", source, tmp_path / "back.img")
    repository.run("backup", source).require(0)
    (again,) = repository.run("show", "latest", "--json").require(0).of_type("snapshot")
    assert again["manifest"]["counters"]["new_byte_count"] == 0
    repository.require_clean()


@pytest.mark.parametrize("name, index", [("1", 0), ("boot", 0), ("system", 1), ("3", 2)])
def test_one_partition_is_restored_by_its_number_or_name(repository: Repository, tmp_path: Path, name: str, index: int) -> None:
    source = disk(tmp_path / "disk.img", GPT)
    repository.run("backup", source).require(0)
    target = tmp_path / "partition.img"
    repository.run("restore", "latest", "--partition", name, "--verify", target).require(0)
    assert target.read_bytes() == content(source, table(source)["partitions"][index])


def test_a_gap_is_restored_and_what_is_not_there_is_wrong_usage(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", GPT)
    repository.run("backup", source).require(0)
    repository.run("restore", "latest", "--partition", "gap1", tmp_path / "gap").require(0)
    first = table(source)["partitions"][0]["start"] * 512
    assert (tmp_path / "gap").read_bytes() == source.read_bytes()[:first]
    for name in ("4", "gap0", "gap9", "nothing", ""):
        assert "show" in repository.run("restore", "latest", "--partition", name, tmp_path / "none").require(64).errors
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("size", [DISK + 64 * MIB, DISK + 512, DISK - 30 * MIB])
def test_a_gpt_fits_a_disk_of_another_size(repository: Repository, tmp_path: Path, size: int) -> None:
    source = disk(tmp_path / "disk.img", GPT)
    repository.run("backup", source).require(0)
    target = tmp_path / "target.img"
    plan = repository.run("restore", "latest", "--size", size, "--dry-run", target).require(0).output
    assert "written anew" in plan and not target.exists()
    repository.run("restore", "latest", "--size", size, "--verify", target).require(0)
    require_sound(target)
    assert target.stat().st_size == size
    old, new = table(source), table(target)
    assert new["id"] == old["id"] and new["lastlba"] == size // 512 - 34
    for before, after in zip(old["partitions"], new["partitions"], strict=True):
        assert {key: before.get(key) for key in ("size", "type", "uuid", "name", "attrs")} == {
            key: after.get(key) for key in ("size", "type", "uuid", "name", "attrs")}
        assert content(target, after) == content(source, before)
    with target.open("rb") as after_file, source.open("rb") as before_file:
        assert after_file.read(440) == before_file.read(440), "the boot code"


def test_partitions_behind_the_end_move_and_those_that_do_not_fit_are_refused_with_numbers(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", GPT + "start=180224, size=4M, name=last\n")
    repository.run("backup", source).require(0)
    target = tmp_path / "target.img"
    outcome = repository.run("restore", "latest", "--size", 64 * MIB, "--verify", "--dry-run", target).require(0)
    assert "Partition 4 moves from byte 92274688 to" in outcome.output
    repository.run("restore", "latest", "--size", 64 * MIB, "--verify", target).require(0)
    require_sound(target)
    for before, after in zip(table(source)["partitions"], table(target)["partitions"], strict=True):
        assert content(target, after) == content(source, before)
    target.unlink()
    refused = repository.run("restore", "latest", "--size", 40 * MIB, target).require(1)
    assert str(40 * MIB) in refused.errors and not target.exists()
    needed = int(refused.errors.split("need ")[1].split()[0])
    repository.run("restore", "latest", "--size", needed, target).require(0)
    require_sound(target)


@pytest.mark.parametrize("maker, at", [
    (["mkfs.ntfs", "-q", "-Q", "-F", "--partition-start"], [28]), (["mkfs.vfat", "-F", "32", "-h"], [28, 6 * 512 + 28]), (["mkfs.vfat", "-F", "16", "-h"], [28])])
def test_a_file_system_that_moves_is_told_where_it_is_now(repository: Repository, tmp_path: Path, maker: list[str], at: list[int]) -> None:
    source = disk(tmp_path / "disk.img", "label: gpt\nsize=4M\nstart=40960, size=48M\n")
    run(*maker, 40960, make_image(tmp_path / "partition", 48 * MIB))
    overwrite(source, 40960 * 512, (tmp_path / "partition").read_bytes())
    repository.run("backup", source).require(0)
    repository.run("restore", "latest", "--size", 64 * MIB, "--verify", tmp_path / "target").require(0)
    moved = table(tmp_path / "target")["partitions"][1]
    expected = bytearray(content(source, table(source)["partitions"][1]))
    for place in at:
        assert expected[place : place + 4] == (40960).to_bytes(4, "little")
        expected[place : place + 4] = moved["start"].to_bytes(4, "little")
    found = content(tmp_path / "target", moved)
    assert moved["start"] != 40960 and all(found[place : place + 512] == expected[place : place + 512] for place in (0, 6 * 512))


def test_a_gpt_of_large_sectors_in_a_file_keeps_them(repository: Repository, tmp_path: Path) -> None:
    source = make_image(tmp_path / "disk.img", 64 * MIB)
    with loop_device(source, 4096) as device:
        done = subprocess.run(["sfdisk", "--quiet", device], input="label: gpt\nstart=256, size=4096, name=data\n", text=True, capture_output=True)
        assert done.returncode == 0, done.stderr
    repository.run("backup", source).require(0)
    target = tmp_path / "target.img"
    repository.run("restore", "latest", "--size", 80 * MIB, "--verify", target).require(0)
    with loop_device(target, 4096) as device:
        require_sound(device)
        assert run("sfdisk", "--json", device).count("lba") and table(device)["lastlba"] == 80 * MIB // 4096 - 6
    assert target.read_bytes()[256 * 4096 : 4352 * 4096] == source.read_bytes()[256 * 4096 : 4352 * 4096]


def test_what_cannot_be_mounted_on_larger_sectors_is_told(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", "label: gpt\nsize=16M\nsize=16M\n")
    for partition, block in zip(table(source)["partitions"], (1024, 4096), strict=True):
        run("mkfs.ext4", "-q", "-F", "-b", block, make_image(tmp_path / "partition", 16 * MIB))
        overwrite(source, partition["start"] * 512, (tmp_path / "partition").read_bytes())
    repository.run("backup", source).require(0)
    with (tmp_path / "target").open("wb") as file:
        file.truncate(DISK)
    warning = "holds ext4 for sectors of at most 1024 bytes"
    with loop_device(tmp_path / "target", 4096) as device:
        plan = repository.run("restore", "latest", "--dry-run", device).require(0).output
        told = repository.run("restore", "latest", "--yes", device).require(0).errors
    for text in (plan, told):
        assert "partition 1 of" in text and text.count(warning) == 1 and text.count("cannot be mounted") == 1
    assert "cannot be mounted" not in repository.run("restore", "latest", "--size", 2 * DISK, "--dry-run", tmp_path / "new").require(0).output


def test_who_lacks_room_is_told_how_to_make_it(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", "label: gpt\nsize=8M\nsize=48M\n")
    run("mkfs.ext4", "-q", "-F", make_image(tmp_path / "partition", 48 * MIB))
    overwrite(source, table(source)["partitions"][1]["start"] * 512, (tmp_path / "partition").read_bytes())
    repository.run("backup", source).require(0)
    refused = repository.run("restore", "latest", "--size", 40 * MIB, tmp_path / "target").require(1)
    assert f"the target has {40 * MIB} bytes" in refused.errors and "“--resize 2” makes partition 2 and its file system smaller" in refused.errors
    repository.run("restore", "latest", "--size", 40 * MIB, "--resize", "2", tmp_path / "target").require(0)


def test_an_mbr_fits_a_larger_disk_as_it_is(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", MBR)
    repository.run("backup", source).require(0)
    repository.run("restore", "latest", "--size", 2 * DISK, "--verify", tmp_path / "large").require(0)
    with (tmp_path / "large").open("rb") as file:
        assert file.read(DISK) == source.read_bytes()
    refused = repository.run("restore", "latest", "--size", 20 * MIB, tmp_path / "small").require(1)
    assert f"the target has {20 * MIB} bytes" in refused.errors and f"need {63 * MIB}" in refused.errors and not (tmp_path / "small").exists()


def test_new_ids_make_another_disk_with_the_same_content(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", GPT)
    repository.run("backup", source).require(0)
    target = tmp_path / "target.img"
    repository.run("restore", "latest", "--new-ids", "--verify", target).require(0)
    require_sound(target)
    old, new = table(source), table(target)
    ids = [new["id"], *(value["uuid"] for value in new["partitions"])]
    assert len(set(ids)) == 4 and not set(ids) & {old["id"], *(value["uuid"] for value in old["partitions"])}
    assert [content(target, value) for value in new["partitions"]] == [content(source, value) for value in old["partitions"]]


@pytest.mark.root
def test_a_larger_device_gets_a_table_of_its_size(repository: Repository, tmp_path: Path, cleanup: ExitStack) -> None:
    source = disk(tmp_path / "disk.img", GPT)
    repository.run("backup", source).require(0)
    backing = make_image(tmp_path / "device", DISK + 32 * MIB, 3)
    device = cleanup.enter_context(loop_device(backing))
    outcome = repository.run("restore", "latest", "--yes", "--verify", device).require(0)
    require_sound(device)
    assert table(device)["lastlba"] == (DISK + 32 * MIB) // 512 - 34, outcome.text
    for before, after in zip(table(source)["partitions"], table(device)["partitions"], strict=True):
        assert content(device, after) == content(source, before)


def test_wrong_sizes_are_wrong_usage(repository: Repository, tmp_path: Path) -> None:
    source = disk(tmp_path / "disk.img", GPT)
    repository.run("backup", source).require(0)
    for options in (["--size", "1000001"], ["--size", "64MiB", "--partition", "1"], ["--new-ids", "--partition", "1"]):
        repository.run("restore", "latest", *options, tmp_path / "none").require(64)
    plain = make_image(tmp_path / "plain.img", MIB, 4)
    repository.run("backup", plain).require(0)
    assert str(MIB) in repository.run("restore", "latest", "--size", 512, tmp_path / "none").require(1).errors
    repository.run("restore", "latest", "--new-ids", tmp_path / "none").require(1)
    assert not (tmp_path / "none").exists()


def test_several_disks_go_to_the_targets_that_a_mapping_names(repository: Repository, tmp_path: Path) -> None:
    sources = [disk(tmp_path / "a.img", GPT), disk(tmp_path / "b.img", MBR)]
    repository.run("backup", *sources).require(0)
    old = make_image(tmp_path / "old.img", MIB)
    mapping = ["--disk", f"{sources[1]}={tmp_path / 'b'}", "--disk", f"{sources[0]}={old}"]
    plan = repository.run("restore", "latest", *mapping, "--dry-run").require(0).output
    assert plan.index(str(tmp_path / "b")) < plan.index(str(old)) and "will be lost" in plan and "CONTENT" in plan
    assert "--yes overwrites" in repository.run("restore", "latest", *mapping).require(1).errors
    assert old.stat().st_size == MIB and not (tmp_path / "b").exists(), "all or nothing"
    repository.run("restore", "latest", *mapping, "--yes", "--verify").require(0)
    assert old.read_bytes() == sources[0].read_bytes() and (tmp_path / "b").read_bytes() == sources[1].read_bytes()


@pytest.mark.parametrize("mapping, message", [
    (["a=x", "a=y"], "mapped twice"), (["a=x", "b=x"], "target of two"), (["a"], "no mapping"), (["=x"], "no mapping"), (["a="], "no mapping"), (["a=-"], "needs a file"),
    (["a=same/x", "b=./same/../same/x"], "two"), (["nothing=x"], "nothing"),
])
def test_mappings_that_cannot_be_are_refused(repository: Repository, tmp_path: Path, mapping: list[str], message: str) -> None:
    (tmp_path / "same").mkdir()
    for name in ("a", "b"):
        make_image(tmp_path / name, MIB)
    program = repository.program
    repository.run("backup", "--image-name", "a", tmp_path / "a").require(0)
    options = [word for value in mapping for word in ("--disk", value)]
    outcome = program.run(*repository.arguments("restore", "latest", *options), folder=tmp_path)
    assert outcome.status in (1, 64) and message in outcome.errors
    assert not (tmp_path / "x").exists() and not (tmp_path / "same" / "x").exists()
