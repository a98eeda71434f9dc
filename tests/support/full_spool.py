"""A database whose spool has little room, on replicas that can stop answering.

In: a database, the application. Out: a `World`: time passes, commits are made, replicas go away and come back; what
the database was at every TXID, to compare with what the replicas give.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from litestreamd.basics.errors import StoreError
from litestreamd.jobs.events import SpoolFull
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.points import restore_points
from litestreamd.plan.rules import Rules
from litestreamd.plan.spool_quota import Quota
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created, StoredObject
from tests.support.driving import Drive, Time, image_of, names
from tests.support.live import App

QUOTA = 64 << 10
RULES = Rules(levels_s=(30.0,), enabled=False, snapshot_interval_s=1e9)
CHANGE = "UPDATE t SET b = randomblob(400) WHERE id BETWEEN {} AND {}"


class Far(FolderReplica):
    """A store that does not answer while it is `away`; `mute` takes no object of these levels."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, root.name)
        self.root = root
        self.away = False
        self.silence: type[StoreError] = StoreError
        self.mute: set[int] = set()

    def _check(self) -> None:
        if self.away:
            raise self.silence(f"{self.name} does not answer")

    def list(self, level: int | None = None) -> Iterator[StoredObject]:
        self._check()
        return super().list(level)

    def create(self, name: ObjectName, body: Iterator[bytes], created_ms: int, most: int | None = None) -> Created:
        self._check()
        if name.level in self.mute:
            raise StoreError(f"{self.name} takes no {name}")
        return super().create(name, body, created_ms, most)

    def list_notes(self, prefix: str = "") -> Sequence[str]:
        self._check()
        return super().list_notes(prefix)

    def has_note(self, name: str) -> bool:
        self._check()
        return super().has_note(name)

    def create_note(self, name: str, data: bytes) -> Created:
        self._check()
        return super().create_note(name, data)


class World:
    """One database, replicas `near` and `far` (and more); what the database was at every TXID of `near`."""

    def __init__(self, path: Path, app: App, *more: str) -> None:
        self.path, self.app = path, app
        self.roots = [path.parent / name for name in ("near", "far", *more)]
        self.replicas = [Far(root) for root in self.roots]
        self.far = self.replicas[1]
        self.time = Time()
        self.states: dict[int, bytes] = {}
        self.drive = self.born()

    def born(self) -> Drive:
        """The next incarnation."""
        replicas = list(self.replicas)
        self.drive = Drive(
            self.path, *self.roots, time=self.time, replicas=replicas, rules=RULES, spool_quota=Quota(size=QUOTA)
        )
        return self.drive.settle()

    @property
    def head(self) -> int:
        return self.drive.replication._capture.head.txid

    def again(self, polite: bool = False) -> None:
        if polite:
            self.drive.stop()
        else:
            self.drive.die()
        self.born()

    @property
    def spool(self) -> Path:
        return self.path.with_name("app.db-state") / "spool"

    @property
    def spooled(self) -> int:
        return sum(one.stat().st_size for one in self.spool.iterdir())

    def write(self, times: int, *sql: str, every_s: float = 6) -> None:
        """Commits, each alone in its TXID; the spool is looked at after each."""
        for number in range(times):
            self.app.write(*(sql or [CHANGE.format(20 * number % 400, 20 * number % 400 + 10)]))
            self.drive.event().elapse(every_s)
            self.states[self.head] = self.app.image()
            assert self.spooled <= QUOTA * 1.6, self.spooled

    def back(self, most_s: float = 700) -> None:
        """The replicas answer again: everything arrives, and every point is what the database was."""
        self.far.away = False
        self.far.mute = set()
        self.drive.elapse(most_s)
        self.drive.assert_equal(self.app)
        for root in self.roots:
            self.check_points(root)

    def check_points(self, root: Path) -> None:
        reachable = {point.txid for point in restore_points(tuple(FolderReplica(root, "reader").list()))}
        assert self.head in reachable
        for txid in reachable & self.states.keys():
            assert image_of(root, txid) == self.states[txid], txid

    def held(self, level: int, number: int = 1) -> list[str]:
        return [name for name in names(self.roots[number]) if name.startswith(f"{level}/")]

    @property
    def told(self) -> set[str]:
        return {event.replica for event in self.drive.seen(SpoolFull)}
