"""The independent reader of Specs/reader."""

import os
import subprocess
import sys
from pathlib import Path

from support.program import TIMEOUT_SECONDS

PROJECT = Path(__file__).resolve().parents[3]


def read(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs the reader with the Python that the tests install, or the one named by HOLDFAST_READER_PYTHON."""
    installed = PROJECT / ".build-python/bin/python"
    python = os.environ.get("HOLDFAST_READER_PYTHON") or str(installed if installed.exists() else sys.executable)
    return subprocess.run(
        [python, "-m", "holdfast_reader", *map(str, arguments)], cwd=PROJECT / "Specs/reader", capture_output=True, text=True,
        timeout=TIMEOUT_SECONDS)
