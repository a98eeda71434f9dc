"""Whether those who work make progress: what the watchdog rests on.

In: `began` and `ended` around each piece of work of a thread, signs of life in between (basics/pulse.py).
Out: for how long the most silent of the threads at work has shown none.
Promised: a thread without work is never silent; one that waits for something with a deadline is not, until then.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class _Sign:
    """The last sign of life, or the time until which none is due (monotonic seconds)."""

    thread: str
    work: str
    at: float


@dataclass(frozen=True, slots=True)
class Silence:
    """How long a thread at work has shown no life."""

    seconds: float
    thread: str = ""
    work: str = ""


class Progress:
    """Of all threads of the process that say what they are at."""

    def __init__(self) -> None:
        self._signs: dict[int, _Sign] = {}

    @contextmanager
    def at_work(self, work: str) -> Iterator[None]:
        """This thread does something that has to get on."""
        me, outer = threading.get_ident(), self._signs.get(threading.get_ident())
        self._signs[me] = _Sign(threading.current_thread().name, work, time.monotonic())
        try:
            yield
        finally:
            if outer is None:
                del self._signs[me]
            else:
                outer.at = time.monotonic()
                self._signs[me] = outer

    def told(self, seconds: float) -> None:
        """A sign of life of this thread; the next one is due after so many seconds more (see pulse.listen)."""
        sign = self._signs.get(threading.get_ident())
        if sign is not None:
            sign.at = time.monotonic() + seconds

    def silence(self) -> Silence:
        """The longest of now."""
        now = time.monotonic()
        worst = Silence(0.0)
        for sign in tuple(self._signs.values()):
            if now - sign.at > worst.seconds:
                worst = Silence(now - sign.at, sign.thread, sign.work)
        return worst
