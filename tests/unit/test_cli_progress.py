"""How far a restore is: when it is told, and how it looks on a terminal and elsewhere."""

import io

import pytest

from litestreamd.cli.progress import Progress, describe

MIB = 1 << 20


class Stream(io.StringIO):
    """Text, on a terminal or not."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


class Clock:
    """Seconds by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("done", "total", "seconds", "text"),
    [
        (0, 100 * MIB, 0, "0%, 0 B of 100.0 MiB"),
        (25 * MIB, 100 * MIB, 5, "25%, 25.0 MiB of 100.0 MiB, 5.0 MiB/s, 15s left"),
        (100 * MIB, 100 * MIB, 5, "100%, 100.0 MiB of 100.0 MiB, 20.0 MiB/s"),
        (101 * MIB, 100 * MIB, 5, "100%, 101.0 MiB of 100.0 MiB, 20.2 MiB/s"),
        (10 * MIB, 0, 5, "10.0 MiB, 2.0 MiB/s"),
    ],
)
def test_what_is_told(done: int, total: int, seconds: float, text: str) -> None:
    assert describe(done, total, seconds) == text


def test_a_line_every_ten_seconds_where_there_is_no_terminal() -> None:
    stream, clock = Stream(terminal=False), Clock()
    progress = Progress(stream, clock)
    for second in range(1, 26):
        clock.now = 100.0 + second
        progress(second * MIB, 40 * MIB)
        progress.clear()
    assert stream.getvalue().splitlines() == [
        "litestreamd: 25%, 10.0 MiB of 40.0 MiB, 1.0 MiB/s, 30s left",
        "litestreamd: 50%, 20.0 MiB of 40.0 MiB, 1.0 MiB/s, 20s left",
    ]


def test_a_bar_on_a_terminal_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream, clock = Stream(terminal=True), Clock()
    progress = Progress(stream, clock)
    progress(MIB, 4 * MIB)
    assert stream.getvalue() == ""
    clock.now += 1
    progress(2 * MIB, 4 * MIB)
    bar = "[############............] 50%, 2.0 MiB of 4.0 MiB, 2.0 MiB/s, 1s left"
    assert stream.getvalue() == "\r" + bar
    progress.clear()
    assert stream.getvalue() == "\r" + bar + "\r" + " " * len(bar) + "\r"
    progress.clear()
    assert stream.getvalue().count("\r") == 3


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream, clock = Stream(terminal=True), Clock()
    progress = Progress(stream, clock)
    clock.now += 11
    progress(MIB, 4 * MIB)
    assert stream.getvalue().startswith("litestreamd: 25%")


def test_a_new_beginning_has_its_own_rate() -> None:
    stream, clock = Stream(terminal=False), Clock()
    progress = Progress(stream, clock)
    clock.now += 5
    progress(30 * MIB, 40 * MIB)
    progress(0, 40 * MIB)
    clock.now += 10
    progress(10 * MIB, 40 * MIB)
    assert stream.getvalue() == "litestreamd: 25%, 10.0 MiB of 40.0 MiB, 1.0 MiB/s, 30s left\n"


def test_what_is_done_is_told_and_has_its_own_rate() -> None:
    stream, clock = Stream(terminal=False), Clock()
    progress = Progress(stream, clock)
    progress(30 * MIB, 40 * MIB)
    clock.now += 10
    progress(0, 0, "SQLite checks it")
    clock.now += 15
    progress(0, 0, "SQLite checks it")
    clock.now += 5
    progress(10 * MIB, 40 * MIB, "comparing with the live database")
    clock.now += 5
    progress(20 * MIB, 40 * MIB, "comparing with the live database")
    assert stream.getvalue().splitlines() == [
        "litestreamd: SQLite checks it: for 0s",
        "litestreamd: SQLite checks it: for 15s",
        "litestreamd: comparing with the live database: 50%, 20.0 MiB of 40.0 MiB, 4.0 MiB/s, 5s left",
    ]
