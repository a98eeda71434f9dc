"""How far long work is: a bar on a terminal, a line now and then elsewhere, always on stderr.

In: bytes done and in all, and what is done to them, from any thread. Out: text. Promised: nothing on stdout; a bar is
gone before anything else is printed, if whoever prints calls `clear`.
"""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import TextIO

from litestreamd.basics.quantities import format_duration, format_size
from litestreamd.cli.ages import format_age

_DRAW_EVERY_S = 0.1
_LINE_EVERY_S = 10.0
_BAR = 24


class Progress:
    """One piece of work, told on a stream, and to `told` as often."""

    def __init__(
        self,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        told: Callable[[str], object] | None = None,
    ) -> None:
        self._stream = stream or sys.stderr
        self._bar = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._clock = clock
        self._told = told
        self._every = _DRAW_EVERY_S if self._bar else _LINE_EVERY_S
        self._lock = Lock()
        self._began = self._shown = clock()
        self._done = 0
        self._work = ""
        self._drawn = 0

    def __call__(self, done: int, total: int, work: str = "") -> None:
        """So many bytes of `total` (0: not known) are done. A count that goes back, or another `work`, means that
        something begins anew."""
        now = self._clock()
        with self._lock:
            if done < self._done or work != self._work:
                self._began = now
            self._done, self._work = done, work
            if now - self._shown < self._every:
                return
            self._shown = now
            text = describe(done, total, now - self._began, work)
            if self._told is not None:
                self._told(text)
            self._draw(text, done / total if total else None) if self._bar else self._write(f"litestreamd: {text}\n")

    def clear(self) -> None:
        """Take the bar away; it comes back with the next bytes."""
        with self._lock:
            if self._drawn:
                self._write("\r" + " " * self._drawn + "\r")
                self._drawn = 0

    def _draw(self, text: str, part: float | None) -> None:
        full = round(min(part, 1.0) * _BAR) if part is not None else 0
        bar = "" if part is None else f"[{'#' * full}{'.' * (_BAR - full)}] "
        line = (bar + text)[: self._width()]
        self._write("\r" + line.ljust(self._drawn))
        self._drawn = len(line)

    def _width(self) -> int:
        try:
            return max(20, os.get_terminal_size(self._stream.fileno()).columns - 1)
        except (OSError, ValueError):
            return 79

    def _write(self, text: str) -> None:
        mention(self._stream, text)


def mention(stream: TextIO, text: str) -> None:
    """Say something on the way. A terminal or a reader that is gone is no reason to leave work half done."""
    with suppress(OSError):
        stream.write(text)
        stream.flush()


def describe(done: int, total: int, seconds: float, work: str = "") -> str:
    """`42%, 1.2 GiB of 2.9 GiB, 310.0 MiB/s, 6s left`; of something that only goes on, for how long it does."""
    if work:
        so_far = describe(done, total, seconds) if done or total else f"for {format_age(seconds)}"
        return f"{work}: {so_far}"
    rate = done / seconds if seconds > 0 else 0.0
    parts = [f"{format_size(done)} of {format_size(total)}" if total else format_size(done)]
    if total:
        parts.insert(0, f"{min(100, 100 * done // total)}%")
    if rate:
        parts.append(f"{format_size(round(rate))}/s")
    if rate and total > done:
        parts.append(f"{format_duration(max(1, round((total - done) / rate)))} left")
    return ", ".join(parts)
