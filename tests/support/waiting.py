"""Waiting for a fact with a deadline: no test sleeps and hopes.

In: a question that is cheap to ask, a deadline in seconds, and what it is about.
Out: the first true answer. Promised: `TimedOut` names what never happened.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LOOK_EVERY_S = 0.002


class TimedOut(AssertionError):
    """The fact did not come true in time."""


def until(question: Callable[[], T], what: str, deadline_s: float = 20.0) -> T:
    """Ask every 2 ms until the answer is true; out: that answer. Raises TimedOut."""
    end = time.monotonic() + deadline_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimedOut(f"{what}: not within {deadline_s:g} s")
        time.sleep(LOOK_EVERY_S)
