"""Compares large files and devices."""

import subprocess
from pathlib import Path


def require_same_content(first: Path, second: Path) -> None:
    done = subprocess.run(["cmp", str(first), str(second)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def folder_byte_count(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
