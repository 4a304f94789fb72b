"""The peak of anonymous memory of a program while it runs."""

import subprocess
import time
from pathlib import Path

from support.program import finish


def anonymous_byte_count(process_id: int) -> int:
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    lines = [line for line in status.splitlines() if line.startswith("RssAnon:")]
    return int(lines[0].split()[1]) * 1024 if lines else 0


def peak_byte_count(process: subprocess.Popen[bytes]) -> int:
    """Samples every 20 ms until the program ends, which has to be with status 0."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, anonymous_byte_count(process.pid))
        time.sleep(0.02)
    finish(process).require(0)
    assert peak > 0
    return peak
