"""For tests: die at a named point of the program (basics/crash_points.py).

In: LITESTREAMD_CRASH_AT, `name` or `name:n` for the n-th passing; with `name:n:freeze` the thread that passes stands
still for ever. Out: nothing; without the variable nothing is armed.
"""

import os
import signal
from collections.abc import Mapping
from functools import partial
from threading import Event

from litestreamd.basics import crash_points

VARIABLE = "LITESTREAMD_CRASH_AT"


def arm_crash_point(environment: Mapping[str, str]) -> None:
    """Raises KeyError for a name that is none."""
    text = environment.get(VARIABLE)
    if text:
        name, passing, what = (*text.split(":"), "", "")[:3]
        action = Event().wait if what == "freeze" else partial(os.kill, os.getpid(), signal.SIGKILL)
        crash_points.arm(name, int(passing or "1"), action)
