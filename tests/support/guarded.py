"""A process that must not outlive the tests, whatever becomes of them.

In: a command line, a folder, its environment. Out: `Guarded`, to be asked for its life and killed; its words in a file.
Promised: it and all that it forks are one process group; the group is killed by `kill`, and also when this very
process ends without a word (a shell in the group waits for the end of a pipe that only we hold).
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

GUARD = 'exec 3<&0 </dev/null; { cat <&3; kill -KILL 0; } >/dev/null 2>&1 & exec 3<&-; exec "$@"'
"""The shell becomes the program; what it leaves behind in the group waits for the end of its standard input."""


def bare_environment(folder: Path, **extra: str) -> dict[str, str]:
    """Nothing of the caller's settings: a server's home and temporary files are in its own folder."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "TMPDIR": str(folder), **extra}


class Guarded:
    """One process group, running from here on. Its output goes to `NAME.log` in the folder."""

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        line = ["sh", "-c", GUARD, name, *map(str, command)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder, env=env, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Of the program itself, and of its group."""
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to the whole group; returns when its first process is gone."""
        # The guard is in the group until we let go of its pipe: the number cannot have become somebody else's.
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(30)
        assert self._process.stdin is not None
        self._process.stdin.close()

    @property
    def last_words(self) -> str:
        return f"{self.name} ({self.log}):\n{self.log.read_text(errors='replace')[-3000:]}"
