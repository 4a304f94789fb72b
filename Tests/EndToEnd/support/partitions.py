"""Disks that are full of random bytes, and what sfdisk finds on them."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

from support.devices import run
from support.images import MIB, make_sparse, overwrite

DISK = 96 * MIB


def disk(path: Path, script: str, byte_count: int = DISK) -> Path:
    """Random bytes in all partitions, in the boot code, and between two partitions."""
    make_sparse(path, byte_count, {})
    done = subprocess.run(["sfdisk", "--quiet", path], input=script, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    generator = random.Random(script)
    overwrite(path, 0, generator.randbytes(440))
    for partition in table(path)["partitions"]:
        if partition["type"] != "5":
            overwrite(path, partition["start"] * 512, generator.randbytes(partition["size"] * 512))
    overwrite(path, 40 * 512, generator.randbytes(512))
    return path


def table(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("sfdisk", "--json", path))["partitiontable"]
    return found


def content(path: Path, partition: dict[str, Any]) -> bytes:
    with path.open("rb") as file:
        file.seek(partition["start"] * 512)
        return file.read(partition["size"] * 512)


def require_sound(path: Path) -> None:
    """Both copies of the table are there, and fit the disk."""
    said = run("sfdisk", "--verify", path)
    assert "No errors detected" in said, said
