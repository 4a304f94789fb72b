"""Runs the program under strace, which counts its system calls, kills it at one of them or makes one fail."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from support.program import Outcome, Program
from support.repository import Repository

# All that changes what storage holds, and the opening of files, between which a kill could matter as well.
MUTATING = (
    "openat", "write", "pwrite64", "pwritev", "pwritev2", "fdatasync", "fsync", "sync_file_range", "link", "linkat", "rename", "renameat",
    "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "ftruncate", "fallocate")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


# With --seccomp-bpf a program stops at the traced calls alone, and is faster by far. Strace 6 then kills nothing, though: injected signals are lost.
def under_strace(program: Program, *options: str) -> Program:
    return program.under("strace", "-f", "--quiet=all", "-o", "/dev/null", *options)


def changing_calls(repository: Repository, log: Path, *arguments: object) -> list[tuple[str, int]]:
    """Every call of the command that changes what storage holds, by name and by its number among the calls of that name by its thread.

    Strace counts by thread, too: where several threads have a call of that number, the first to come there meets what is injected.
    """
    traced = repository.program.under("strace", "-f", "--seccomp-bpf", "--quiet=all", "-o", str(log), "-e", "trace=" + ",".join(f"?{name}" for name in MUTATING))
    repository.using(traced).run(*arguments).require(0)
    counts: Counter[tuple[str, str]] = Counter()
    found: set[tuple[str, int]] = set()
    for thread, name, rest in re.findall(r"^(\d+) +(\w+)\((.*)$", log.read_text(), re.MULTILINE):
        counts[thread, name] += 1
        # Files that are opened to be read, what is said to the terminal, and the byte that wakes a thread through a pipe, change nothing.
        if name == "openat":
            is_changing = any(flag in rest for flag in ("O_CREAT", "O_TMPFILE", "O_WRONLY", "O_RDWR"))
        else:
            is_changing = not rest.startswith(("1,", "2,")) and ', "\\1", 1)' not in rest
        if is_changing:
            found.add((name, counts[thread, name]))
    return sorted(found)


def count_calls(repository: Repository, log: Path, *arguments: object) -> dict[str, int]:
    """How often one thread at most makes each mutating system call while the command runs: strace counts by thread."""
    traced = repository.program.under("strace", "-f", "--seccomp-bpf", "--quiet=all", "-o", str(log), "-e", "trace=" + ",".join(f"?{name}" for name in MUTATING))
    repository.using(traced).run(*arguments).require(0)
    by_thread = Counter(re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.MULTILINE))
    largest: dict[str, int] = {}
    for (_, name), count in by_thread.items():
        largest[name] = max(count, largest.get(name, 0))
    return largest


def run_killed(repository: Repository, call: str, number: int, *arguments: object) -> Outcome:
    """Kills all threads before the given call of that kind by any thread takes effect."""
    traced = under_strace(repository.program, "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")
    return repository.using(traced).run(*arguments)


def run_failing(repository: Repository, call: str, error: str, number: str, *arguments: object) -> Outcome:
    """Makes the calls of that kind that `number` names fail, without effect."""
    traced = under_strace(repository.program, "--seccomp-bpf", "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
    return repository.using(traced).run(*arguments)
