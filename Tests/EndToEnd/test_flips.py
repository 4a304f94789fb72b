"""Single bytes of the repository change: a check of all data finds each, and a restore is right or fails."""

import os
import random
from pathlib import Path

from support.images import KIB, MIB, make_image, make_sparse, overwrite, random_bytes
from support.objects import flip, object_names
from support.repository import Repository

FLIP_COUNT = int(os.environ.get("HOLDFAST_FLIPS", "200"))
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))


def flips(folder: Path, count: int, seed: int) -> list[tuple[str, int, int]]:
    """Objects in turn, so that the small ones get their share; offset and bits at random."""
    generator = random.Random(seed)
    names = object_names(folder)
    generator.shuffle(names)
    chosen = [names[number % len(names)] for number in range(count)]
    return [(name, generator.randrange((folder / name).stat().st_size), generator.randrange(1, 256)) for name in chosen]


def test_every_flipped_byte_is_found_and_named_and_never_restored_as_data(repository: Repository, tmp_path: Path) -> None:
    first = make_sparse(tmp_path / "first.img", 20 * MIB, {0: random_bytes(300 * KIB, 1), 17 * MIB: random_bytes(100 * KIB, 2)})
    second = make_image(tmp_path / "second.img", 200 * KIB, seed=3)
    images = {repository.snapshot(first): first}
    repository.snapshot(second)
    data = {snapshot: image.read_bytes() for snapshot, image in images.items()}
    overwrite(second, 50 * KIB, b"changed")
    data[repository.snapshot(second)] = second.read_bytes()
    unnoticed: list[str] = []
    for name, offset, mask in flips(repository.folder, FLIP_COUNT, SEED):
        path = repository.folder / name
        path.chmod(0o600)
        flip(path, offset, mask)
        what = f"{name}: byte {offset} ^ {mask:#x} (seed {SEED})"
        check = repository.check("--read-data")
        if check.status == 0:
            unnoticed.append(f"{what}: check found nothing")
        elif name not in check.text:
            unnoticed.append(f"{what}: check did not name it: {check.text[-500:]}")
        for snapshot, expected in data.items():
            restore = repository.run("restore", snapshot, "-")
            if restore.status == 0 and restore.output_bytes != expected:
                unnoticed.append(f"{what}: {snapshot} was restored with wrong bytes and status 0")
            if restore.status not in (0, 1, 10, 12):
                unnoticed.append(f"{what}: restore ended with {restore.status}: {restore.errors}")
        flip(path, offset, mask)
    assert unnoticed == []
    repository.require_clean()
