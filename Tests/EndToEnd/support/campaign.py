"""What the campaigns share: beginnings that are copied for each trial, work on several cores, and counts that must not be small."""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from support.images import KIB, make_image, overwrite, random_bytes
from support.objects import names_of_kind
from support.program import Outcome, Program
from support.repository import Repository

SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
# The trials are waiting for processes; so many run at once.
WORKER_COUNT = len(os.sched_getaffinity(0))
IMAGE_BYTE_COUNT = 384 * KIB

Point = TypeVar("Point")


@dataclass(frozen=True)
class Beginning:
    """A repository with snapshots, of which some are forgotten, and the image that is backed up next."""

    repository: Repository
    image: Path
    # By snapshot, of those that must be there at the end.
    kept: dict[str, bytes]

    @classmethod
    def make(cls, program: Program, folder: Path, seed: int) -> "Beginning":
        """Two snapshots that share most of their data, one of other data, and of these the first and the last forgotten."""
        folder.mkdir(parents=True)
        repository = Repository.create(program.at_home(folder / "home"), folder / "repository", folder / "full.key", "--chunk-size", "16KiB")
        image = make_image(folder / "disk.img", IMAGE_BYTE_COUNT, seed)
        first = repository.snapshot(image)
        overwrite(image, 100 * KIB, random_bytes(150 * KIB, seed + 1))
        second = repository.snapshot(image)
        kept = {second: image.read_bytes()}
        other = make_image(folder / "other.img", IMAGE_BYTE_COUNT // 2, seed + 2)
        third = repository.snapshot(other)
        repository.run("forget", first, third).require(0)
        overwrite(image, 200 * KIB, random_bytes(120 * KIB, seed + 3))
        return cls(repository, image, kept)

    def arguments(self, command: str) -> list[object]:
        """A command that finds something to do: to back up the image, to prune, or to forget and prune. One thread, so that its calls come in one order."""
        return {"backup": ["backup", "--json", "--threads", "1", self.image], "prune": ["prune", "--json"],
                "forget": ["forget", "--keep-last", "1", "--prune", "--json"]}[command]

    def copy(self, folder: Path, at: Path | None = None) -> Repository:
        """A copy in `folder`, whose objects may be kept elsewhere: on a disk that is filled."""
        copy = self.repository.copy(folder)
        return copy if at is None else replace(copy, folder=Path(shutil.move(copy.folder, at)))

    def require_kept(self, repository: Repository, what: str) -> list[str]:
        """All data are sound, and what was acknowledged is there, bit for bit. Returns the ids of all snapshots that are listed."""
        check = repository.check("--read-data")
        assert check.status == 0 and check.of_type("summary")[0]["error_count"] == 0, f"{what}: {check.text}"
        ids = repository.snapshot_ids()
        assert set(self.kept) <= set(ids), f"{what}: snapshots are lost"
        for snapshot, data in self.kept.items():
            require_bytes(repository, snapshot, data, what)
        return ids

    def require_kept_after(self, repository: Repository, command: str, outcome: Outcome, before: list[str], what: str) -> list[str]:
        """The same after a command that may have failed. Returns the ids of new snapshots: what fails after the commit leaves one that nobody was told of."""
        new = [snapshot for snapshot in self.require_kept(repository, what) if snapshot not in before]
        if command == "backup":
            assert len(new) <= 1 and (new or outcome.status != 0), f"{what}: an acknowledged snapshot is lost"
        else:
            assert new == [], f"{what}: {new} came from nowhere"
        for snapshot in new:
            require_bytes(repository, snapshot, self.image.read_bytes(), what)
        return new

    def require_goes_on(self, repository: Repository, what: str) -> None:
        """The next backup and the next prune just work, and clear what was left: nobody has to help."""
        outcome = repository.run("backup", "--json", self.image)
        assert outcome.status == 0, f"{what}: the next backup: {outcome.text}"
        prune = repository.run("prune", "--json")
        assert prune.status == 0, f"{what}: the next prune: {prune.text}"
        assert prune.of_type("summary")[0]["waits_for"] == [], f"{what}: the next prune waits for a dead process"
        assert names_of_kind(repository.folder, "sessions") == [], f"{what}: a session is left"
        left = [name for name in names_of_kind(repository.folder, "condemned") if not name.endswith(".verdict")]
        assert left == [], f"{what}: condemned lists are left"
        require_bytes(repository, outcome.of_type("summary")[0]["snapshot"]["id"], self.image.read_bytes(), what)
        self.require_kept(repository, f"{what}, after the next prune")


def require_bytes(repository: Repository, snapshot: str, data: bytes, what: str) -> None:
    outcome = repository.run("restore", snapshot, "-")
    assert outcome.status == 0, f"{what}: {outcome.errors}"
    assert outcome.output_bytes == data, f"{what}: {snapshot} is restored with other bytes"


def choose(points: list[Point], limit: int) -> list[Point]:
    """Of all points so many, chosen at random, in their order."""
    if limit >= len(points):
        return points
    chosen = random.Random(SEED).sample(range(len(points)), limit)
    return [points[number] for number in sorted(chosen)]


def for_each(points: Iterable[Point], folder: Path, trial: Callable[[Point, Path], str]) -> Counter[str]:
    """Runs `trial` for each point, in a folder of its own that is removed when it went well, on all cores. Returns how often each outcome came."""

    def run(numbered: tuple[int, Point]) -> str:
        number, point = numbered
        own = folder / f"{number}"
        own.mkdir(parents=True)
        outcome = trial(point, own)
        shutil.rmtree(own)
        return outcome

    with ThreadPoolExecutor(WORKER_COUNT) as workers:
        return Counter(workers.map(run, enumerate(points)))
