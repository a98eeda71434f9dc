"""Reading back what went to the journal, through cysystemd, or python3-systemd where that is not installed.

In: an instance, a time. Out: entries, oldest first.
Rights: root, the members of systemd-journal, and each user what his own processes wrote; who may read nothing sees
nothing, which the journal does not tell apart from silence.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from litestreamd.basics.errors import EnvironmentFault

try:
    from cysystemd.reader import JournalOpenMode, JournalReader, Rule
except ImportError:
    JournalReader = None
try:
    from systemd import journal
except ImportError:
    journal = None

UNITS = ("litestreamd", "litestreamd-restore", "litestreamd-verify")
IDENTIFIERS = ("litestreamd", "litestreamd-restore")

Match = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: microseconds since 1970, and its fields as text."""

    time_us: int
    fields: Mapping[str, str]


def of_instance(instance: str | None) -> list[Match]:
    """What an instance wrote, and what systemd said of its units; None: all instances' own words."""
    if instance is None:
        return [("SYSLOG_IDENTIFIER", name) for name in IDENTIFIERS]
    return [("LITESTREAMD_INSTANCE", instance), *(("UNIT", f"{unit}@{instance}.service") for unit in UNITS)]


def of_unit(unit: str) -> list[Match]:
    """What a unit wrote, and what systemd said of it."""
    return [("_SYSTEMD_UNIT", unit), ("UNIT", unit)]


def read_journal(any_of: Iterable[Match], since_us: int = 0) -> Iterator[Entry]:
    """All entries that fit one of these (there is at least one) and are not older. Raises EnvironmentFault when there
    is no library to read with."""
    if JournalReader is not None:
        return _with_cysystemd(list(any_of), since_us)
    if journal is not None:
        return _with_systemd(list(any_of), since_us)
    raise EnvironmentFault(
        "the journal cannot be read: neither cysystemd nor python3-systemd is installed (journalctl -t litestreamd can)"
    )


def _with_cysystemd(any_of: list[Match], since_us: int) -> Iterator[Entry]:
    reader = JournalReader()
    reader.open(JournalOpenMode.SYSTEM)
    reader.add_filter(reduce(lambda rules, rule: rules | rule, (Rule(*match) for match in any_of)))
    if since_us:
        reader.seek_realtime_usec(since_us)
    else:
        reader.seek_head()
    for found in reader:
        if found.get_realtime_usec() >= since_us:
            yield Entry(found.get_realtime_usec(), {name: _text(value) for name, value in found.data.items()})


def _with_systemd(any_of: list[Match], since_us: int) -> Iterator[Entry]:
    with journal.Reader() as reader:
        for number, (name, value) in enumerate(any_of):
            if number:
                reader.add_disjunction()
            reader.add_match(**{name: value})
        reader.seek_realtime(since_us / 1e6) if since_us else reader.seek_head()
        for found in reader:
            time_us = round(found["__REALTIME_TIMESTAMP"].timestamp() * 1e6)
            if time_us >= since_us:
                yield Entry(time_us, {name: _text(value) for name, value in found.items()})


def _text(value: Any) -> str:
    """A field that stands twice (LogExtraFields= and we say the same) is given once."""
    if isinstance(value, list | tuple | set):
        value = next(iter(value), "")
    if isinstance(value, uuid.UUID):
        return value.hex
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
