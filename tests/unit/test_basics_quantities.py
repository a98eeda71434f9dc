"""Durations and sizes as people write and read them."""

import pytest

from litestreamd.basics.errors import UsageError
from litestreamd.basics.quantities import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("500ms", 0.5),
        ("1s", 1.0),
        (" 10s ", 10.0),
        ("1.5h", 5400.0),
        ("1h30m", 5400.0),
        ("7d", 604800.0),
        ("1d12h", 129600.0),
        (".5s", 0.5),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("1000ns", 0.000001),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "10", "s", "1 s", "1h 30m", "-1s", "1w", "1sec", "1e3s", "ten", "1s!"])
def test_what_is_not_a_duration(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250ms"), (1.5, "1.5s"), (10, "10s"), (300, "5m"), (5400, "1h30m"), (604800, "7d"), (90061, "1d1h1m1s")],
)
def test_durations_are_written(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("5242880", 5242880),
        ("5MiB", 5 << 20),
        ("5mib", 5 << 20),
        ("5Mi", 5 << 20),
        ("64MB", 64_000_000),
        ("1.5GB", 1_500_000_000),
        ("2 GiB", 2 << 30),
        ("1T", 10**12),
        ("10B", 10),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1XB", "1,5MB", "one", "1MBs", "0x10"])
def test_what_is_not_a_size(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (812, "812 B"), (1536, "1.5 KiB"), (2 << 30, "2.0 GiB"), (5 << 40, "5.0 TiB")]
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert format_size(size) == text
