"""Days of life of one database on two replicas with different rules, in a time that only the test moves.

In: a folder, a seed, a number of days. Out: a `Soak` that has lived them: what the database was after every TXID, and
how much the replicas held at the end of each day. `python -m tests.faults.soak --days 30 --seed 7` lives longer ones.
"""

import argparse
import hashlib
import math
import os
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from litestreamd.basics.errors import StoreError
from litestreamd.jobs import room
from litestreamd.jobs.events import Captured, ContinuityLost, Expired, Healed, Problem, SpoolFull
from litestreamd.ltx.errors import LtxError
from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.points import restore_points
from litestreamd.plan.restore import Before, plan_restore
from litestreamd.plan.retention import promised
from litestreamd.plan.rules import Keep, Rules
from litestreamd.plan.spool_quota import Quota
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import StoredObject
from tests.support.driving import DEFAULT, Drive, Time, image_of
from tests.support.live import App, create, insert

HOUR, DAY = 3600.0, 86400.0
LIKE_LITESTREAM = Rules()
FRUGAL = Rules(
    levels_s=(60.0, 900.0),
    l0_retention_s=120.0,
    snapshot_interval_s=6 * HOUR,
    snapshot_retention_s=2 * DAY,
    keep=Keep(daily=5, weekly=2),
)
RULES = (LIKE_LITESTREAM, FRUGAL)
SMALL_QUOTA = 400_000


class Counting(FolderReplica):
    """Counts what is asked of it, and answers nothing while it is `away`."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, root.name)
        self.requests = 0
        self.away = False

    def __getattribute__(self, name: str) -> object:
        if name in (
            "list",
            "create",
            "open",
            "read_at",
            "delete",
            "list_notes",
            "read_note",
            "create_note",
            "has_v3",
            "find",
            "has_note",
        ):
            self.requests += 1
            if self.away:
                raise StoreError(f"{self.name} does not answer")
        return super().__getattribute__(name)


@dataclass
class Held:
    """What a replica held at some moment, and what had been captured within its window then."""

    objects: int
    size: int
    most_objects: int
    most_size: float


@dataclass
class Soak:
    """`states`: the digest of the database after each TXID."""

    folder: Path
    seed: int
    states: dict[int, str] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    captured: list[tuple[float, int]] = field(default_factory=list)
    largest: int = 0
    problems: list[str] = field(default_factory=list)
    expired: int = 0
    hostile: bool = False
    healed: int = 0
    damaged: int = 0
    filled: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.path = self.folder / "app.db"
        self.roots = [self.folder / "like-litestream", self.folder / "frugal"]
        self.replicas = [Counting(root) for root in self.roots]
        self.time = Time()
        create(self.path, rows=200)
        self.app = App(self.path)
        self.drive = self._born()

    def live(self, days: int) -> None:
        """So many days of bursts and idle hours; once a day the daemon goes and comes back, politely or not."""
        for _ in range(days):
            for _ in range(24):
                end = self.time.now_s + HOUR
                if self.hostile and self.chance.random() < 0.1:
                    self._silence(self.chance.choice(self.replicas))
                away = self.chance.choice(self.roots) if self.hostile and self.chance.random() < 0.1 else None
                if away is not None:
                    away.rename(self.folder / "away")
                if self.chance.random() < 0.6:
                    self._burst()
                if away is not None:
                    self._let_pass(self.chance.uniform(0, 600))
                    (self.folder / "away").rename(away)
                elif self.hostile and self.chance.random() < 0.12:
                    self._damage(self.chance.choice(self.roots))
                self._let_pass(end - self.time.now_s)
            if self.chance.random() < 0.7:
                self._again(polite=self.chance.random() < 0.5)
            self._look()

    def rest(self, days: float) -> None:
        """Nothing is written."""
        self._let_pass(days * DAY)

    def close(self) -> None:
        """The end of everything."""
        self._note()
        assert self.drive.stop().behind == ()
        self.app.close()

    def listing(self, number: int) -> list[StoredObject]:
        """What a replica holds, as a restore would see it."""
        return list(FolderReplica(self.roots[number], "reader").list())

    def check_points(self, number: int, count: int) -> int:
        """Restore random points and compare each with what the database was; out: how many."""
        objects = self.listing(number)
        points = restore_points(objects)
        reachable = {point.txid for point in points}
        missing = promised(objects, RULES[number], self.time.now_ms()) - reachable
        assert not missing, f"promised and not there: {sorted(missing)[:5]}"
        chosen = [points[-1], *self.chance.sample(points, min(count, len(points)))]
        for point in chosen:
            try:
                found = digest(image_of(self.roots[number], point.txid))
            except LtxError:
                assert self.damaged  # an old object that nothing has read since: named by whoever restores it
                continue
            assert found == self.states[point.txid], f"TXID {point.txid} is not what the database was"
            by_time = plan_restore(objects, Before(point.created_ms + 1)).max_txid
            assert by_time == point.txid, f"{point.created_ms} + 1 ms gives {by_time}, not {point.txid}"
        return len(chosen)

    def _born(self) -> Drive:
        rules: list[Rules] = list(RULES)
        quota = Quota(size=SMALL_QUOTA) if self.hostile else Quota()
        return Drive(
            self.path, *self.roots, time=self.time, limits=DEFAULT, replicas=list(self.replicas), rules=rules,
            spool_quota=quota,
        ).settle()  # fmt: skip

    def _again(self, polite: bool) -> None:
        self._note()
        if polite:
            assert self.drive.stop().behind == ()
        else:
            self.drive.die()
        self._note()
        if self.chance.random() < 0.5:
            self._write()
            self.time.now_s += self.chance.uniform(1, 5000)
        self.drive = self._born()
        self._let_pass(5)

    def _silence(self, replica: Counting) -> None:
        """A replica does not answer, for longer than the spool has room; the daemon may die meanwhile."""
        replica.away = True
        for _ in range(self.chance.randrange(1, 6)):
            self._burst()
            spooled = sum(file.stat().st_size for file in (self.folder / "app.db-state" / "spool").iterdir())
            assert spooled < SMALL_QUOTA * 2, spooled
            if self.chance.random() < 0.2:
                self._again(polite=False)
        replica.away = False
        if self.chance.random() < 0.3:
            self._let_pass(self.chance.uniform(0, 3))
            self._again(polite=False)

    def _damage(self, root: Path) -> None:
        """Something happens to one object: a bit flips, it is cut, it is gone."""
        victim = self.chance.choice(sorted(root.glob("ltx/*/*.ltx")))
        self.damaged += 1
        content = bytearray(victim.read_bytes())
        status = victim.stat()
        match self.chance.randrange(3):
            case 0:
                victim.unlink()
                return
            case 1:
                content[self.chance.randrange(len(content))] ^= 1 << self.chance.randrange(8)
            case 2:
                del content[self.chance.randrange(len(content)) :]
        victim.write_bytes(content)
        os.utime(victim, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _burst(self) -> None:
        for _ in range(self.chance.randrange(1, 120 if self.hostile and self.chance.random() < 0.1 else 12)):
            self._write()
            self.drive.event()
            self._let_pass(self.chance.choice((0.1, 1.1, 5, 31, 200)))

    def _write(self) -> None:
        chance = self.chance
        rows = chance.choice((1, 3, 3, 10, 200))
        low = chance.randrange(1, 400)
        deeds: list[Callable[[], object]] = [
            lambda: self.app.write(insert(rows)),
            lambda: self.app.write(insert(rows)),
            lambda: self.app.write(f"UPDATE t SET b = randomblob(300) WHERE id BETWEEN {low} AND {low + rows}"),
            lambda: self.app.write(f"DELETE FROM t WHERE id BETWEEN {low} AND {low + 3 * rows}"),
            lambda: self.app.run("PRAGMA wal_checkpoint(PASSIVE)"),
        ]
        if chance.random() < 0.04:
            deeds = [lambda: self.app.write("DELETE FROM t WHERE id > 150"), lambda: self.app.run("VACUUM")]
        chance.choice(deeds)()

    def _let_pass(self, seconds: float) -> None:
        self._note()
        self.drive.elapse(max(0.0, seconds))
        self._note()

    def _note(self) -> None:
        """Remember what the TXIDs captured since stand for: the application has written nothing meanwhile."""
        events, self.drive.events[:] = list(self.drive.events), []
        seen = None
        for event in events:
            match event:
                case Captured():
                    seen = seen or self.app.image()
                    self.states[event.txid] = digest(seen)
                    self.captured.append((self.time.now_s, event.size))
                    self.largest = max(self.largest, len(seen))
                case Expired():
                    self.expired += event.objects
                case Healed():
                    self.healed += 1
                case SpoolFull():
                    self.filled += 1
                case Problem() if self.hostile:
                    pass
                case Problem() | ContinuityLost():
                    self.problems.append(str(event))

    def _look(self) -> None:
        for number, rules in enumerate(RULES):
            objects = self.listing(number)
            self.held.append(
                Held(len(objects), sum(each.size for each in objects), most_objects(rules), self._most_size(rules))
            )

    def _most_size(self, rules: Rules) -> float:
        """Every snapshot at most the largest image; what was captured within reach, once on each level."""
        reach = rules.snapshot_retention_s + 2 * rules.snapshot_interval_s
        within = sum(size for when, size in self.captured if when > self.time.now_s - reach)
        return most_snapshots(rules) * self.largest * 1.05 + (1 + len(rules.levels_s)) * (within + 1e6)


def digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


def most_snapshots(rules: Rules) -> int:
    keep = rules.keep
    named = keep.hourly + keep.daily + keep.weekly + keep.monthly
    return math.ceil(rules.snapshot_retention_s / rules.snapshot_interval_s) + 3 + named


def most_objects(rules: Rules) -> int:
    """The bound: level 0 for its retention and one merge, each level for the window and what a snapshot may be late."""
    reach = rules.snapshot_retention_s + 2 * rules.snapshot_interval_s
    single = rules.l0_retention_s + rules.l0_check_s + 2 * rules.levels_s[0] + 2
    return math.ceil(single + sum(reach / interval + 2 for interval in rules.levels_s)) + most_snapshots(rules)


def lived(folder: Path, seed: int, days: int, points: int, hostile: bool = False) -> Soak:
    """The whole story with all its checks. `hostile`: replicas that go away for hours, objects that are damaged."""
    soak = Soak(folder, seed, hostile=hostile)
    soak.live(days)
    soak.rest(4)
    before = [soak.listing(number) for number in range(len(RULES))]
    requests = [replica.requests for replica in soak.replicas]
    soak.rest(1)
    assert [soak.listing(number) for number in range(len(RULES))] == before, "an idle day changed something"
    assert [replica.requests for replica in soak.replicas] == requests, "an idle day was not free"
    soak.close()
    assert soak.problems == []
    for held in soak.held:
        assert held.objects <= held.most_objects, held
        assert held.size <= held.most_size, held
    for number in range(len(RULES)):
        soak.check_points(number, points)
    assert any(each.name.level == SNAPSHOT_LEVEL for each in soak.listing(0))
    assert soak.expired > 0
    return soak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--hostile", action="store_true", help="replicas go away, small quotas, damage")
    given = parser.parse_args()
    if given.hostile:
        room.ALWAYS_ROOM = SMALL_QUOTA
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak = lived(Path(folder), given.seed, given.days, given.points, given.hostile)
        most = [max(each.objects for each in soak.held[number::2]) for number in range(2)]
        print(
            f"{given.days} days, {len(soak.states)} TXIDs, {soak.expired} objects expired, at most {most} objects held,"
            f" {soak.damaged} damaged, {soak.healed} healed, the spool was full {soak.filled} times"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
