"""A program under the demonstration's eyes.

In: a command line. Out: a process whose words are kept in a file of its own (nothing to drain), and that never
outlives the `with` block it was started in.
"""

import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self


class Failed(Exception):
    """The demonstration did not show what it should; the text says what was seen."""


class Running:
    """One started process."""

    def __init__(self, *command: str | Path) -> None:
        self.command = [str(part) for part in command]
        self._words = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by __exit__)
        self._process = subprocess.Popen(self.command, stdout=self._words, stderr=self._words)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._words.close()

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def must_run(self) -> None:
        """Failed if it has ended."""
        if self._process.poll() is not None:
            self._fail(f"ended by itself with code {self._process.returncode}")

    def must_stop(self, within_s: float) -> float:
        """SIGTERM; out: seconds until it ended with code 0. Anything else is Failed."""
        self._process.send_signal(signal.SIGTERM)
        return self.must_succeed(within_s)

    def must_succeed(self, within_s: float) -> float:
        """Wait for its end; out: seconds until it ended with code 0. Anything else is Failed."""
        began = time.monotonic()
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._fail(f"did not end within {within_s:g} s")
        if code != 0:
            self._fail(f"ended with code {code}")
        return time.monotonic() - began

    def _fail(self, what: str) -> None:
        self._words.seek(0)
        raise Failed(f"{' '.join(self.command)}\n{what}; its last words:\n{self._words.read()[-2000:]}")
