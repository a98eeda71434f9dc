"""Events as log lines, in the journal (daemon/journal.py) or on stderr.

In: events of jobs. Out: one line each at a level that lets a quiet database stay quiet: what happens with every sync
is debug, what happens once in a while info, what an operator must know warning or error.
"""

import json
import logging
import sys
import time
from dataclasses import asdict

from litestreamd.basics.clock import format_time
from litestreamd.basics.quantities import format_duration, format_size
from litestreamd.basics.txid import format_txid
from litestreamd.daemon.journal import journal_handler
from litestreamd.jobs import events

LOGGER = logging.getLogger("litestreamd")
REMIND_S = 600.0
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


def set_up(level: str, kind: str) -> None:
    """Begin to log; `level` and `kind` as in the configuration's `logging`. Lines of JSON go to stderr in any case."""
    handler = journal_handler() if kind == "text" else None
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_JsonLines() if kind == "json" else _TextLines())
    LOGGER.handlers[:] = [handler]
    LOGGER.setLevel(LEVELS[level])
    LOGGER.propagate = False


class EventLog:
    """The observer that logs. Trouble that stays the same is said once, and then every REMIND_S; in between it is
    debug: an outage is not a thousand lines."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str | None], tuple[str, float]] = {}

    def __call__(self, event: events.Event) -> None:
        """One line."""
        level, text = _line(event)
        if self._is_old_news(event):
            level = logging.DEBUG
        LOGGER.log(level, "%s: %s", event.database, text, extra={"event": event})

    def _is_old_news(self, event: events.Event) -> bool:
        if isinstance(event, events.Recovered):
            self._told.pop((event.database, event.replica), None)
        if not isinstance(event, events.Problem):
            return False
        where, now = (event.database, event.replica), time.monotonic()
        text, told_at = self._told.get(where, ("", 0.0))
        if text == event.error and now - told_at < REMIND_S:
            return True
        self._told[where] = event.error, now
        return False


def _line(event: events.Event) -> tuple[int, str]:  # noqa: PLR0911, PLR0912  one arm an event
    match event:
        case events.DatabaseOpened():
            return logging.INFO, f"opened, {event.pages} pages of {event.page_size} bytes ({event.how})"
        case events.DatabaseAwaited():
            return logging.INFO, event.why
        case events.WalModeSwitched():
            return logging.WARNING, "was in rollback-journal mode and has been switched to WAL mode"
        case events.Captured():
            size = format_size(event.size)
            return logging.DEBUG, f"captured TXID {format_txid(event.txid)}: {event.pages} pages, {size}"
        case events.Compared():
            return logging.INFO, f"compared all pages, because {event.reason}; {event.changed} differ"
        case events.Pushed():
            return _pushed(event)
        case events.ImageStarted():
            why = f", because {event.reason}" if event.reason else ""
            return logging.INFO, f"full image of {event.pages} pages to {event.replica}{why}"
        case events.SpoolFull():
            gone = f"{event.files} files up to TXID {format_txid(event.through)}"
            owed = f"{event.replica} lacks them and gets what they changed in one file"
            return logging.WARNING, f"the spool is full ({format_size(event.quota)}): {gone} leave it; {owed}"
        case events.ImageGivenUp():
            return logging.WARNING, f"{event.replica}: the full image was given up and is tried again: {event.why}"
        case events.Compacted():
            return _compacted(event)
        case events.Expired():
            level = logging.DEBUG if event.single else logging.INFO
            return level, f"{event.replica}: {event.objects} objects expired, {format_size(event.size)} freed"
        case events.Found():
            level = logging.WARNING if event.lost else logging.INFO
            return level, f"{event.replica}: {event.finding}"
        case events.ObjectDamaged():
            return logging.ERROR, f"{event.replica}: {event.name} is damaged: {event.error}"
        case events.Healed():
            return logging.WARNING, f"{event.replica}: a new full image replaces {event.name}; {event.lost}"
        case events.RetentionStopped():
            return logging.ERROR, f"nothing is deleted from any replica any more: {event.why}"
        case events.Joined():
            return logging.INFO, f"replica {event.replica} is at TXID {format_txid(event.head)}: {event.why}"
        case events.Checkpointed():
            cut = ", -wal cut" if event.truncated else ""
            lock = f"{event.write_lock_seconds * 1000:.1f} ms"
            return logging.DEBUG, f"checkpointed {event.frames} frames, writers waited {lock}{cut}"
        case events.CheckpointLimited():
            done = f"{event.backfilled} of {event.frames} frames"
            return logging.INFO, f"a reader or writer of the application limits checkpoints to {done}"
        case events.ChainHealed():
            return logging.WARNING, _healed(event)
        case events.ValveOpened():
            size, limit = format_size(event.wal_bytes), format_size(event.limit)
            return logging.ERROR, f"the WAL grew to {size} (limit {limit}) uncaptured and was let go: all pages follow"
        case events.ContinuityLost():
            return logging.WARNING, event.reason
        case events.Problem():
            where = f"{event.replica}: " if event.replica else ""
            again = f" (again in {format_duration(event.retry_seconds)})" if event.retry_seconds else ""
            return logging.ERROR, f"{where}{event.error}{again}"
        case events.Recovered():
            return logging.INFO, f"{event.replica or 'the database'} works again"
        case events.Closed():
            return _closed(event)
        case _:
            return logging.INFO, str(event)


def _pushed(event: events.Pushed) -> tuple[int, str]:
    name = f"{event.level}/{format_txid(event.min_txid)}-{format_txid(event.max_txid)}"
    level = logging.INFO if event.level else logging.DEBUG
    return level, f"{event.replica} has {name}, {format_size(event.size)} in {format_duration(event.seconds)}"


def _compacted(event: events.Compacted) -> tuple[int, str]:
    name = f"{event.level}/{format_txid(event.min_txid)}-{format_txid(event.max_txid)}"
    inputs = f"{event.inputs} objects merged into {name}"
    level = logging.INFO if event.level > 1 else logging.DEBUG
    return level, f"{event.replica}: {inputs}, {format_size(event.size)} in {format_duration(event.seconds)}"


def _healed(event: events.ChainHealed) -> str:
    what = "SQLite wrote a WAL with a broken checksum chain (a bug before 3.50.4; update the application's SQLite)"
    return f"{what}; a checkpoint has made its commits safe" if event.done else f"{what}; it could not be healed yet"


def _closed(event: events.Closed) -> tuple[int, str]:
    if not event.txid:
        return logging.INFO, "closed, nothing was captured"
    if not event.behind:
        return logging.INFO, f"closed at TXID {format_txid(event.txid)}, every replica has everything"
    lacking = ", ".join(f"{replica} lacks {count} TXIDs" for replica, count in event.behind)
    return logging.ERROR, f"closed at TXID {format_txid(event.txid)} with data left behind: {lacking}"


class _TextLines(logging.Formatter):
    """Time, level, text."""

    def format(self, record: logging.LogRecord) -> str:
        time, level = format_time(int(record.created * 1000)), record.levelname
        return f"{time} {level:<7} {record.getMessage()}{_trace(self, record)}"


class _JsonLines(logging.Formatter):
    """One JSON object a line; an event's fields are an object of their own (a pushed file has a `level` too)."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": format_time(int(record.created * 1000)),
            "level": record.levelname,
            "msg": record.getMessage(),
        }
        event = getattr(record, "event", None)
        if event is not None:
            line |= {"event": type(event).__name__, "fields": asdict(event)}
        trace = _trace(self, record)
        return json.dumps(line | {"traceback": trace} if trace else line, default=str)


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return "\n" + formatter.formatException(record.exc_info) if record.exc_info else ""
