"""Time as a parameter: the shape of a clock, and times as text.

Pure code gets `now` as milliseconds since 1970 (the unit of an LTX header); jobs get a Clock.
"""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from litestreamd.basics.errors import UsageError
from litestreamd.basics.quantities import parse_duration

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_FRACTION = re.compile(r"(?<=:\d\d)[.,](\d{1,9})\d*")


class Clock(Protocol):
    """What jobs know of time; the daemon gives the system's, a test its own."""

    def now_ms(self) -> int:
        """Wall clock, milliseconds since 1970 UTC."""

    def monotonic(self) -> float:
        """Seconds that never go back."""


def format_time(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds: 2026-04-18T09:15:00.250Z."""
    try:
        moment = EPOCH + timedelta(milliseconds=ms)
    except OverflowError:
        # A damaged clock or header; the years 1 to 9999 are all there is in RFC 3339.
        return f"{ms} ms since 1970"
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def parse_time_ms(text: str) -> float:
    """Read an RFC 3339 time with offset and optional fraction; out: milliseconds since 1970.

    The fraction of a millisecond is kept: selection by time is a strict "<". Raises UsageError.
    """
    try:
        moment = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        shapes = "2026-04-18T09:15:00Z, 2026-04-18T11:15:00+02:00 or 5m ago"
        raise UsageError(f"{text!r} is not a time: write it as {shapes}") from None
    if moment.tzinfo is None:
        raise UsageError(f"{text!r} has no time zone: add Z for UTC or an offset such as +02:00")
    return (moment - EPOCH) / timedelta(milliseconds=1)


def parse_moment_ns(text: str, now_ns: int) -> int:
    """A time as `parse_time_ns` reads it, or a duration back from now: `5m`, `5m ago`, `1h 30m ago`.

    Raises UsageError.
    """
    words = text.split()
    if words[-1:] == ["ago"]:
        words.pop()
    with suppress(UsageError):
        return now_ns - round(parse_duration("".join(words)) * 1_000_000_000)
    if words and len(words) < len(text.split()):
        raise UsageError(f"{text!r} is not a time: write 90s ago, 5m ago, 1h30m ago or 2d ago")
    return parse_time_ns(text)


def parse_time_ns(text: str) -> int:
    """As `parse_time_ms`, in whole nanoseconds since 1970 and exact: some stores keep times that finely."""
    fraction = _FRACTION.search(text)
    seconds = parse_time_ms(_FRACTION.sub("", text, count=1)) / 1000
    return round(seconds) * 1_000_000_000 + (int(fraction[1].ljust(9, "0")) if fraction else 0)


def format_time_ns(ns: int) -> str:
    """RFC 3339 in UTC with every digit of the nanosecond: what `parse_time_ns` reads back."""
    return f"{format_time(ns // 1_000_000)[:-1]}{ns % 1_000_000:06d}Z"
