"""(s3) From the return of COMMIT to the answer of the PUT that makes it durable in the bucket, both programs as they
come; an application that writes now and then, and one with 50 commits a second.

The application writes a number into one row. Every level-0 object is decoded afterwards: the highest number in it tells
which commits it made durable, the proxy's record when its PUT was answered.
"""

import random
import re
import sqlite3
import statistics
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from bench.bucket import MARK, Stage, stage, uploads
from bench.figures import Figure, times_better
from bench.ground import MIB, PROGRAMS, Ground
from tests.support.ltx_reading import decode
from tests.support.programs import Program
from tests.support.waiting import until

SPORADIC, BUSY_S, RATE = 25, 20.0, 50.0
KEPT = {"l0-retention": "1h"}


def measure(ground: Ground) -> list[Figure]:
    figures = []
    for kind, target, judge in (("sporadic", "1/10", times_better(10)), ("busy", "", None)):
        ours, theirs = (_delays(ground, program, kind) for program in PROGRAMS)
        for part in (50, 99):
            told = (target, judge) if part == 50 else ("", None)
            figures.append(
                Figure(f"commit to bucket, {kind}, p{part}", "ms", _share(ours, part), _share(theirs, part), *told)
            )
    return figures


def _share(delays: list[float], part: int) -> float:
    return statistics.quantiles(delays, n=100, method="inclusive")[part - 1] * 1000


def _delays(ground: Ground, program: Program, kind: str) -> list[float]:
    with stage(ground, program, f"s3-{kind}", 10 * MIB, KEPT) as where:
        ground.say(f"s3-delay, {kind}: {program.name}")
        where.replicator.start()
        where.wait_image()
        committed = _write(where.path, _gaps(kind))
        until(lambda: _reached(where) >= len(committed), "the last commit is in the bucket", 60)
        return _matched(where, committed)


def _gaps(kind: str) -> Iterator[float]:
    chance = random.Random(7)
    if kind == "sporadic":
        return (chance.uniform(1.5, 4.0) for _ in range(SPORADIC))
    return (1 / RATE for _ in range(round(BUSY_S * RATE)))


def _write(path: Path, gaps: Iterator[float]) -> list[float]:
    """The times at which COMMIT n returned, from n = 1 on."""
    times = []
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("CREATE TABLE mark(text)")
        db.execute("INSERT INTO mark VALUES(?)", (MARK % 0,))
        for number, gap in enumerate(gaps, start=1):
            time.sleep(gap)
            db.execute("UPDATE mark SET text = ?", (MARK % number,))
            times.append(time.monotonic())
    return times


def _highest(body: bytes) -> int:
    pages = b"".join(page for _, page in decode(body).pages)
    return max((int(found) for found in re.findall(rb"MARK(\d{12})", pages)), default=-1)


def _reached(where: Stage) -> int:
    newest = where.root.objects((0,))[-3:]
    return max((_highest(where.root.body(each.key)) for each in newest), default=-1)


def _matched(where: Stage, committed: list[float]) -> list[float]:
    """For each commit the time to the first answered PUT of an object with its number, or a later one."""
    bodies = {each.key: _highest(where.root.body(each.key)) for each in where.root.objects((0,))}
    marks, times, highest = [], [], -1
    for seen in sorted(uploads(where.proxy), key=lambda seen: seen.done):
        if bodies.get(seen.key, -1) > highest:
            highest = bodies[seen.key]
            marks.append(highest)
            times.append(seen.done)
    return [times[bisect_left(marks, number)] - at for number, at in enumerate(committed, start=1)]
