"""How an application behaves: the settings of one writer process, as a value that travels as JSON.

In: a seeded random generator. Out: `Habits`. The ranges cover what CAPTURE has to survive: tiny caches
that spill, every checkpoint mode, autocheckpoint off or at each commit, VACUUM, changing schemas.
"""

import json
import random
from dataclasses import asdict, dataclass

STOCK = "sqlite3"
NEW = "apsw"

EVERYDAY = ("insert", "insert", "insert", "bulk", "update", "update", "delete", "savepoints", "roll_back")
OWN_CHECKPOINTS = ("checkpoint",)
REBUILDING = ("vacuum", "incremental_vacuum", "schema", "schema")
RESTLESS = ("reopen", "read_on", "settings")


@dataclass(frozen=True, slots=True)
class Habits:
    """`weight`: bytes of a typical row; `pause_ms`: between operations; `deeds`: drawn from evenly."""

    library: str = STOCK
    cache_pages: int = 200
    autocheckpoint: int = 1000
    synchronous: str = "NORMAL"
    journal_size_limit: int = -1
    busy_ms: int = 2000
    weight: int = 200
    bulk_rows: int = 300
    pause_ms: float = 0.0
    deeds: tuple[str, ...] = EVERYDAY

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> "Habits":
        fields = json.loads(text)
        return Habits(**{**fields, "deeds": tuple(fields["deeds"])})

    @property
    def may_break_chains(self) -> bool:
        """SQLite < 3.50.4 leaves a broken WAL checksum chain after a spill and ROLLBACK TO.

        It can then lose commits by itself, when everybody died before a checkpoint.
        """
        small = self.cache_pages < 100 or "settings" in self.deeds
        return self.library == STOCK and "savepoints" in self.deeds and small


def random_habits(chance: random.Random, *, libraries: tuple[str, ...] = (STOCK, NEW)) -> Habits:
    """One plausible, or implausible, application."""
    deeds: tuple[str, ...] = EVERYDAY
    for more in (OWN_CHECKPOINTS, REBUILDING, RESTLESS):
        if chance.random() < 0.6:
            deeds += more
    return Habits(
        library=chance.choice(libraries),
        cache_pages=chance.choice((10, 10, 40, 2000)),
        autocheckpoint=chance.choice((0, 1, 10, 100, 1000, 1000)),
        synchronous=chance.choice(("OFF", "NORMAL", "NORMAL", "FULL")),
        journal_size_limit=chance.choice((-1, -1, 0, 100_000)),
        busy_ms=chance.choice((0, 50, 2000, 2000)),
        weight=chance.choice((20, 200, 200, 3000)),
        bulk_rows=chance.choice((50, 300, 3000)),
        pause_ms=chance.choice((0.0, 0.0, 1.0, 10.0)),
        deeds=deeds,
    )
