"""Objects of each kind that are missing, cut, emptied, swapped or doubled."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.images import MIB, make_image
from support.objects import names_of_kind, object_names
from support.program import Program
from support.reader import read
from support.repository import Repository

KINDS = ["config", "keyring", "keys", "packs", "maps", "index", "snapshots"]
Damage = Callable[[Path, Path], None]


def missing(path: Path, other: Path) -> None:
    path.unlink()


def cut(path: Path, other: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2])


def emptied(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def longer(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def swapped(path: Path, other: Path) -> None:
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)


@pytest.fixture(scope="module")
def sound(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, dict[str, Path]]:
    """A repository with two objects of each kind but config, and its snapshots' images."""
    root = tmp_path_factory.mktemp("sound")
    repository = Repository.create(Program(binary, root / "home"), root / "repository", root / "full.key")
    repository.program.run(
        "key", "add", "-r", repository.folder, "--key-file", repository.key_file, "--new-key-file", root / "second.key", "--role",
        "full").require(0)
    images: dict[str, Path] = {}
    for seed in (1, 2):
        image = make_image(root / f"{seed}.img", MIB, seed)
        images[repository.snapshot(image)] = image
    return repository, images


@pytest.mark.parametrize("damage", [missing, cut, emptied, longer, swapped], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_object_is_found_and_named(
        sound: tuple[Repository, dict[str, Path]], tmp_path: Path, kind: str, damage: Damage) -> None:
    repository, images = sound[0].copy(tmp_path), sound[1]
    names = names_of_kind(repository.folder, kind)
    if kind == "snapshots":
        # The older one: later manifests name it. That the newest is gone only those who saw it can know.
        names = [f"snapshots/{snapshot}" for snapshot in images]
    if kind == "keys":
        # The slot that opens the repository: the others may be anybody's.
        own = next(
            slot["id"] for slot in repository.program.run(
                "key", "list", "--json", "-r", repository.folder, "--key-file", repository.key_file).require(0).of_type("slot") if slot["own"])
        names = sorted(names, key=lambda name: not name.endswith(own))
    other = repository.folder / (names[1] if len(names) > 1 else names_of_kind(repository.folder, "keyring")[0])
    path = repository.folder / names[0]
    for each in (path, other):
        each.chmod(0o600)
    damage(path, other)
    check = repository.check("--read-data")
    assert check.status != 0, f"{names[0]}: nothing was found"
    # Without its config the folder is no repository; without its key nothing opens; what was lost with an index object is named by its packs.
    if damage is not missing or kind in ("keyring", "packs", "maps", "snapshots"):
        named = [str(each.relative_to(repository.folder)) for each in ([path, other] if damage is swapped else [path])]
        assert any(each.removeprefix("snapshots/") in check.text for each in named), check.text
    for snapshot, image in images.items():
        restore = repository.run("restore", snapshot, "-")
        assert restore.status in (0, 1, 10, 12), restore.errors
        assert restore.status != 0 or restore.output_bytes == image.read_bytes()


@pytest.mark.parametrize("kind", ["packs", "maps", "index"])
def test_check_tells_which_snapshots_are_affected(sound: tuple[Repository, dict[str, Path]], tmp_path: Path, kind: str) -> None:
    repository, images = sound[0].copy(tmp_path), sound[1]
    name = names_of_kind(repository.folder, kind)[0]
    (repository.folder / name).unlink()
    named = {snapshot for problem in repository.check().require(1).of_type("problem") for snapshot in problem["snapshots"]}
    lost = {snapshot for snapshot, image in images.items() if repository.run("restore", snapshot, "-").status != 0}
    # A restore finds what a lost index object named in the packs themselves.
    assert bool(lost) == (kind != "index") and lost <= named and len(named) == 1


@pytest.mark.parametrize("kind", ["packs", "maps", "index", "snapshots", "keyring", "keys"])
def test_an_object_under_a_second_name_does_no_harm_and_is_noticed(
        sound: tuple[Repository, dict[str, Path]], tmp_path: Path, kind: str) -> None:
    repository, images = sound[0].copy(tmp_path), sound[1]
    name = names_of_kind(repository.folder, kind)[0]
    double = {"keyring": "keyring/7"}.get(kind, name[:-4] + ("0000" if not name.endswith("0000") else "1111"))
    shutil.copyfile(repository.folder / name, repository.folder / double)
    check = repository.check("--read-data")
    assert double in check.text or double.split("/")[-1] in check.text, f"{double}: it was not noticed: {check.text}"
    for snapshot, image in images.items():
        restore = repository.run("restore", snapshot, "-")
        assert restore.status in (0, 1) and (restore.status != 0 or restore.output_bytes == image.read_bytes())


def test_what_holdfast_does_not_know_is_left_alone(sound: tuple[Repository, dict[str, Path]], tmp_path: Path) -> None:
    repository, images = sound[0].copy(tmp_path), sound[1]
    (repository.folder / "notes").mkdir()
    (repository.folder / "notes/readme.txt").write_text("kept")
    before = object_names(repository.folder)
    repository.require_clean()
    repository.snapshot(next(iter(images.values())))
    assert set(before) <= set(object_names(repository.folder))


def test_names_that_no_object_has_are_ignored_and_kept(sound: tuple[Repository, dict[str, Path]], tmp_path: Path) -> None:
    repository, images = sound[0].copy(tmp_path), sound[1]
    first, second = images
    repository.run("protect", second).require(0)
    repository.run("forget", first).require(0)
    strange = [
        "keyring/007", "keyring/02", f"keyring/{19 * '1'}", "keyring/x", f"marks/{second}.00", f"marks/{second}.01", f"marks/{second}..1", f"marks/{first}.01",
        "marks/readme", f"sessions/{second}.00", f"sessions/{second}..0", "sessions/readme", "snapshots/readme", "index/readme", "condemned/readme",
        f"condemned/{first}..verdict"]
    for name in strange:
        (repository.folder / name).write_bytes(b"not an object")
    repository.require_clean()
    named = {problem["object"] for problem in repository.check().of_type("problem") if problem["severity"] == "warning"}
    assert named == set(strange)
    repository.run("backup", images[second]).require(0)
    repository.run("prune").require(0)
    repository.run("repair", "--read-data").require(0)
    repository.run("unprotect", second).require(0)
    repository.run("sessions").require(0)
    repository.require_clean()
    assert all((repository.folder / name).read_bytes() == b"not an object" for name in strange)
    assert first not in repository.snapshot_ids()
    done = read("--repository", repository.folder, "--key-file", repository.key_file, "check")
    assert done.returncode == 0, done.stderr
    repository.require_equal(second, images[second], tmp_path / "back.img")


def test_without_snapshots_a_strange_name_among_them_is_none(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / "snapshots" / repository.snapshot(make_image(tmp_path / "disk.img", MIB))).unlink()
    for name in ("snapshots/readme", "sessions/readme"):
        (repository.folder / name).write_bytes(b"not an object")
    # Another machine, which does not know what was there.
    assert "snapshots" in repository.using(repository.program.at_home(tmp_path / "other-home")).run("prune").require(1).errors


def test_a_backup_after_a_loss_stores_again_what_is_gone(sound: tuple[Repository, dict[str, Path]], tmp_path: Path) -> None:
    repository, images = sound[0].copy(tmp_path), sound[1]
    for name in names_of_kind(repository.folder, "packs"):
        (repository.folder / name).unlink()
    for image in images.values():
        repository.require_equal(repository.snapshot(image), image, tmp_path / "back.img")
