"""(e) CPU and memory for many changes: rows all over a database are updated, 1 MiB of pages a transaction.

Counted is all CPU from after the first image to the end of the final sync, and the peak memory of the whole run.
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

from bench.figures import Figure, at_most, no_worse
from bench.ground import LONG_S, MIB, PROGRAMS, Ground
from tests.support.programs import Program
from tests.support.replicator import Cost, cpu_seconds

PAGES_A_TRANSACTION = 256


def measure(ground: Ground) -> list[Figure]:
    ours, theirs = (_cost(ground, program) for program in PROGRAMS)
    size = f"{ground.size // MIB} MiB of changes"
    return [
        Figure(f"CPU for {size}", "s", ours.cpu_s, theirs.cpu_s, "no more", no_worse),
        Figure(
            f"peak memory, {size}", "MiB", ours.peak_bytes / MIB, theirs.peak_bytes / MIB, "<= 100 MiB", at_most(100)
        ),
    ]


def _cost(ground: Ground, program: Program) -> Cost:
    folder = ground.place(f"changes-{program.name}")
    path = ground.database(folder, ground.size // 4)
    with ground.started(program, folder, path) as replicator:
        ground.say(f"changes: {program.name}")
        before = cpu_seconds(replicator.pid)
        change(path, ground.size // MIB)
        replicator.stop_clean(LONG_S)
        return Cost(replicator.cost.cpu_s - before, replicator.cost.peak_bytes)


def change(path: Path, transactions: int) -> None:
    """So many transactions of 1 MiB of pages each."""
    chance = random.Random(3)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as db:
        db.execute("PRAGMA synchronous=NORMAL")
        last = db.execute("SELECT max(id) FROM t").fetchone()[0]
        for _ in range(transactions):
            db.execute("BEGIN IMMEDIATE")
            chosen = ((chance.randbytes(100), chance.randint(1, last)) for _ in range(PAGES_A_TRANSACTION))
            db.executemany("UPDATE t SET b = ? WHERE id = ?", chosen)
            db.execute("COMMIT")
