"""What nobody needs: let go of by targets, and left out of backups, on request."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.devices import loop_device, run
from support.disks import Disk, Part, cut
from support.file_systems import NTFS, attached, ext, tree_of
from support.images import MIB, allocated_byte_count, make_image, make_sparse
from support.repository import Repository

pytestmark = pytest.mark.root


@pytest.mark.parametrize("is_device", [False, True])
def test_a_target_forgets_on_request_what_nobody_needs(repository: Repository, tmp_path: Path, is_device: bool) -> None:
    system = ext("ext4", byte_count=128 * MIB)
    disk = Disk("ext4", 130 * MIB, "label: gpt\nsize=128M\n", {1: Part(system)})
    source = disk.build(tmp_path)
    repository.run("backup", source).require(0)
    old = make_image(tmp_path / "old.img", disk.byte_count, 77)
    with ExitStack() as stack:
        target = stack.enter_context(loop_device(old)) if is_device else old
        outcome = repository.run("restore", "latest", "--json", "--discard", "--verify", "--yes", target).require(0)
    (summary,) = outcome.of_type("summary")
    assert summary["discarded_byte_count"] >= 20 * MIB
    assert allocated_byte_count(old) <= disk.byte_count - summary["discarded_byte_count"] + MIB
    back, expected = (cut(image, disk.places(image)[1], system.byte_count, tmp_path / name) for image, name in ((old, "back"), (source, "expected")))
    system.require_clean(back)
    assert system.tree(back, tmp_path / "mounted") == system.tree(expected, tmp_path / "mounted")


def test_page_files_are_left_out_on_request(repository: Repository, tmp_path: Path) -> None:
    image = make_sparse(tmp_path / "disk.img", 96 * MIB, {})
    run(*NTFS[0].make, image)
    with attached(image, tmp_path / "mounted", "ntfs") as folder:
        make_image(folder / "pagefile.sys", 40 * MIB, 8)
        make_image(folder / "kept", MIB, 9)
    assert "--skip-page-files" in repository.run("backup", "--all-blocks", "--skip-page-files", image).require(64).errors
    left, all_of_it = (repository.backup(*options, image)["snapshot"]["counters"]["read_byte_count"] for options in (["--skip-page-files"], []))
    assert left <= 12 * MIB and all_of_it >= 41 * MIB
    repository.run("restore", repository.snapshot_ids()[0], tmp_path / "back.img").require(0)
    with attached(tmp_path / "back.img", tmp_path / "mounted", "ntfs", "ro") as folder:
        assert (folder / "pagefile.sys").read_bytes() == bytes(40 * MIB)
        found = tree_of(folder)
    with attached(image, tmp_path / "mounted", "ntfs", "ro") as folder:
        assert tree_of(folder)["kept"] == found["kept"]
