"""What has happened so far, counted: the observer behind status and metrics.

In: events of jobs. Out: for each database, and each of its replicas, counters since the start and the present trouble.
Called from every worker thread; read from others.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from litestreamd.jobs import events


@dataclass(frozen=True, slots=True)
class Trouble:
    """What does not work, and since when (ms since 1970)."""

    error_class: str
    text: str
    since_ms: int


@dataclass(slots=True)
class ReplicaTally:
    """One replica. Uploads by level; sizes in bytes, times in seconds; `synced_ms`: when it last got something, or was
    found to have everything; ms since 1970."""

    uploads: Counter[int] = field(default_factory=Counter)
    upload_bytes: Counter[int] = field(default_factory=Counter)
    upload_s: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    deleted: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    trouble: Trouble | None = None
    synced_ms: int | None = None


@dataclass(slots=True)
class Tally:
    """One database."""

    captures: int = 0
    captured_bytes: int = 0
    captured_pages: int = 0
    checkpoints: int = 0
    write_lock_s: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    trouble: Trouble | None = None
    looked_at: bool = False
    replicas: defaultdict[str, ReplicaTally] = field(default_factory=lambda: defaultdict(ReplicaTally))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_NEWS = (events.DatabaseOpened, events.DatabaseAwaited, events.Problem, events.Recovered, events.Joined)


class Board:
    """One per process. `changed` is notified with every event, so that others can wait for what they brought about."""

    def __init__(self, now_ms: Callable[[], int] = _now_ms) -> None:
        self.changed = threading.Condition()
        self._now_ms = now_ms
        self._tallies: dict[str, Tally] = {}
        self._news = False

    def __call__(self, event: events.Event) -> None:
        """Count it."""
        with self.changed:
            self._count(self._tallies.setdefault(event.database, Tally()), event)
            self._news |= isinstance(event, _NEWS)
            self.changed.notify_all()

    def of(self, database: str) -> Tally:
        """What is known of a database: the tally itself, which goes on changing."""
        with self.changed:
            return self._tallies.setdefault(database, Tally())

    def has_looked_at(self, databases: list[str]) -> bool:
        """Whether each of them is watched, known to be absent, or known not to work."""
        with self.changed:
            return all(database in self._tallies and self._tallies[database].looked_at for database in databases)

    def news(self) -> bool:
        """Whether something began or ended since this was asked last that an operator would want to see at once."""
        with self.changed:
            news, self._news = self._news, False
        return news

    def forget(self, database: str) -> None:
        """It is not ours any more: its series end."""
        with self.changed:
            self._tallies.pop(database, None)

    def _count(self, tally: Tally, event: events.Event) -> None:
        match event:
            case events.DatabaseOpened() | events.DatabaseAwaited():
                tally.looked_at = True
            case events.Captured():
                tally.captures += 1
                tally.captured_bytes += event.size
                tally.captured_pages += event.pages
            case events.Checkpointed():
                tally.checkpoints += 1
                tally.write_lock_s += event.write_lock_seconds
            case events.Pushed():
                replica = tally.replicas[event.replica]
                replica.uploads[event.level] += 1
                replica.upload_bytes[event.level] += event.size
                replica.upload_s[event.level] += event.seconds
                replica.synced_ms = self._now_ms()
            case events.Joined():
                tally.replicas[event.replica].synced_ms = self._now_ms()
            case events.Expired():
                tally.replicas[event.replica].deleted += event.objects
            case events.Problem():
                self._fail(tally if event.replica is None else tally.replicas[event.replica], event)
            case events.Recovered():
                (tally if event.replica is None else tally.replicas[event.replica]).trouble = None
            case _:
                pass

    def _fail(self, whose: Tally | ReplicaTally, event: events.Problem) -> None:
        whose.errors[event.error_class] += 1
        if isinstance(whose, Tally):
            whose.looked_at = True
        since = whose.trouble.since_ms if whose.trouble else self._now_ms()
        whose.trouble = Trouble(event.error_class, event.error, since)
