"""The program is killed at every system call that changes anything: nothing acknowledged is lost, and the next run just works."""

import os
import shutil
from pathlib import Path

import pytest

from support.campaign import SEED, Beginning, choose, for_each
from support.images import MIB, make_image
from support.program import Program
from support.repository import Repository
from support.tracing import changing_calls, needs_strace, run_killed

pytestmark = needs_strace
# Kills of each command. A round takes every point once; the next begins with other data.
KILL_COUNT = int(os.environ.get("HOLDFAST_KILLS", "24"))


@pytest.mark.parametrize("command", ["backup", "prune", "forget"])
def test_a_command_killed_at_any_system_call_loses_nothing(holdfast: Program, memory_path: Path, command: str) -> None:
    killed = acknowledged = round_number = point_count = 0
    while killed < KILL_COUNT:
        beginning = Beginning.make(holdfast, memory_path / f"round{round_number}", SEED + 10 * round_number)
        arguments = beginning.arguments(command)
        points = changing_calls(beginning.copy(memory_path / "counted"), memory_path / "strace.log", *arguments)
        shutil.rmtree(memory_path / "counted")
        point_count = len(points)

        def trial(point: tuple[str, int], folder: Path) -> str:
            repository = beginning.copy(folder)
            what = f"{command} killed at {point[0]} {point[1]} (seed {SEED}, round {round_number})"
            before = repository.snapshot_ids()
            outcome = run_killed(repository, *point, *arguments)
            beginning.require_kept_after(repository, command, outcome, before, what)
            beginning.require_goes_on(repository, what)
            return "killed" if outcome.status != 0 else "acknowledged"

        counts = for_each(choose(points, KILL_COUNT - killed), memory_path / f"trials{round_number}", trial)
        # Which thread makes which call is not the same in every run, so some points are not met.
        assert counts["killed"] >= counts["acknowledged"], f"hardly anything is killed: {counts} of {point_count} points"
        killed += counts["killed"]
        acknowledged += counts["acknowledged"]
        shutil.rmtree(memory_path / f"round{round_number}")
        round_number += 1
    print(f"\n{command}: {killed} kills at {point_count} points in {round_number} rounds; {acknowledged} runs ended before their call")


def test_an_init_killed_at_any_system_call_leaves_nothing_half_made_that_looks_whole(repository: Repository, memory_path: Path) -> None:
    image = make_image(memory_path / "disk.img", MIB)
    arguments = ("init", "--no-recovery-print", "--recovery-file")
    counted = Repository(repository.program.at_home(memory_path / "counted-home"), memory_path / "counted", repository.key_file)
    points = changing_calls(counted, memory_path / "strace.log", *arguments, memory_path / "counted.recovery")
    # Hundreds of folders are made; a few of these do for a slice.
    few = choose([point for point in points if point[0] in ("mkdir", "mkdirat", "fsync")], max(4, KILL_COUNT // 2))
    others = choose([point for point in points if point[0] not in ("mkdir", "mkdirat", "fsync")], max(8, KILL_COUNT))

    def trial(point: tuple[str, int], folder: Path) -> str:
        new = Repository(repository.program.at_home(folder / "home"), folder / "repository", repository.key_file)
        killed = run_killed(new, *point, *arguments, folder / "recovery")
        what = f"init killed at {point[0]} {point[1]}: "
        if killed.status != 0:
            again = new.run(*arguments, folder / "recovery-again")
            if "an init was interrupted" in again.errors:
                # It was not finished, and what is there could be what is left of a repository: only its owner may remove it.
                assert again.status == 1 and str(new.folder) in again.errors
                shutil.rmtree(new.folder)
                new.run(*arguments, folder / "recovery-at-last").require(0)
            else:
                assert again.status == 0 or "there is a repository already" in again.errors, what + again.text
        new.require_equal(new.snapshot(image), image, folder / "back.img")
        new.require_clean()
        return "killed" if killed.status != 0 else "acknowledged"

    counts = for_each(few + others, memory_path / "trials", trial)
    print(f"\ninit: {counts['killed']} kills at {len(points)} points; {counts['acknowledged']} runs ended before their call")
    assert counts["killed"] >= len(few + others) // 2, counts
