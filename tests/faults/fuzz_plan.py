"""One round of the fuzz as a value: everything chance decides is decided here, from the seed.

In: a seed, optionally a crash point that must be reached. Out: a frozen `RoundPlan`.
Timing is the operating system's: the same seed gives the same plan, not the same interleaving.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from litestreamd.basics.crash_points import NAMES
from tests.support.habits import EVERYDAY, NEW, OWN_CHECKPOINTS, REBUILDING, STOCK, Habits, random_habits

SLOW_IMAGE_POINTS = ("image.kept", "image.moved")
"""Passed only when the guard moves while an image is on its way: see tests/faults/image_fuzz.py."""

_OF_COMMANDS = ("restore.", "rollback.")
DAEMON_POINTS = tuple(name for name in NAMES if not name.startswith(_OF_COMMANDS) and name not in SLOW_IMAGE_POINTS)
"""The crash points that a running daemon passes."""

HURRIED: Mapping[str, object] = {
    "levels": [{"interval": "200ms"}, {"interval": "1s"}],
    "l0-retention": "500ms",
    "l0-retention-check-interval": "200ms",
    "snapshot": {"interval": "1s", "retention": "3s"},
    "spool-quota": "1MiB",
}
"""A history that lives in seconds what others live in days."""

HISTORY_POINTS = ("compact.created", "expire.deleted")
"""Passed soon only by a history in a hurry."""

PAGE_SIZES = (512, 1024, 2048, 4096, 4096, 8192, 16384, 32768, 65536)


class Deed(Enum):
    """What befalls the daemon or the applications in the middle of a round."""

    KILL_DAEMON = "kill -9 of the daemon, restarted at once"
    CRASH_DAEMON = "the daemon dies at a crash point, restarted"
    STOP_DAEMON = "clean stop of the daemon under load, restarted"
    OFFLINE = "the daemon is dead for a while"
    KILL_WRITER = "kill -9 of a writer, another one starts"
    KILL_WRITERS = "kill -9 of all writers at once, new ones start"
    EVERYBODY = "kill -9 of all writers and the daemon"
    LULL = "a second of silence"
    NO_DISK = "the disk of the last replica is away; the daemon may die meanwhile"


class Beginning(Enum):
    """What is there when the daemon first starts."""

    DAEMON_FIRST = "no database yet"
    EMPTY = "a database, nobody at work"
    BUSY = "applications at work"
    LEFT_BEHIND = "a WAL left by a crashed application"
    ROLLBACK_JOURNAL = "not in WAL mode yet"


class Reach(Enum):
    """What brings an armed daemon to its crash point."""

    WORK = "applications at work"
    SILENCE = "applications that fall silent"
    STOP = "a clean stop"


@dataclass(frozen=True, slots=True)
class Event:
    """At `after_s` since the last event; `crash_at` (name:n) for CRASH_DAEMON."""

    after_s: float
    deed: Deed
    crash_at: str = ""


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """A whole round; `options` and `replica_options` go to the configuration file."""

    seed: int
    page_size: int
    auto_vacuum: int
    beginning: Beginning
    habits: tuple[Habits, ...]
    replicas: int
    options: dict[str, object]
    replica_options: dict[str, object]
    first_crash: str
    events: tuple[Event, ...]
    work_s: float
    writers_die: bool
    crash_within_s: float = 0.7
    reach: Reach = Reach.WORK
    top: Mapping[str, object] = field(default_factory=dict)
    """Keys of the whole file."""

    @property
    def excuses_sqlite(self) -> bool:
        """Whether SQLite < 3.50.4 may lose commits or damage the file all by itself in this round."""
        return any(each.library == STOCK for each in self.habits) and (
            any(each.may_break_chains for each in self.habits) or len(self.habits) > 1
        )


def random_plan(seed: int, crash_points: Sequence[str]) -> RoundPlan:
    """Any round."""
    chance = random.Random(seed)
    habits = tuple(random_habits(chance) for _ in range(chance.choice((1, 1, 2, 2, 3, 4))))
    return RoundPlan(
        seed=seed,
        page_size=chance.choice(PAGE_SIZES),
        auto_vacuum=chance.randrange(3),
        beginning=chance.choice(tuple(Beginning)),
        habits=habits,
        replicas=chance.choice((1, 1, 1, 2)),
        options=_options(chance),
        replica_options={"sync-interval": chance.choice(("1ms", "10ms", "10ms", "100ms", "1s"))},
        first_crash=_crash(chance, crash_points) if chance.random() < 0.2 else "",
        events=tuple(_event(chance, crash_points) for _ in range(chance.choice((0, 1, 1, 2, 3, 4)))),
        work_s=chance.uniform(0.2, 0.7),
        writers_die=chance.random() < 0.4,
        top=HURRIED if chance.random() < 0.4 else {},
    )


def crash_plan(name: str, passing: int, seed: int) -> RoundPlan:
    """A round in which every crash point is passed soon: steady work, eager checkpoints, two replicas."""
    reach = {"checkpoint.truncated": Reach.SILENCE, "close.drained": Reach.STOP}.get(name, Reach.WORK)
    deeds = (*EVERYDAY, *OWN_CHECKPOINTS, *REBUILDING)
    busy = Habits(library=NEW, cache_pages=40, autocheckpoint=0, deeds=deeds, bulk_rows=100, pause_ms=2)
    quiet = Habits(library=NEW, autocheckpoint=1000, deeds=("insert", "update"), pause_ms=5)
    return RoundPlan(
        seed=seed,
        page_size=1024,
        auto_vacuum=seed % 3,
        beginning=Beginning.BUSY,
        habits=(busy, quiet),
        replicas=2,
        options={"min-checkpoint-page-count": 20, "checkpoint-interval": "200ms", "truncate-page-n": 40},
        replica_options={"sync-interval": "10ms"},
        first_crash=f"{name}:{passing}",
        top=HURRIED if name in HISTORY_POINTS else {},
        events=(),
        work_s=0.3,
        writers_die=False,
        crash_within_s=60.0,
        reach=reach,
    )


def _options(chance: random.Random) -> dict[str, object]:
    return {
        "min-checkpoint-page-count": chance.choice((1, 20, 100, 1000)),
        "checkpoint-interval": chance.choice(("50ms", "1s", "1m")),
        "truncate-page-n": chance.choice((50, 500, 121359)),
        "max-sync-wal-bytes": chance.choice((65536, 1 << 20, 64 << 20)),
    }


def _crash(chance: random.Random, crash_points: Sequence[str]) -> str:
    return f"{chance.choice(crash_points)}:{chance.choice((1, 1, 1, 2, 4))}" if crash_points else ""


def _event(chance: random.Random, crash_points: Sequence[str]) -> Event:
    deed = chance.choice((*Deed, Deed.KILL_DAEMON, Deed.CRASH_DAEMON, Deed.CRASH_DAEMON))
    return Event(chance.uniform(0.02, 0.35), deed, _crash(chance, crash_points) if deed is Deed.CRASH_DAEMON else "")
