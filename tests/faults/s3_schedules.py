"""A replica in a bucket while network and store do their worst: `python -m tests.faults.s3_schedules --rounds 300`.

In: a seed. Out: what happened, after these were found true: the replica restores to exactly the committed state; no key
was ever written a second time (the bucket keeps versions); no TXID is missing or there twice; nobody took anybody for
a second writer or for damage; everything is in sync again soon after the last fault.

The daemon's tasks run in a time that only the schedule moves (tests/support/driving.py), so that an outage of ten
minutes takes a second; requests, their faults and their time-outs are real, through tests/support/fault_proxy.py.
"""

import argparse
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from litestreamd.jobs.events import Problem
from litestreamd.plan.findings import Kind, findings
from litestreamd.plan.rules import Rules
from litestreamd.replica.port import Replica
from litestreamd.replica.retrying import Patience, Retrying
from litestreamd.replica.s3.client import Timeouts
from litestreamd.replica.s3.replica import S3Replica
from litestreamd.replica.s3.settings import S3Settings, StaticKeys
from tests.support import images
from tests.support.bucket_root import BucketRoot
from tests.support.driving import DEFAULT, Drive, Time
from tests.support.fault_proxy import FaultProxy
from tests.support.live import App, create, insert
from tests.support.network_faults import (
    ACCESS_DENIED,
    INTERNAL_ERROR,
    SKEWED,
    SLOW_DOWN,
    Bandwidth,
    Corrupt,
    CutResponse,
    Fault,
    Hang,
    Latency,
    LoseResponse,
    Refuse,
    ResetBefore,
    ResetInUpload,
    Trickle,
    Twice,
)
from tests.support.restoring import restored
from tests.support.s3_requests import Seen
from tests.support.s3_servers import shared

RULES = Rules(
    levels_s=(30, 300),
    l0_retention_s=90,
    l0_check_s=15,
    snapshot_interval_s=900,
    snapshot_retention_s=1800,
    enabled=True,
)
QUICK = Patience(first_s=0.001, longest_s=0.01, budget_s=5)
SHORT = Timeouts(connect_s=0.5, read_s=0.3, whole_s=0.6, least_rate=1 << 20)
SOON_S = 66.0
"""From the end of all faults to "in sync", at most, in the daemon's time: its longest pause, and its work."""

NEVER_TOLD = {"ConflictError", "DamagedData", "SourceDamaged", "UnfitReplacement"}
"""None of what the network does is another writer, or damage."""

PASSING: tuple[Callable[[random.Random], Fault], ...] = (
    lambda chance: SLOW_DOWN,
    lambda chance: INTERNAL_ERROR,
    lambda chance: Refuse(),
    lambda chance: ResetBefore(),
    lambda chance: ResetInUpload(chance.randrange(3000)),
    lambda chance: LoseResponse(),
    lambda chance: LoseResponse(),
    lambda chance: CutResponse(chance.randrange(2000), reset=chance.random() < 0.5),
    lambda chance: Twice(chance.choice((1, 2))),
    lambda chance: Twice(chance.choice((1, 2))),
    lambda chance: Corrupt(chance.randrange(4000), upload=True),
    lambda chance: Latency(chance.random() * 0.02),
    lambda chance: Bandwidth(up=200_000, down=400_000),
)
SLOW: tuple[Callable[[random.Random], Fault], ...] = (
    lambda chance: Hang(chance.choice(("request", "response", "body")), chance.randrange(500)),
    lambda chance: Trickle(1, 0.05),
)
LASTING: tuple[Fault, ...] = (ACCESS_DENIED, SKEWED)


@dataclass
class Outcome:
    """Of one schedule: how many requests and faults, seconds from the end of all faults to "in sync", what was told."""

    seed: int
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    in_sync_s: float = 0.0
    deaths: int = 0
    told: Counter[str] = field(default_factory=Counter)
    conflicts: list[str] = field(default_factory=list)


@cache
def stage() -> tuple[FaultProxy, str]:
    """One server, one proxy and one bucket with versions for a process."""
    server = shared("ministack")
    bucket = server.make_bucket("schedules")
    server.boto3_client().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    return FaultProxy(server.access).start(), bucket


class Schedule:
    """One life. `run` ends with the proofs."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.outcome = Outcome(seed)
        self._chance, self._fate = random.Random(seed), random.Random(-seed)
        self._proxy, bucket = stage()
        self._proxy.choose = self._choose
        self._proxy.forget()
        self._root = BucketRoot(self._proxy.access, bucket, f"{seed}-{random.randbytes(3).hex()}/app")
        self._path = folder / "app.db"
        self._time = Time()
        self._time.wall_ms = round((time.time() - self._time.now_s) * 1000)
        self._rate = 0.0
        self._lasting: Fault | None = None
        self._choices: tuple[Callable[[random.Random], Fault], ...] = PASSING
        create(self._path)
        self._app = App(self._path)
        self._drive = self._daemon()

    def run(self) -> Outcome:
        try:
            for _ in range(self._chance.randint(5, 12)):
                self._chance.choice((self._work, self._work, self._weather, self._outage, self._die, self._restart))()
            self._come_to_rest()
            self._prove()
        finally:
            self._proxy.choose = self._proxy.rules
            self._proxy.clear()
            self._drive.die()
            self._app.kill()
        self.outcome.requests = len(self._proxy.requests())
        return self.outcome

    # What happens

    def _work(self) -> None:
        for _ in range(self._chance.randint(1, 4)):
            self._app.write(insert(self._chance.choice((1, 3, 40)), self._chance.choice((50, 400, 3000))))
            self._drive.event().elapse(self._chance.choice((0.1, 1.5, 4, 35)))

    def _weather(self) -> None:
        """Some requests fail from now on, or none."""
        self._rate = self._chance.choice((0.0, 0.1, 0.3, 0.6))
        some = self._chance.sample(PASSING, self._chance.randint(1, len(PASSING)))
        slow = self._chance.sample(SLOW, 1) if self._chance.random() < 0.2 else []
        self._choices = (*some, *slow)
        self._lasting = self._chance.choice(LASTING) if self._chance.random() < 0.15 else None
        self._work()
        self._lasting = None

    def _outage(self) -> None:
        """Nobody listens for half a minute or for ten, and the application goes on."""
        self._proxy.down()
        for _ in range(self._chance.choice((1, 1, 6))):
            self._app.write(insert(2))
            self._drive.event().elapse(self._chance.choice((15, 30, 100)))
        self._proxy.up()

    def _die(self) -> None:
        """A kill, and the next incarnation."""
        self.outcome.deaths += 1
        self._collect()
        self._drive.die()
        self._app.write(insert(2))
        self._drive = self._daemon()

    def _restart(self) -> None:
        self._collect()
        self._drive.stop()
        self._drive = self._daemon()

    # The end

    def _come_to_rest(self) -> None:
        """All faults are over; how long until everything is there."""
        self._rate = 0.0
        self._proxy.release()
        begun = self._time.now_s
        self._drive.until(self._in_sync, SOON_S)
        self.outcome.in_sync_s = self._time.now_s - begun
        self._app.write(insert(1))
        self._drive.event().elapse(2)
        self._drive.elapse(self._chance.choice((0, 100, 1000)))
        self._collect()
        closed = self._drive.stop()
        assert closed.behind == (), closed

    def _in_sync(self) -> bool:
        head = self._drive.replication._state.head
        lines = self._drive.replication.lines
        return head is not None and all(line.complete(head.txid) and line.error is None for line in lines)

    def _prove(self) -> None:
        replica = self._replica()
        out = self._path.with_name("restored.db")
        restored(replica, out)
        difference = images.first_difference(out.read_bytes(), self._app.image(), 4096)
        assert not difference, difference
        objects = tuple(replica.list())
        wrong = [each.sentence for each in findings(objects) if each.kind in (Kind.HOLE, Kind.UNREACHABLE)]
        assert wrong == []
        assert self._overwritten() == []
        assert self.outcome.conflicts == []

    def _overwritten(self) -> list[str]:
        """Keys that were written again while they were there."""
        events: dict[str, list[tuple[Any, bool]]] = {}
        pages = self._root.client.get_paginator("list_object_versions")
        for page in pages.paginate(Bucket=self._root.bucket, Prefix=f"{self._root.path}/"):
            for kind in ("Versions", "DeleteMarkers"):
                for each in page.get(kind, ()):
                    events.setdefault(each["Key"], []).append((each["LastModified"], kind == "Versions"))
        habits = f"{self._root.path}/litestreamd/.habits/"
        return [
            key
            for key, seen in events.items()
            if not key.startswith(habits) and sum(written for _, written in seen) > 1 + sum(not w for _, w in seen)
        ]

    # Parts

    def _replica(self) -> Replica:
        access = self._root.access
        keys = StaticKeys(access.access_key, access.secret_key)
        settings = S3Settings(self._root.bucket, self._root.path, access.endpoint, keys=keys)
        return Retrying(S3Replica(settings, "s3", QUICK, SHORT), QUICK)

    def _daemon(self) -> Drive:
        return Drive(self._path, time=self._time, replicas=[self._replica()], rules=RULES, limits=DEFAULT).settle()

    def _collect(self) -> None:
        self.outcome.told.update(event.error_class for event in self._drive.seen(Problem))
        self.outcome.conflicts += [
            event.error for event in self._drive.seen(Problem) if event.error_class in NEVER_TOLD
        ]

    def _choose(self, seen: Seen) -> list[Fault]:
        """In the proxy's thread."""
        if ".habits" in seen.target:
            return []
        if self._lasting is not None:
            return self._noted(self._lasting)
        if self._fate.random() < self._rate:
            return self._noted(self._fate.choice(self._choices)(self._fate))
        return []

    def _noted(self, fault: Fault) -> list[Fault]:
        self.outcome.faults[type(fault).__name__] += 1
        return [fault]


def run(seed: int) -> Outcome:
    """One schedule in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="schedule-"))
    try:
        return Schedule(seed, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_all(seeds: range) -> tuple[list[Outcome], list[str]]:
    """Out: the outcomes, and what was wrong with the others."""
    outcomes, wrong = [], []
    for seed in seeds:
        try:
            outcomes.append(run(seed))
        except AssertionError as error:
            wrong.append(f"seed {seed}: {error}\n{traceback.format_exc(limit=-6)}")
            print(wrong[-1], flush=True)
    return outcomes, wrong


def summary(outcomes: list[Outcome]) -> str:
    """What a run has seen, and how long the way back took."""
    faults, told = (sum((getattr(each, name) for each in outcomes), Counter()) for name in ("faults", "told"))
    times = sorted(outcome.in_sync_s for outcome in outcomes)
    half, most, longest = (times[min(len(times) - 1, len(times) * part // 100)] for part in (50, 90, 100))
    requests, deaths = sum(each.requests for each in outcomes), sum(each.deaths for each in outcomes)
    return (
        f"{len(outcomes)} schedules, {requests} requests, {sum(faults.values())} faults, {deaths} deaths\n"
        f"faults: {dict(faults.most_common())}\ntold: {dict(told.most_common())}\n"
        f"in sync after the last fault: half within {half:.1f} s, 90 % within {most:.1f} s, all within {longest:.1f} s"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    outcomes, wrong = run_all(range(chosen.seed, chosen.seed + chosen.rounds))
    print(summary(outcomes))
    print(f"{len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
