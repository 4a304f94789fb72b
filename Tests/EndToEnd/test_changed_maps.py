"""Files that tell what changed, as LVM, ZFS and others can make them."""

import subprocess
from pathlib import Path

import pytest

from support.images import KIB, MIB, make_image, overwrite, random_bytes
from support.nbd import nbdkit, uri
from support.repository import Repository

SIZE = 96 * MIB


def write_map(path: Path, ranges: list[tuple[int, int, str]], source: str = "vg0/root", since: str = "1", now: str = "2", size: int = SIZE) -> Path:
    """Everything else is the same."""
    lines = [f"# source: {source}", f"# from: {since}", f"# to: {now}"]
    place = 0
    for offset, byte_count, kind in [*ranges, (size, 0, "")]:
        if offset > place:
            lines.append(f"{place} {offset - place} same")
        if byte_count:
            lines.append(f"{offset:#x} {byte_count:#x} {kind}")
        place = offset + byte_count
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def disk(repository: Repository, tmp_path: Path) -> Path:
    """A disk whose moment 1 is backed up, which takes a map too: one that says whose it is, and nothing of changes."""
    image = make_image(tmp_path / "disk.img", SIZE, 31)
    first = tmp_path / "first.map"
    first.write_text(f"# source: vg0/root\n# to: 1\n0 {SIZE} data\n")
    (use,) = repository.backup("--changed-map", first, image)["change_maps"]
    assert use["outcome"] == "unused" and "since when" in use["reason"]
    return image


def test_what_a_map_names_is_read_and_the_rest_is_taken_over(repository: Repository, disk: Path, tmp_path: Path) -> None:
    overwrite(disk, 40 * MIB, random_bytes(256 * KIB, 1))
    overwrite(disk, 70 * MIB, bytes(5 * MIB))
    ranges = [(40 * MIB, 256 * KIB, "data"), (70 * MIB, 5 * MIB, "zero")]
    outcome = repository.run("backup", "--json", "--changed-map", write_map(tmp_path / "2.map", ranges), disk).require(0)
    (summary,) = outcome.of_type("summary")
    (use,) = summary["change_maps"]
    assert outcome.errors == "" and use["outcome"] == "used" and use["taken_byte_count"] > 89 * MIB
    counters = summary["snapshot"]["counters"]
    assert (counters["taken_byte_count"], counters["audited_byte_count"]) == (use["taken_byte_count"], use["audited_byte_count"])
    print(f"\n256 KiB changed: {(counters['read_byte_count'] - use['audited_byte_count']) // KIB} KiB read, {use['audited_byte_count'] / MIB:.2f} MiB audited")
    assert counters["read_byte_count"] - use["audited_byte_count"] <= 2 * 256 * KIB
    repository.require_equal("latest", disk, tmp_path / "back.img")
    # The words say the same.
    text = repository.run("backup", "--changed-map", write_map(tmp_path / "3.map", [], since="2", now="3"), disk).require(0).output
    assert "taken over unchanged" in text
    repository.require_clean()


def test_a_map_that_is_wrong_is_told_and_the_snapshot_is_right(repository: Repository, disk: Path, tmp_path: Path) -> None:
    overwrite(disk, 50 * MIB, b"written behind the map's back")
    path = write_map(tmp_path / "2.map", [(40 * MIB, 4096, "data")])
    outcome = repository.run("backup", "--json", "--changed-map", path, "--audit", "100%", disk).require(0)
    (summary,) = outcome.of_type("summary")
    assert summary["change_maps"][0]["outcome"] == "refuted" and "THE CHANGE MAP IS WRONG" in outcome.errors
    assert any("THE CHANGE MAP IS WRONG" in warning["message"] for warning in outcome.of_type("warning"))
    repository.require_equal("latest", disk, tmp_path / "back.img")
    (use,) = repository.backup("--changed-map", write_map(tmp_path / "3.map", [], since="2", now="3"), disk)["change_maps"]
    assert use["outcome"] == "unused"


@pytest.mark.parametrize("change", [{"source": "vg0/home"}, {"since": "0"}, {"size": SIZE - 4096}, {"size": SIZE + 4096}])
def test_a_map_that_does_not_fit_has_everything_read(repository: Repository, disk: Path, tmp_path: Path, change: dict[str, object]) -> None:
    overwrite(disk, 50 * MIB, b"changed")
    outcome = repository.run("backup", "--json", "--changed-map", write_map(tmp_path / "2.map", [], **change), disk).require(0)  # type: ignore[arg-type]
    (summary,) = outcome.of_type("summary")
    assert summary["change_maps"][0]["outcome"] == "unused" and outcome.errors == ""
    assert summary["snapshot"]["counters"]["read_byte_count"] >= SIZE
    repository.require_equal("latest", disk, tmp_path / "back.img")


def test_a_file_that_is_no_map_is_a_usage_error_with_its_line(repository: Repository, disk: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.map"
    broken.write_text("# source: vg0/root\n# from: 1\n0 4096 same\n8192 4096 data\n")
    outcome = repository.run("backup", "--changed-map", broken, disk).require(64)
    assert "broken.map: line 4:" in outcome.errors
    assert "no such file" in repository.run("backup", "--changed-map", tmp_path / "none.map", disk).require(1).errors
    for options in (["--changed-map", broken, "--dirty-bitmap", "b1"], ["--changed-map", broken, "--stdin-name", "x"], ["--dirty-bitmap", "b1"], ["--audit", "200%"]):
        repository.run("backup", *options, disk).require(64)


def test_partitions_are_found_in_a_map_of_the_disk(repository: Repository, tmp_path: Path) -> None:
    disk = make_image(tmp_path / "disk.img", SIZE, 32)
    script = f"label: gpt\nstart=2048, size={40 * MIB // 512}\nstart={50 * MIB // 512 + 3}, size={30 * MIB // 512}\n"
    assert subprocess.run(["sfdisk", "--quiet", disk], input=script.encode(), check=False).returncode == 0
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", f"offset={MIB}", disk, f"{40 * 1024}"], check=True, capture_output=True)
    first = write_map(tmp_path / "1.map", [], since="0", now="1")
    repository.backup("--changed-map", first, disk)
    overwrite(disk, 60 * MIB + 100, random_bytes(64 * KIB, 3))
    summary = repository.backup("--changed-map", write_map(tmp_path / "2.map", [(60 * MIB + 100, 64 * KIB, "data")]), disk)
    assert summary["change_maps"][0]["outcome"] == "used"
    assert summary["snapshot"]["images"][0]["volume_count"] > 2
    counters = summary["snapshot"]["counters"]
    assert counters["read_byte_count"] - counters["audited_byte_count"] <= 4 * 64 * KIB
    restored = tmp_path / "back.img"
    repository.run("restore", "latest", restored).require(0)
    assert restored.read_bytes()[50 * MIB:90 * MIB] == disk.read_bytes()[50 * MIB:90 * MIB]
    subprocess.run(["e2fsck", "-fn", f"{restored}?offset={MIB}"], check=True, capture_output=True)


def test_a_map_goes_with_an_export_too(repository: Repository, disk: Path, tmp_path: Path) -> None:
    overwrite(disk, 40 * MIB, random_bytes(64 * KIB, 1))
    with nbdkit(tmp_path / "nbd.sock", "--readonly", "file", disk):
        path = write_map(tmp_path / "2.map", [(40 * MIB, 64 * KIB, "data")])
        summary = repository.backup("--image-name", disk, "--changed-map", path, uri(tmp_path / "nbd.sock"))
    assert summary["change_maps"][0]["outcome"] == "used"
    repository.require_equal("latest", disk, tmp_path / "back.img")


def test_what_thin_delta_says_becomes_a_map(tmp_path: Path) -> None:
    delta = tmp_path / "delta.xml"
    delta.write_text("""<superblock uuid="" time="1" transaction="2" data_block_size="128" nr_data_blocks="100">
      <diff left="1" right="2">
        <same begin="1" length="2"/><different begin="3" length="1"/><left_only begin="4" length="1"/><right_only begin="6" length="4"/>
      </diff>
    </superblock>""")
    program = Path(__file__).resolve().parents[2] / "Specs/guides/thin-delta-map"
    command = [program, delta, "--byte-count", str(9 * 65536 + 512), "--source", "vg/root", "--from", "a", "--to", "b"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert lines[:3] == ["# source: vg/root", "# from: a", "# to: b"]
    block = 65536
    expected = [(0, 1, "same"), (1, 2, "same"), (3, 1, "data"), (4, 1, "zero"), (5, 1, "same")]
    assert lines[3:] == [f"{start * block} {count * block} {kind}" for start, count, kind in expected] + [f"{6 * block} {3 * block + 512} data"]
