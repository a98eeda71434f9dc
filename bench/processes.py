"""What a process has used so far, as /proc tells it."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.programs import environment


def peak_memory(pid: int | str = "self") -> int:
    """Bytes of memory at most; 0 when the process is gone."""
    return _field(pid, "status", "VmHWM") * 1024


def bytes_read(pid: int | str = "self") -> int:
    """Bytes that came out of read calls of any kind, cached or not; 0 when the process is gone."""
    return _field(pid, "io", "rchar")


def run(command: Sequence[str]) -> tuple[float, int, int]:
    """Run a command, which must succeed: seconds, peak memory and bytes read (as of its last milliseconds)."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment()) as process:
        peak = read = 0
        while process.poll() is None:
            peak, read = max(peak, peak_memory(process.pid)), max(read, bytes_read(process.pid))
            time.sleep(0.002)
        seconds = time.monotonic() - began
        assert process.returncode == 0 and process.stderr, process.stderr and process.stderr.read()
    return seconds, peak, read


def _field(pid: int | str, file: str, key: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), 0)
