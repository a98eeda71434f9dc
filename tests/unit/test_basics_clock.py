"""Times as text, in UTC, down to the millisecond and below."""

import pytest

from litestreamd.basics.clock import format_time, format_time_ns, parse_moment_ns, parse_time_ms, parse_time_ns
from litestreamd.basics.errors import UsageError


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1776503700250, "2026-04-18T09:15:00.250Z"),
        (1776503700999, "2026-04-18T09:15:00.999Z"),
    ],
)
def test_written_and_read_back(ms: int, text: str) -> None:
    assert format_time(ms) == text
    assert parse_time_ms(text) == ms


@pytest.mark.parametrize(
    "text",
    ["2026-04-18T09:15:00Z", "2026-04-18T11:15:00+02:00", " 2026-04-18T09:15:00.000Z ", "2026-04-18 09:15:00+00:00"],
)
def test_offsets_and_spellings_of_one_moment(text: str) -> None:
    assert parse_time_ms(text) == 1776503700000


def test_part_of_a_millisecond_is_kept_for_a_strict_comparison() -> None:
    assert 1776503700000 < parse_time_ms("2026-04-18T09:15:00.000001Z") < 1776503700001


@pytest.mark.parametrize("text", ["", "now", "yesterday", "2026-13-01T00:00:00Z", "09:15", "1776503700"])
def test_what_is_not_a_time(text: str) -> None:
    with pytest.raises(UsageError, match="time"):
        parse_time_ms(text)


def test_a_time_without_a_zone_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="add Z for UTC"):
        parse_time_ms("2026-04-18T09:15:00")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-04-18T09:15:00Z", 0),
        ("2026-04-18T09:15:00.5Z", 500_000_000),
        ("2026-04-18T11:15:00.598064281+02:00", 598_064_281),
        ("2026-04-18T09:15:00.000000001Z", 1),
        ("2026-04-18T09:15:00.9999999999Z", 999_999_999),
    ],
)
def test_nanoseconds_are_exact(text: str, ns: int) -> None:
    assert parse_time_ns(text) == 1776503700_000_000_000 + ns
    assert parse_time_ns(format_time_ns(parse_time_ns(text))) == parse_time_ns(text)


def test_nanoseconds_before_1970() -> None:
    assert parse_time_ns("1969-12-31T23:59:59.25Z") == -750_000_000
    assert format_time_ns(-750_000_000) == "1969-12-31T23:59:59.250000000Z"


@pytest.mark.parametrize("text", ["", "09:15:00.5", "2026-04-18T09:15:00.5"])
def test_what_is_not_a_time_has_no_nanoseconds_either(text: str) -> None:
    with pytest.raises(UsageError, match="time"):
        parse_time_ns(text)


NOW_NS = 1_776_503_700_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5m ago", 300),
        ("5m", 300),
        (" 5m  ago ", 300),
        ("1h30m ago", 5400),
        ("1h 30m ago", 5400),
        ("2d ago", 172800),
        ("90s", 90),
        ("0.25s ago", 0.25),
        ("0 ago", 0),
        ("0s", 0),
    ],
)
def test_a_duration_counts_back_from_now(text: str, seconds: float) -> None:
    assert parse_moment_ns(text, NOW_NS) == NOW_NS - int(seconds * 10**9)


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-18T09:15:00.000000001Z",
        "2026-04-18T09:15:00.0000000019Z",
        "2026-04-18T23:15:00.000000001+14:00",
        "2026-04-17T21:15:00.000000001-12:00",
        "2026-04-18T14:45:00.000000001+05:30",
        "2026-04-18t09:15:00.000000001z",
        "2026-04-18T09:15:00.000000001-00:00",
    ],
)
def test_a_moment_may_be_a_time_with_any_offset_and_fraction(text: str) -> None:
    assert parse_moment_ns(text, NOW_NS + 5) == NOW_NS + 1


@pytest.mark.parametrize("text", ["", "ago", "yesterday", "5 ago", "2026-04-18T09:15:00Z ago", "-5m", "5 minutes ago"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(UsageError, match="5m ago"):
        parse_moment_ns(text, NOW_NS)


@pytest.mark.parametrize("ms", [1 << 62, -(1 << 62)])
def test_a_time_that_no_calendar_has_is_printed_all_the_same(ms: int) -> None:
    assert format_time(ms) == f"{ms} ms since 1970"
