"""The journal for the report of a failure: the last lines of a unit, and an entry with fields.

In: a unit; a text with fields. Out: lines; an entry.
Two libraries can read (cysystemd first, then python3-systemd), one writes; none of them is needed: without a reader
there are no lines, without a writer the text goes to stderr, which the journal keeps as well.
"""

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import Any

try:
    from cysystemd import reader as cysystemd_reader
except ImportError:
    cysystemd_reader = None
try:
    from systemd import journal as systemd_journal
except ImportError:
    systemd_journal = None

_ERROR = 3
_LOOKED_AT = 200


def last_lines(unit: str, count: int) -> list[str]:
    """What the unit said last, oldest first; [] when nobody here can read the journal."""
    try:
        if cysystemd_reader is not None:
            messages: Iterable[Any] = islice(_newest_of_cysystemd(unit), count)
        elif systemd_journal is not None:
            messages = islice(_newest_of_systemd(unit), count)
        else:
            return []
        return [_line(message) for message in reversed(list(messages))]
    except OSError:  # no right, or no journal on this machine
        return []


def write_entry(text: str, fields: Mapping[str, str]) -> None:
    """One entry of priority `error`."""
    if systemd_journal is None:
        sys.stderr.write("".join(f"<{_ERROR}>{line}\n" for line in text.splitlines()))
        return
    systemd_journal.send(text, PRIORITY=_ERROR, SYSLOG_IDENTIFIER="litestreamd", **fields)


def _newest_of_systemd(unit: str) -> Iterator[object]:
    with closing(systemd_journal.Reader()) as reader:
        reader.this_boot()
        reader.add_match(_SYSTEMD_UNIT=unit)
        reader.add_disjunction()
        reader.this_boot()
        reader.add_match(UNIT=unit, _PID=1)  # what systemd itself says of it
        reader.seek_tail()
        while entry := reader.get_previous():
            yield entry.get("MESSAGE", "")


def _newest_of_cysystemd(unit: str) -> Iterator[object]:
    reader = cysystemd_reader.JournalReader()
    reader.open(cysystemd_reader.JournalOpenMode.SYSTEM)
    rule = cysystemd_reader.Rule
    reader.add_filter(rule("_SYSTEMD_UNIT", unit) | (rule("UNIT", unit) & rule("_PID", "1")))
    reader.seek_tail()
    reader.skip_previous(_LOOKED_AT)
    newest = deque((entry.data.get("MESSAGE", "") for entry in reader), _LOOKED_AT)
    yield from reversed(newest)


def _line(message: object) -> str:
    """Text on one line; a message of bytes is no UTF-8."""
    text = message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    return " ".join(text.split())
