"""The journal for the report of a failure: the last lines of a unit, and an entry with fields.

In: a unit; a text with fields. Out: lines; an entry.
No library is needed: without one that reads there are no lines, without one that writes the text goes to stderr, which
the journal keeps as well.
"""

import sys
import time
from collections import deque
from collections.abc import Mapping

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.daemon.journal_reader import of_unit, read_journal

try:
    from systemd import journal
except ImportError:
    journal = None

_ERROR = 3
_LOOK_BACK_S = 3600


def last_lines(unit: str, count: int) -> list[str]:
    """What the unit said last, oldest first; [] when nobody here can read the journal."""
    since_us = (time.time_ns() // 1000) - _LOOK_BACK_S * 1_000_000
    try:
        newest = deque(read_journal(of_unit(unit), since_us), count)
    except (EnvironmentFault, OSError):  # no library, no right, no journal: the report goes out without
        return []
    return [" ".join(entry.fields.get("MESSAGE", "").split()) for entry in newest]


def write_entry(text: str, fields: Mapping[str, str]) -> None:
    """One entry of priority `error`."""
    if journal is None:
        sys.stderr.write("".join(f"<{_ERROR}>{line}\n" for line in text.splitlines()))
        return
    journal.send(text, PRIORITY=_ERROR, SYSLOG_IDENTIFIER="litestreamd", **fields)
