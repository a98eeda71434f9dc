"""The log: one line an event, levels that let a quiet database be quiet, and JSON that a machine can read."""

import dataclasses
import json
import logging
from collections.abc import Iterator

import pytest

from litestreamd.daemon import log
from litestreamd.jobs import events

EVENTS = [
    (events.DatabaseOpened("/a.db", 4096, 10, "first start"), "INFO", "10 pages of 4096 bytes"),
    (events.DatabaseAwaited("/a.db", "/a.db does not exist"), "INFO", "does not exist"),
    (events.WalModeSwitched("/a.db"), "WARNING", "switched to WAL mode"),
    (events.Captured("/a.db", 7, 3, 4, 2048), "DEBUG", "0000000000000007"),
    (events.Compared("/a.db", "the WAL was restarted", 5), "INFO", "because the WAL was restarted; 5 differ"),
    (events.Pushed("/a.db", "r0", 0, 7, 7, 2048, 0.01), "DEBUG", "r0 has 0/0000000000000007"),
    (events.Pushed("/a.db", "r0", 9, 1, 7, 2048, 0.01), "INFO", "r0 has 9/0000000000000001"),
    (events.ImageStarted("/a.db", "r0", 10, "the replica is new"), "INFO", "because the replica is new"),
    (events.Joined("/a.db", "r0", 7, "its head is the one we left"), "INFO", "the one we left"),
    (events.Checkpointed("/a.db", 1000, 0.0012, True), "DEBUG", "1.2 ms, -wal cut"),
    (events.CheckpointLimited("/a.db", 100, 50), "INFO", "50 of 100 frames"),
    (events.ChainHealed("/a.db", True), "WARNING", "3.50.4"),
    (events.ChainHealed("/a.db", False), "WARNING", "could not be healed yet"),
    (events.ValveOpened("/a.db", 2 << 30, 1 << 30), "ERROR", "2"),
    (events.ContinuityLost("/a.db", "the locks are gone"), "WARNING", "the locks are gone"),
    (
        events.Problem("/a.db", "r0", "the disk is full", "EnvironmentFault", 4.0),
        "ERROR",
        "r0: the disk is full (again",
    ),
    (events.Problem("/a.db", None, "it is damaged", "DamagedData", None), "ERROR", "it is damaged"),
    (events.Recovered("/a.db", "r0"), "INFO", "r0 works again"),
    (events.Recovered("/a.db", None), "INFO", "the database works again"),
    (events.SpoolFull("/a.db", "r0", 1 << 20, 7, 9), "WARNING", "the spool is full (1.0 MiB): 7 files"),
    (events.ImageGivenUp("/a.db", "r0", "the disk is full"), "WARNING", "r0: the full image was given up"),
    (events.Compacted("/a.db", "r0", 1, 2, 9, 8, 512, 0.01), "DEBUG", "r0: 8 objects merged into 1/"),
    (events.Compacted("/a.db", "r0", 2, 2, 9, 3, 512, 0.01), "INFO", "r0: 3 objects merged into 2/"),
    (events.Expired("/a.db", "r0", 12, 2048, False), "INFO", "r0: 12 objects expired, 2.0 KiB freed"),
    (events.Expired("/a.db", "r0", 12, 2048, True), "DEBUG", "r0: 12 objects expired, 2.0 KiB freed"),
    (events.Found("/a.db", "r0", "TXIDs 4 to 5 are missing", True), "WARNING", "r0: TXIDs 4 to 5 are missing"),
    (events.Found("/a.db", "r0", "two objects overlap", False), "INFO", "two objects overlap"),
    (events.ObjectDamaged("/a.db", "r0", "1/x.ltx", "bad checksum"), "ERROR", "1/x.ltx is damaged: bad checksum"),
    (events.Healed("/a.db", "r0", "1/x.ltx", "no restore point is lost"), "WARNING", "no restore point is lost"),
    (events.RetentionStopped("/a.db", "rot"), "ERROR", "nothing is deleted from any replica any more: rot"),
    (events.Closed("/a.db", 7, ()), "INFO", "every replica has everything"),
    (events.Closed("/a.db", 0, ()), "INFO", "nothing was captured"),
    (events.Closed("/a.db", 7, (("r0", 3),)), "ERROR", "r0 lacks 3 TXIDs"),
]


Stderr = pytest.CaptureFixture[str]


@pytest.fixture
def stderr(capsys: Stderr) -> Iterator[Stderr]:
    logger = log.LOGGER
    before = logger.handlers[:], logger.level, logger.propagate
    yield capsys
    logger.handlers[:], logger.level, logger.propagate = before


def test_every_event_is_here() -> None:
    known = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)}
    assert {type(event) for event, _, _ in EVENTS} == known - {events.Event}


@pytest.mark.parametrize(("event", "level", "text"), EVENTS)
def test_an_event_is_one_line_that_says_where_and_what(
    stderr: Stderr, event: events.Event, level: str, text: str
) -> None:
    log.set_up("debug", "text")
    log.EventLog()(event)
    (line,) = stderr.readouterr().err.splitlines()
    assert f" {level} " in line
    assert "/a.db: " in line
    assert text in line


@pytest.mark.parametrize(("event", "level", "text"), EVENTS)
def test_json_has_the_fields_too(stderr: Stderr, event: events.Event, level: str, text: str) -> None:
    log.set_up("debug", "json")
    log.EventLog()(event)
    line = json.loads(stderr.readouterr().err)
    assert line["level"] == level
    assert line["event"] == type(event).__name__
    assert text in line["msg"]
    assert line["fields"] == json.loads(json.dumps(dataclasses.asdict(event)))


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_levels(stderr: Stderr, level: str, count: int) -> None:
    log.set_up(level, "text")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        log.LOGGER.log(number, "a line")
    assert len(stderr.readouterr().err.splitlines()) == count


def test_a_traceback_is_kept(stderr: Stderr) -> None:
    log.set_up("info", "json")
    try:
        raise KeyError("lost")
    except KeyError:
        log.LOGGER.exception("a bug")
    assert "KeyError: 'lost'" in json.loads(stderr.readouterr().err)["traceback"]


def test_trouble_that_stays_is_said_once(stderr: Stderr, monkeypatch: pytest.MonkeyPatch) -> None:
    log.set_up("info", "text")
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    observer = log.EventLog()
    trouble = events.Problem("/a.db", "r0", "no connection", "StoreError", 20.0)

    def lines(*told: events.Event) -> int:
        for event in told:
            observer(event)
        return len(stderr.readouterr().err.splitlines())

    assert lines(trouble, trouble, trouble) == 1
    assert lines(dataclasses.replace(trouble, replica="r1")) == 1
    assert lines(dataclasses.replace(trouble, error="access is denied")) == 1
    assert lines(trouble) == 1
    now += log.REMIND_S - 1
    assert lines(trouble) == 0
    now += 2
    assert lines(trouble, trouble) == 1
    assert lines(events.Recovered("/a.db", "r0"), trouble) == 2
