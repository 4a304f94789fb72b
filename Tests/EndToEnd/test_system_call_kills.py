"""The program is killed at its mutating system calls: nothing acknowledged is lost, and the next run just works."""

import os
import random
import shutil
from pathlib import Path

from support.images import KIB, MIB, make_image, overwrite, random_bytes
from support.objects import names_of_kind
from support.repository import Repository
from support.tracing import count_calls, needs_strace, run_killed

pytestmark = needs_strace
# All points of a backup are several hundred; a number above that takes them all.
KILL_COUNT = int(os.environ.get("HOLDFAST_KILLS", "150"))
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))


def points(counts: dict[str, int], limit: int) -> list[tuple[str, int]]:
    """Calls to be killed at, of every kind in turn; opening files, of which there are most, as far as the limit leaves room."""
    generator = random.Random(SEED)
    changing: list[tuple[int, str, int]] = []
    for name in sorted(counts.keys() - {"openat"}):
        numbers = generator.sample(range(1, counts[name] + 1), counts[name])
        changing += [(turn, name, number) for turn, number in enumerate(numbers)]
    opening = generator.sample(range(1, counts.get("openat", 0) + 1), counts.get("openat", 0))
    return ([(name, number) for _, name, number in sorted(changing)] + [("openat", number) for number in opening])[:limit]


def test_a_backup_killed_at_any_system_call_loses_nothing(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    first = repository.snapshot(image)
    original = tmp_path / "original.img"
    shutil.copyfile(image, original)
    overwrite(image, 300 * KIB, random_bytes(400 * KIB, seed=2))
    overwrite(image, 0, bytes(8 * KIB))
    trial = tmp_path / "trial"
    counts = count_calls(repository.copy(trial), tmp_path / "strace.log", "backup", image)
    shutil.rmtree(trial)
    chosen = points(counts, KILL_COUNT)
    assert {"pwrite64", "fdatasync", "linkat", "fsync"} <= counts.keys()
    killed = 0
    copy = repository.copy(trial)
    for number, (call, when) in enumerate(chosen):
        what = f"killed at {call} {when} (seed {SEED})"
        before = set(copy.snapshot_ids())
        outcome = run_killed(copy, call, when, "backup", image)
        killed += outcome.status != 0
        after = copy.snapshot_ids()
        assert before <= set(after) and first in after, f"{what}: snapshots are lost"
        assert outcome.status != 0 or len(after) == len(before) + 1, f"{what}: an acknowledged snapshot is lost"
        check = copy.check("--read-data")
        assert check.status == 0, f"{what}: {check.text}"
        newest = after[-1] if len(after) > len(before) else copy.snapshot(image)
        assert copy.run("restore", newest, "-").output_bytes == image.read_bytes(), what
        assert copy.run("restore", first, "-").output_bytes == original.read_bytes(), what
        if number % 10 == 9 or not names_of_kind(copy.folder, "snapshots"):
            shutil.rmtree(trial)
            copy = repository.copy(trial)
        else:
            # The next kill meets new data again.
            overwrite(image, random.Random(number).randrange(1000) * KIB, random_bytes(20 * KIB, seed=number))
    # Which thread makes which call is not the same in every run, so some points are not met.
    assert killed >= len(chosen) * 2 // 3, f"only {killed} of {len(chosen)} runs were killed"


def test_an_init_killed_at_any_system_call_leaves_nothing_half_made_that_looks_whole(repository: Repository, tmp_path: Path) -> None:
    image = make_image(tmp_path / "disk.img", MIB)
    generator = random.Random(SEED)
    chosen = [(call, number) for call in ("linkat", "fsync", "fdatasync", "pwrite64") for number in range(1, 9)]
    chosen += [(call, generator.randrange(1, 500)) for call in ("mkdir", "mkdirat", "fsync") for _ in range(3)]
    for number, (call, when) in enumerate(chosen[:max(8, KILL_COUNT // 8)]):
        root = tmp_path / f"{number}"
        root.mkdir()
        new = Repository(repository.program.at_home(root / "home"), root / "repository", repository.key_file)
        arguments = ("init", "--no-recovery-print", "--recovery-file")
        killed = run_killed(new, call, when, *arguments, root / "recovery")
        what = f"init killed at {call} {when}: "
        if killed.status != 0:
            again = new.run(*arguments, root / "recovery-again")
            if "an init was interrupted" in again.errors:
                # It was not finished, and what is there could be what is left of a repository: only its owner may remove it.
                assert again.status == 1 and str(new.folder) in again.errors
                shutil.rmtree(new.folder)
                new.run(*arguments, root / "recovery-at-last").require(0)
            else:
                assert again.status == 0 or "there is a repository already" in again.errors, what + again.text
        new.require_equal(new.snapshot(image), image, root / "back.img")
        new.require_clean()
        shutil.rmtree(root)
