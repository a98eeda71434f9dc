"""The operator's hooks: what shall happen when a unit has failed.

In: a folder with executables, the report, environment variables. Out: what went wrong, a sentence for each hook.
Promised: they run one after the other in the order of their names; one that fails, hangs or cannot be started does not
keep the others from running. What they print goes where our own output goes.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path("/etc/litestreamd/on-failure.d")
LIMIT_S = 60.0
_IGNORED = ("~", ".dpkg-old", ".dpkg-dist", ".dpkg-new", ".rpmsave", ".rpmnew", ".bak")
_GRACE_S = 5.0


def run_hooks(folder: Path, report: str, environment: Mapping[str, str], limit_s: float = LIMIT_S) -> list[str]:
    """Run every one. Out: a sentence for each that did not end with 0."""
    faults = (_run(hook, report, environment, limit_s) for hook in find_hooks(folder))
    return [fault for fault in faults if fault]


def find_hooks(folder: Path) -> list[Path]:
    """The executable files, without hidden ones and what editors and packages leave."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".")
        and not path.name.endswith(_IGNORED)
        and path.is_file()
        and os.access(path, os.X_OK)
    )


def _run(hook: Path, report: str, environment: Mapping[str, str], limit_s: float) -> str | None:
    try:
        # A session of its own, so that what it started can be ended with it.
        process = subprocess.Popen(
            [hook], stdin=subprocess.PIPE, env={**os.environ, **environment}, text=True, start_new_session=True
        )
    except OSError as error:
        return f"the hook {hook} cannot be run: {error.strerror}"
    with process:
        try:
            process.communicate(report, timeout=limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return f"the hook {hook} did not end within {limit_s:g} s and was killed"
    return f"the hook {hook} ended with {process.returncode}" if process.returncode else None


def _end(process: subprocess.Popen[str]) -> None:
    """SIGTERM, and SIGKILL for what does not listen."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
