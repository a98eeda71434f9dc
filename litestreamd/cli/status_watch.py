"""`status -watch`: one look after the other, until Ctrl-C.

In: how to look. Out: on a terminal the whole status drawn anew; elsewhere (a pipe, a file, a journal) a line for each
change, so that a log of it tells a story. A look that fails is told, and the next one is taken all the same.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import LitestreamdError

EVERY_S = 2.0
_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def redraw(look: Callable[[], Sequence[str]]) -> NoReturn:
    """Draw over what was there before, which does not flicker."""
    while True:
        lines = [*_told(look), "", f"{format_time(time.time_ns() // 1_000_000)}, every {EVERY_S:g}s; Ctrl-C ends"]
        sys.stdout.write(_HOME + "".join(f"{line}{_CLEAR_LINE}\n" for line in lines) + _CLEAR_BELOW)
        sys.stdout.flush()
        time.sleep(EVERY_S)


def follow(look: Callable[[], Mapping[str, str]], now_ms: Callable[[], int]) -> NoReturn:
    """Print what is new in what is said about each thing, and what is not there any more."""
    known: Mapping[str, str] = {}
    while True:
        try:
            found = look()
        except LitestreamdError as error:
            found = {**known, "status": str(error)}
        for about in [*found, *(about for about in known if about not in found)]:
            if found.get(about) != known.get(about):
                text = found.get(about, "gone" if about != "status" else "answers again")
                print(f"{format_time(now_ms())} {about}: {text}", flush=True)
        known = found
        time.sleep(EVERY_S)


def _told(look: Callable[[], Sequence[str]]) -> Sequence[str]:
    try:
        return look()
    except LitestreamdError as error:
        return [f"error: {error}"]
