"""Writers, a pruner and a checker at once, which are killed and stopped at random: nobody has to help, and nothing acknowledged is lost."""

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

from support.campaign import SEED, require_bytes
from support.images import KIB, make_image, overwrite, random_bytes
from support.objects import names_of_kind
from support.program import Outcome, Program, finish
from support.repository import Repository

STORM_SECONDS = float(os.environ.get("HOLDFAST_STORM_SECONDS", "20"))
WRITER_COUNT = 6
# Of the storm's length: so many of each at least, or it was none. Prunes wait for backups that run, so that few of many delete.
KILLS_PER_SECOND, SNAPSHOTS_PER_SECOND, DELETING_PRUNES_PER_SECOND = 0.3, 0.5, 0.05


class Storm:
    """What the threads share: each drives one process after another."""

    def __init__(self, repository: Repository, folder: Path) -> None:
        self.repository = repository
        self.folder = folder
        self.end = time.monotonic() + STORM_SECONDS
        self.lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        # What was acknowledged and never given to forget, by snapshot.
        self.kept: dict[str, bytes] = {}
        self.failures: list[str] = []

    def run(self, generator: random.Random, kill_after: float, *arguments: object) -> Outcome:
        """Runs a command, which is stopped for a while, killed, both, or left alone."""
        process = self.repository.program.start(*self.repository.arguments(*arguments))
        disturber = threading.Thread(target=self.disturb, args=(process, generator.random(), generator.random() * kill_after))
        disturber.start()
        outcome = finish(process)
        disturber.join()
        with self.lock:
            self.counts["killed" if outcome.status == -signal.SIGKILL else "ran to their end"] += 1
        return outcome

    def disturb(self, process: subprocess.Popen[bytes], choice: float, delay: float) -> None:
        if choice > 0.6:
            return
        try:
            process.wait(delay)
            return
        except subprocess.TimeoutExpired:
            pass
        if choice < 0.25:
            process.send_signal(signal.SIGSTOP)
            time.sleep(delay)
            process.send_signal(signal.SIGCONT)
            with self.lock:
                self.counts["stopped"] += 1
        if choice > 0.15:
            process.kill()

    def fail(self, what: str, outcome: Outcome) -> None:
        with self.lock:
            self.failures.append(f"{what}: status {outcome.status}: {outcome.text[-2000:]}")

    def write(self, number: int) -> None:
        generator = random.Random(SEED * 100 + number)
        image = make_image(self.folder / f"{number}.img", 256 * KIB, SEED)
        while time.monotonic() < self.end:
            # Writers have data in common, and what was forgotten comes again.
            overwrite(image, generator.randrange(12) * 16 * KIB, random_bytes(48 * KIB, generator.randrange(20)))
            outcome = self.run(generator, 0.3, "backup", "--json", image)
            if outcome.status == 0:
                with self.lock:
                    self.counts["acknowledged"] += 1
                    self.kept[outcome.of_type("summary")[0]["snapshot"]["id"]] = image.read_bytes()
            elif outcome.status not in (-signal.SIGKILL, 11):
                self.fail(f"writer {number}", outcome)
            time.sleep(generator.random() * 2)

    def prune(self) -> None:
        generator = random.Random(SEED * 100 + 50)
        while time.monotonic() < self.end:
            with self.lock:
                count = len(self.kept) // 2
                chosen = generator.sample(sorted(self.kept), count)
                # Whatever comes of it, nobody may rely on these any more.
                for snapshot in chosen:
                    del self.kept[snapshot]
            outcome = self.run(generator, 1, "forget", "--prune", "--json", *chosen) if chosen else self.run(generator, 1, "prune", "--json")
            if outcome.status == 0:
                (summary,) = [value for value in outcome.of_type("summary") if value["operation"] == "prune"]
                with self.lock:
                    self.counts["deleting prunes"] += summary["deleted_pack_count"] > 0
                    self.counts["waiting prunes"] += summary["waits_for"] != []
            elif outcome.status != -signal.SIGKILL:
                self.fail("pruner", outcome)

    def check(self) -> None:
        generator = random.Random(SEED * 100 + 60)
        while time.monotonic() < self.end:
            outcome = self.run(generator, 1, "check", "--read-data", "--json")
            if outcome.status == 0:
                with self.lock:
                    self.counts["clean checks"] += 1
            elif outcome.status == 1 and self.names_only_forgotten(outcome):
                with self.lock:
                    self.counts["checks overtaken by a prune"] += 1
            elif outcome.status != -signal.SIGKILL:
                self.fail("checker", outcome)
            time.sleep(0.3)

    def names_only_forgotten(self, outcome: Outcome) -> bool:
        """Whether all errors are about snapshots that were given to forget: a prune took them from under the check."""
        errors = [problem for problem in outcome.of_type("problem") if problem["severity"] == "error"]
        with self.lock:
            return errors != [] and all(problem["snapshots"] and not self.kept.keys() & set(problem["snapshots"]) for problem in errors)


def test_a_storm_of_kills_loses_nothing_acknowledged(holdfast: Program, memory_path: Path) -> None:
    repository = Repository.create(holdfast.at_home(memory_path / "home"), memory_path / "repository", memory_path / "full.key", "--chunk-size", "16KiB")
    storm = Storm(repository, memory_path)
    threads = [threading.Thread(target=storm.write, args=(number,)) for number in range(WRITER_COUNT)]
    threads += [threading.Thread(target=storm.prune), threading.Thread(target=storm.check)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    what = f"seed {SEED}, {STORM_SECONDS:.0f} s: {dict(storm.counts)}, {len(storm.kept)} snapshots kept"
    print(f"\n{what}")
    assert storm.failures == [], what + "\n" + "\n".join(storm.failures)
    # Sessions of the dead are ended by the prune itself: nobody helps.
    for _ in range(2):
        outcome = repository.run("prune", "--json").require(0)
        assert outcome.of_type("summary")[0]["waits_for"] == [], f"{what}: {outcome.text}"
    assert names_of_kind(repository.folder, "sessions") == [], what
    check = repository.check("--read-data").require(0)
    assert check.of_type("problem") == [], f"{what}: {check.text}"
    assert set(storm.kept) <= set(repository.snapshot_ids()), f"{what}: snapshots are lost"
    for snapshot, data in storm.kept.items():
        require_bytes(repository, snapshot, data, what)
    assert storm.counts["killed"] >= KILLS_PER_SECOND * STORM_SECONDS, what
    assert storm.counts["acknowledged"] >= SNAPSHOTS_PER_SECOND * STORM_SECONDS, what
    assert storm.counts["deleting prunes"] >= DELETING_PRUNES_PER_SECOND * STORM_SECONDS, what
    assert storm.counts["clean checks"] > 0, what
