"""A history of real disks: three machines, one of them on four days. Needs their images, so that it runs only when told where they are."""

import os
from pathlib import Path

import pytest

from support.comparing import folder_byte_count, require_same_content
from support.repository import Repository

FOLDER = os.environ.get("HOLDFAST_HISTORY")
NAMES = ["m1-d1", "m1-d2", "m1-d3", "m1-d4", "m2-d1", "m3-d1"]


@pytest.mark.skipif(FOLDER is None, reason="HOLDFAST_HISTORY names no folder of images")
def test_a_history_of_three_machines_comes_back_bit_for_bit(repository: Repository, tmp_path: Path) -> None:
    images = {name: Path(str(FOLDER)) / f"{name}.img" for name in NAMES}
    snapshots: dict[str, str] = {}
    for name, image in images.items():
        summary = repository.backup("--all-blocks", "--host", name.split("-")[0], "--image-name", "disk", image)
        snapshots[name] = summary["snapshot"]["id"]
        print(name, summary["milliseconds"], "ms,", summary["snapshot"]["counters"]["stored_byte_count"], "bytes stored")
    print("repository:", folder_byte_count(repository.folder), "bytes")
    last = repository.backup("--all-blocks", "--host", "m3", "--image-name", "disk", images["m3-d1"])
    assert last["data_pack_count"] == 0
    target = tmp_path / "back.img"
    for name, snapshot in snapshots.items():
        (summary,) = repository.run("restore", "--json", snapshot, target).require(0).of_type("summary")
        print(name, "restored in", summary["milliseconds"], "ms")
        require_same_content(images[name], target)
        target.unlink()
    repository.require_clean()
