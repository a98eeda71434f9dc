"""(s3) Requests an hour, counted at the wire: idle, at one commit a second, at a hundred; default levels and retention.

Watched is less than an hour and scaled. Prices are AWS's list: 5 USD for a million PUT, LIST or POST, 0.4 for a million
GET or HEAD, deletions are free; a month has 720 hours.
"""

import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

from bench.bucket import Stage, stage
from bench.figures import Figure, at_most
from bench.ground import MIB, PROGRAMS, Ground
from tests.support.programs import Program
from tests.support.s3_requests import Operation, bill

SIZE = 10 * MIB
WATCHED_S, SETTLING_S, REST_S = 90.0, 40.0, 400.0
"""REST_S: until all that is due after a load is done; level 0 expires after 5 minutes."""
READS = {Operation.GET, Operation.HEAD}
FREE = {Operation.DELETE, Operation.DELETE_BATCH, Operation.MULTIPART_ABORT}
LISTS = {Operation.LIST, Operation.LIST_OLD, Operation.MULTIPART_LIST}
Bill = Counter[Operation]


def measure(ground: Ground) -> list[Figure]:
    ground.database(ground.place("s3-requests"), SIZE)
    with ThreadPoolExecutor(len(PROGRAMS)) as pool:  # counting does not mind company
        ours, theirs = pool.map(partial(_bills, ground), PROGRAMS)
    figures = []
    for load in ours:
        a, b = ours[load], theirs[load]
        judge = ("0", at_most(0)) if load == "idle" else ("", None)
        figures.append(Figure(f"requests an hour, {load}", "", a.total(), b.total(), *judge))
        figures.append(Figure("  of these listings", "", _count(a, LISTS), _count(b, LISTS)))
        figures.append(Figure("  USD a month", "", _usd(a), _usd(b)))
    return figures


def _bills(ground: Ground, program: Program) -> dict[str, Bill]:
    """By load; the program runs on from one to the next, and is settled before it is idle."""
    found: dict[str, Bill] = {}
    with stage(ground, program, "s3-requests", SIZE) as where:
        where.replicator.start()
        where.wait_image()
        for load, rate in (("1 commit/s", 1.0), ("100 commits/s", 100.0), ("idle", 0.0)):
            ground.say(f"s3-requests, {load}: {program.name}")
            _work(where, rate, SETTLING_S if rate else REST_S)
            where.proxy.forget()
            began = time.monotonic()
            _work(where, rate, WATCHED_S)
            scale = 3600 / (time.monotonic() - began)
            counts = bill(where.proxy.requests())
            ground.say(f"  {dict(counts)} in {WATCHED_S:g} s")
            found[load] = Counter({operation: round(count * scale) for operation, count in counts.items()})
    return found


def _work(where: Stage, rate: float, seconds: float) -> None:
    end = time.monotonic() + seconds
    with closing(sqlite3.connect(where.path, isolation_level=None, timeout=30)) as db:
        db.execute("PRAGMA synchronous=NORMAL")
        while (left := end - time.monotonic()) > 0:
            if rate:
                db.execute("UPDATE t SET b = randomblob(100) WHERE id = 1 + abs(random() % 1000)")
            time.sleep(min(left, 1 / rate if rate else left))


def _count(counts: Bill, kinds: set[Operation]) -> int:
    return sum(counts[each] for each in kinds)


def _usd(counts: Bill) -> float:
    reads, free = _count(counts, READS), _count(counts, FREE)
    writes = counts.total() - reads - free
    return 720 * (writes * 5 + reads * 0.4) / 1e6
