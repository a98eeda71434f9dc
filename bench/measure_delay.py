"""(a) From the return of COMMIT to the object on the replica, for an application that writes now and then."""

import random
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path

from bench.figures import Figure, times_better
from bench.ground import MIB, PROGRAMS, Ground
from tests.support import folder_listing
from tests.support.programs import Program
from tests.support.waiting import TimedOut

COMMITS = 15
GAP_S = (1.5, 4.0)
LOOK_EVERY_S = 0.0005
DEADLINE_S = 30.0


def measure(ground: Ground) -> list[Figure]:
    ours, theirs = (_delays(ground, program) for program in PROGRAMS)
    return [
        Figure(
            "commit to replica, sporadic, p50",
            "ms",
            _share(ours, 0.5),
            _share(theirs, 0.5),
            "<= 20 ms, 20x",
            times_better(20, 20),
        ),
        Figure("commit to replica, sporadic, p95", "ms", _share(ours, 0.95), _share(theirs, 0.95)),
    ]


def _share(delays: list[float], share: float) -> float:
    return statistics.quantiles(delays, n=100, method="inclusive")[round(share * 100) - 1] * 1000


def _delays(ground: Ground, program: Program) -> list[float]:
    folder = ground.place(f"delay-{program.name}")
    path = ground.database(folder, 10 * MIB)
    chance = random.Random(7)
    with (
        ground.started(program, folder, path) as replicator,
        closing(sqlite3.connect(path, isolation_level=None)) as db,
    ):
        ground.say(f"delay: {COMMITS} commits, {program.name}")
        db.execute("PRAGMA synchronous=NORMAL")
        delays = []
        for _ in range(COMMITS):
            time.sleep(chance.uniform(*GAP_S))
            known = {each.path for each in folder_listing.objects(replicator.root, (0,))}
            db.execute("INSERT INTO t(a, b) VALUES('now', randomblob(100))")
            delays.append(_until_new(replicator.root, known))
        replicator.stop_clean()
    return delays


def _until_new(root: Path, known: set[Path]) -> float:
    began = time.monotonic()
    while time.monotonic() < began + DEADLINE_S:
        if any(each.path not in known for each in folder_listing.objects(root, (0,))):
            return time.monotonic() - began
        time.sleep(LOOK_EVERY_S)
    raise TimedOut("a new level-0 object")
