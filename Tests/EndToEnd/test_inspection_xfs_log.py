"""An XFS whose log is pending is seen as it will be once the log was replayed: what is free then, the kernel says, and what it holds nobody misses."""

import os
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from support.devices import run, unmount
from support.file_systems import XFSFileSystem, attached, churn, commit, copy, xfs
from support.images import KIB, MIB, overwrite, random_bytes
from support.inspector import UNIT, Volume, attempt, blocks_of, decode, inspect, overwrite_free

pytestmark = pytest.mark.root
SEED = int(os.environ.get("HOLDFAST_SEED", "1"))
MUTANT_COUNT = int(os.environ.get("HOLDFAST_XFS_LOG_MUTANTS", "60"))
SECONDS_MAX = 10
SECTOR = 512
MAGIC = b"\xfe\xed\xba\xbe"


def small(name: str, *options: str, byte_count: int = 40 * MIB) -> XFSFileSystem:
    return xfs(name, "-d", "agcount=2", *options, byte_count=byte_count)


PLAIN = small("XFS", "-l", "size=8m")
SMALL_BLOCKS = small("XFS 1k", "-b", "size=1024", "-l", "size=6m")
# Every record is as long as a stripe, and so the log goes round soon.
STRIPED = small("XFS long stripes in the log", "-l", "size=19m,su=256k", byte_count=64 * MIB)


def copied(image: Path, folder: Path, to: Path) -> None:
    copy(image, to)


def frozen(image: Path, folder: Path, to: Path) -> None:
    run("fsfreeze", "-f", folder)
    copy(image, to)
    run("fsfreeze", "-u", folder)


def stopped(image: Path, folder: Path, to: Path) -> None:
    """Nothing comes to the disk any more but the log."""
    run("xfs_io", "-x", "-c", "shutdown -f", folder)
    copy(image, to)


def stopped_at_once(image: Path, folder: Path, to: Path) -> None:
    run("xfs_io", "-x", "-c", "shutdown", folder)
    copy(image, to)


def settle() -> None:
    """Blocks of files without a name are freed in the background."""
    time.sleep(0.2)


def change(folder: Path, seed: int) -> None:
    """Writes files, whose blocks come to the disk, and removes some, which comes only to the log; large folders and scattered extents let the trees grow and shrink."""
    churn(folder, seed, count=15, byte_count_max=MIB)
    many, scattered = folder / f"many {seed}", folder / f"scattered {seed}"
    many.mkdir()
    for number in range(250):
        (many / f"{'a long name ' * 4}{number}").write_bytes(random_bytes(3 * KIB, number))
    scattered.write_bytes(random_bytes(MIB, seed))
    run("sync", "-f", folder)
    run("xfs_io", *(word for number in range(100) for word in ("-c", f"fpunch {number * 8192} 4096")), scattered)
    for path in sorted(many.iterdir())[seed % 2::2]:
        path.unlink()
    for path in sorted(folder.glob(f"folder {seed - 1} *")):
        for file in path.iterdir():
            file.unlink()
        path.rmdir()
    (folder / f"scattered {seed - 1}").unlink(missing_ok=True)
    settle()
    commit(folder)


def is_recovered(image: Path, work: Path) -> bool:
    """Whether the kernel mounts it; then its log is replayed."""
    work.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "xfs", "-o", "loop,nouuid", image, work], capture_output=True).returncode != 0:
        return False
    unmount(work)
    return True


def require_as_recovered(system: XFSFileSystem, taken: Path, volume: Volume, folder: Path) -> str:
    """What is free is so for the kernel too, and garbage there makes no difference to it."""
    work = folder / "mounted"
    recovered, damaged = copy(taken, folder / "recovered.img"), copy(taken, folder / "damaged.img")
    overwrite_free(damaged, volume)
    for image in (recovered, damaged):
        assert is_recovered(image, work)
    ours, after = blocks_of(volume, UNIT), system.free_units(recovered)
    # At its end a recovery frees what was about to be freed, for which the trees may take some blocks, to write to them.
    assert len(ours - after) <= 8, f"{len(ours - after)} blocks that are in use are free"
    assert system.tree(damaged, work) == system.tree(recovered, work)
    assert system.checked(damaged) == system.checked(recovered)
    return f"{len(ours)} of {len(after)} free blocks found, {len(system.free_units(taken) - after)} are wrong on the disk"


MOMENTS: list[tuple[XFSFileSystem, list[Callable[[Path, Path, Path], None]]]] = [
    (PLAIN, [copied, frozen, stopped]),
    (SMALL_BLOCKS, [stopped, stopped_at_once]),
    (small("XFS large sectors", "-s", "size=4096", "-l", "size=13m"), [stopped_at_once, stopped]),
    (small("XFS reverse mapping", "-m", "rmapbt=1,reflink=1", "-l", "size=13m"), [stopped]),
    (small("XFS without a tree of free inodes", "-m", "finobt=0,reflink=0", "-l", "size=8m"), [stopped]),
    (STRIPED, [frozen, stopped]),
]


@pytest.mark.parametrize(("system", "moments"), MOMENTS, ids=[system.name for system, _ in MOMENTS])
def test_a_pending_log_is_taken_into_account(system: XFSFileSystem, moments: list[Callable[[Path, Path, Path], None]], memory_path: Path) -> None:
    image, taken, work = system.create(memory_path / "disk.img"), memory_path / "taken.img", memory_path / "mounted"
    for number, moment in enumerate(moments, SEED):
        with attached(image, work, "xfs", "nouuid") as folder:
            change(folder, 2 * number)
            change(folder, 2 * number + 1)
            moment(image, folder, taken)
        answer = inspect(taken)
        volume = answer.volume()
        assert answer.warnings == [] and volume.free
        print(f"\n{system.name}, {moment.__name__}: {require_as_recovered(system, taken, volume, memory_path)}")
        after = system.free_units(memory_path / "recovered.img")
        assert len(blocks_of(volume, UNIT)) >= 0.99 * len(after)
        assert moment == frozen or system.free_units(taken) != after, "the log made no difference, and nothing was tested"


def test_what_was_logged_of_blocks_that_were_freed_does_not_come_back(memory_path: Path) -> None:
    """A tree grows into blocks that a folder had when the log began."""
    image, taken = SMALL_BLOCKS.create(memory_path / "disk.img"), memory_path / "taken.img"
    with attached(image, memory_path / "mounted", "xfs", "nouuid") as folder:
        scattered, many = folder / "scattered", folder / "many"
        scattered.write_bytes(random_bytes(3 * MIB, 1))
        many.mkdir()
        for number in range(600):
            (many / f"{'a long name ' * 10}{number}").touch()
        run("sync", "-f", folder)
        for path in many.iterdir():
            path.unlink()
        many.rmdir()
        settle()
        # Blocks that were freed are not given away before the log says so.
        run("sync", "-f", folder)
        run("xfs_io", *(word for number in range(1400) for word in ("-c", f"fpunch {number * 2048} 1024")), scattered)
        commit(folder)
        stopped(image, folder, taken)
    answer = inspect(taken)
    assert answer.warnings == []
    require_as_recovered(SMALL_BLOCKS, taken, answer.volume(), memory_path)


def pending_range(image: Path) -> tuple[int, int]:
    """Tail and head, in sectors of the log."""
    return tuple(map(int, re.search(r"tail: (\d+) head: (\d+) state: <DIRTY>", run("xfs_logprint", "-t", image)).groups()))


def test_a_log_that_went_round_is_replayed_across_its_end(memory_path: Path) -> None:
    image, taken = STRIPED.create(memory_path / "disk.img"), memory_path / "taken.img"
    number = seen = 0
    with attached(image, memory_path / "mounted", "xfs", "nouuid") as folder:
        while seen < 2:
            for _ in range(30 if seen == 0 else 100):
                number += 1
                (folder / f"file {number}").write_bytes(random_bytes(number % 7 * 9000, number))
                (folder / f"file {number - 40}").unlink(missing_ok=True)
                commit(folder)
            assert number < 1000, "the log did not go round"
            copy(image, taken)
            tail, head = pending_range(taken)
            if tail > head:
                seen += 1
                answer = inspect(taken)
                assert answer.warnings == []
                print(f"\nfrom {tail} to {head}: {require_as_recovered(STRIPED, taken, answer.volume(), memory_path)}")


class Log:
    """The bytes of a pending log, to be damaged."""

    def __init__(self, system: XFSFileSystem, image: Path) -> None:
        self.start, end = system.log_range(image)
        with image.open("rb") as file:
            self.data = os.pread(file.fileno(), end - self.start, self.start)
        self.sector_count = len(self.data) // SECTOR
        tail, head = pending_range(image)
        self.sectors = [(tail + number) % self.sector_count for number in range((head - tail) % self.sector_count)]
        self.heads = [sector for sector in self.sectors if self.word(sector) == MAGIC]

    def word(self, sector: int, number: int = 0) -> bytes:
        at = sector * SECTOR + 4 * number
        return self.data[at:at + 4]

    def cycle(self, sector: int) -> int:
        return int.from_bytes(self.word(sector, self.word(sector) == MAGIC), "big")


def pending_log(system: XFSFileSystem, folder: Path) -> tuple[Path, Log]:
    """Many transactions, and at the end a large one that takes several records."""
    image, taken = system.create(folder / "disk.img"), folder / "taken.img"
    with attached(image, folder / "mounted", "xfs", "nouuid") as mounted:
        change(mounted, 1)
        for number in range(20):
            (mounted / f"file {number}").write_bytes(random_bytes(50_000, number))
            (mounted / f"file {number - 1}").unlink(missing_ok=True)
            commit(mounted)
        for path in [*mounted.glob("scattered *"), *mounted.glob("many */*")]:
            path.unlink()
        settle()
        stopped(image, mounted, taken)
    return taken, Log(system, taken)


def test_a_log_ends_before_a_record_that_was_not_finished_and_must_be_whole_before(memory_path: Path) -> None:
    """Of a transaction whose last record is missing nothing counts, though all others are there."""
    taken, log = pending_log(SMALL_BLOCKS, memory_path)
    volume = inspect(taken).volume()
    require_as_recovered(SMALL_BLOCKS, taken, volume, memory_path)
    whole = blocks_of(volume, UNIT)
    for sector in (log.heads[-1] + 1, log.heads[-4] + 1):
        torn = copy(taken, memory_path / "torn.img")
        overwrite(torn, log.start + sector * SECTOR + 200, b"\x5a\x5a\x5a\x5a")
        volume = inspect(torn).volume()
        assert len(blocks_of(volume, UNIT)) < len(whole) - 100, "the last records made no difference"
        require_as_recovered(SMALL_BLOCKS, torn, volume, memory_path)
    damaged = copy(taken, memory_path / "damaged.img")
    overwrite(damaged, log.start + (log.heads[-12] + 1) * SECTOR + 200, b"\x5a\x5a\x5a\x5a")
    answer = inspect(damaged)
    assert answer.volume().free is None and "a record of its log is damaged" in answer.texts
    assert not is_recovered(damaged, memory_path / "mounted")


def test_where_a_group_is_damaged_too_nothing_is_free(memory_path: Path) -> None:
    """No kernel would replay the log then."""
    taken, _ = pending_log(PLAIN, memory_path)
    assert inspect(taken).volume().free
    group = PLAIN.byte_count // 2
    with taken.open("rb") as file:
        file.seek(group + SECTOR)
        assert file.read(4) == b"XAGF"
    overwrite(taken, group + SECTOR + 110, b"\xff")
    answer = inspect(taken)
    assert answer.volume().free is None and "an allocation group is damaged" in answer.texts


def mutate(mutant: bytearray, log: Log, generator: random.Random) -> None:
    """Changes bytes of headers and records, more of the last ones, or leaves out sectors as if they had not been written."""
    for _ in range(generator.choice([1, 1, 2, 5])):
        kind = generator.randrange(4)
        if kind == 0:
            count = generator.randrange(1, min(len(log.sectors), 600))
            for sector in log.sectors[-count:][:generator.choice([count, 3, 8])]:
                mutant[sector * SECTOR:(sector + 1) * SECTOR] = (log.cycle(sector) - 1).to_bytes(4, "big") + bytes(SECTOR - 4)
            continue
        sector = generator.choice([log.heads[-10:], log.sectors[-200:], range(log.sector_count)][kind - 1])
        place = generator.choice([0, 4, 8, 12, 16, 19, 20, 24, 27, 28, 32, 40, 43, 300, 320]) if kind == 1 else generator.randrange(SECTOR)
        mutant[sector * SECTOR + place] ^= generator.choice([1, 0x80, 0xFF, generator.randrange(1, 256)])


def inspected(path: Path, log: Log, mutant: bytes, what: str) -> Volume:
    """It is answered, in time."""
    overwrite(path, log.start, mutant)
    begin = time.monotonic()
    done = attempt(path, "--cpu-seconds", SECONDS_MAX, timeout=SECONDS_MAX)
    assert done.status == 0 and done.errors == "" and time.monotonic() - begin < SECONDS_MAX, f"{what}: status {done.status}: {done.errors}"
    return decode(done.output).volume()


def test_of_damaged_logs_nothing_is_free_that_a_recovery_needs(memory_path: Path) -> None:
    taken, log = pending_log(PLAIN, memory_path)
    generator = random.Random(f"{SEED} log")
    outcomes: Counter[str] = Counter()
    judged = []
    for number in range(MUTANT_COUNT):
        mutant = bytearray(log.data)
        mutate(mutant, log, generator)
        volume = inspected(taken, log, mutant, f"seed {SEED}, mutant {number}")
        outcomes["all used" if volume.free is None else "some free"] += 1
        if volume.free is not None and volume.free not in judged and len(judged) < max(3, MUTANT_COUNT // 25):
            # What the kernel does not replay nobody mounts.
            if is_recovered(copy(taken, memory_path / "seen.img"), memory_path / "mounted"):
                judged.append(volume.free)
                require_as_recovered(PLAIN, taken, volume, memory_path)
                outcomes["judged by the kernel"] += 1
    print(f"\n{dict(outcomes)}")
    assert outcomes["all used"] and outcomes["judged by the kernel"] > 1


def crc32c_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CASTAGNOLI = crc32c_table()


def crc32c(*pieces: bytes) -> int:
    value = 0xFFFFFFFF
    for piece in pieces:
        for byte in piece:
            value = value >> 8 ^ CASTAGNOLI[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def mend(mutant: bytearray, start: int, header_byte_count: int = 328) -> None:
    """Makes the checksum of a record fit that has one header, so that what is in it is looked at."""
    count = min(int.from_bytes(mutant[start + 12:start + 16], "big"), 32 * KIB)
    checksum = crc32c(mutant[start:start + 32], bytes(4), mutant[start + 36:start + header_byte_count], mutant[start + SECTOR:start + SECTOR + count])
    mutant[start + 32:start + 36] = checksum.to_bytes(4, "little")


def test_logs_that_were_made_to_confuse_are_answered_in_time(memory_path: Path) -> None:
    """Their checksums are right. The kernel is not asked about them: it would believe them too."""
    taken, log = pending_log(PLAIN, memory_path)
    generator = random.Random(f"{SEED} crafted")
    outcomes: Counter[bool] = Counter()
    mutant = bytearray(log.data)
    mend(mutant, log.heads[-3] * SECTOR)
    assert mutant == log.data, "the checksum is not that of the kernel"
    for number in range(MUTANT_COUNT):
        mutant = bytearray(log.data)
        record = generator.randrange(len(log.heads))
        start, end = (sector * SECTOR for sector in [*log.heads, log.sectors[-1] + 1][record:record + 2])
        # Operations and items begin with what is not zero, and are most of all at the beginning.
        for _ in range(generator.choice([1, 2, 8])):
            place = start + generator.choice([generator.randrange(SECTOR), SECTOR + generator.randrange(min(600, end - start - SECTOR)), generator.randrange(end - start)])
            mutant[place] = generator.choice([0, 1, 2, 0x7F, 0x80, 0xFF, mutant[place] ^ 1 << generator.randrange(8)])
        mend(mutant, start)
        outcomes[inspected(taken, log, mutant, f"seed {SEED}, crafted mutant {number}").free is None] += 1
    print(f"\n{dict(outcomes)}")
    assert len(outcomes) == 2


def test_a_log_of_a_32_bit_machine_is_replayed(memory_path: Path) -> None:
    """Its checksums cover four bytes less. As a log that was torn everywhere it would be taken for one that is empty."""
    taken, log = pending_log(PLAIN, memory_path)
    free = inspect(taken).volume().free
    data = bytearray(log.data)
    for sector in log.heads:
        mend(data, sector * SECTOR, 324)
    overwrite(taken, log.start, data)
    answer = inspect(taken)
    assert answer.warnings == [] and answer.volume().free == free
