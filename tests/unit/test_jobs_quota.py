"""The spool is full because a replica is away: the others go on, the spool stays small, and what the replica lacks
arrives as one file when it comes back."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from litestreamd.basics.errors import StoreError, StoreMissing
from litestreamd.database.live import LiveDatabase
from litestreamd.jobs import room
from litestreamd.jobs.events import SpoolFull
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.points import restore_points
from litestreamd.plan.rules import Rules
from litestreamd.plan.spool_quota import Quota
from litestreamd.replica.folder import FolderReplica
from litestreamd.replica.port import Created, StoredObject
from tests.support.driving import Drive, Time, image_of, names
from tests.support.dying import dies_at
from tests.support.live import App, create

QUOTA = 64 << 10
RULES = Rules(levels_s=(30.0,), enabled=False, snapshot_interval_s=1e9)
CHANGE = "UPDATE t SET b = randomblob(400) WHERE id BETWEEN {} AND {}"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ALWAYS_ROOM", QUOTA)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=1500)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


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

    def create(self, name: ObjectName, body: Iterator[bytes], created_ms: int) -> Created:
        self._check()
        if name.level in self.mute:
            raise StoreError(f"{self.name} takes no {name}")
        return super().create(name, body, created_ms)

    def list_notes(self, prefix: str = "") -> Sequence[str]:
        self._check()
        return super().list_notes(prefix)

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


@pytest.fixture
def world(path: Path, app: App) -> World:
    """Both replicas have a few TXIDs."""
    found = World(path, app)
    found.write(4)
    return found


def test_one_file_brings_what_left(world: World) -> None:
    world.far.away = True
    world.write(40)
    assert world.told == {"far"}
    world.back()
    assert world.held(1) == ["1/2-6", "1/7-46"]
    assert world.held(0)[-1] == "0/46-46"
    assert len(world.held(9)) == 1
    world.write(4)
    world.back()
    assert world.drive.stop().behind == ()


def test_many_changed_pages_are_a_full_image(world: World) -> None:
    world.far.away = True
    for low in range(0, 1500, 30):
        world.write(1, CHANGE.format(low, low + 29))
    world.back()
    assert len(world.held(9)) == 2


def test_three_replicas_each_with_its_own_debt(path: Path, app: App) -> None:
    world = World(path, app, "third")
    world.write(4)
    world.far.away = True
    world.write(20)
    world.replicas[2].away = True
    world.write(20)
    world.replicas[2].away = False
    world.drive.elapse(400)
    world.write(20)
    world.back()
    assert [len(world.held(9, number)) for number in range(3)] == [1, 1, 1]


def test_a_first_image_waits_for_level_0_that_has_left(path: Path, app: App) -> None:
    """It is prepared at N, `0/N` cannot be stored and leaves the spool: `9/1-N` and then N+7 would lose commits."""
    world = World(path, app)
    world.drive.die()
    world.replicas[1] = world.far = Far(path.parent / "late")
    world.roots[1] = world.far.root
    world.far.mute = {0, SNAPSHOT_LEVEL}
    world.born()
    world.write(40)
    assert world.told == {"late"}
    world.back()


def test_a_damaged_cursor_of_one_replica_stops_nobody(world: World, path: Path, app: App) -> None:
    world.drive.stop()
    world.far.away = True
    cursor = path.with_name("app.db-state") / "replicas" / "far.json"
    cursor.write_text(json.dumps({"version": 1, "root": world.far.description}))
    world.born()
    world.write(40)
    assert image_of(world.roots[0]) == app.image()


def test_the_level_0_file_of_a_catch_up_leaves_too(world: World) -> None:
    """Level 1 goes on where the catch-up ended, without an overlap."""
    world.far.away = True
    world.write(40)
    world.far.away, world.far.mute = False, {0}
    world.drive.elapse(400)
    assert world.held(1) == ["1/2-6", "1/7-46"]
    world.write(40)
    world.back()
    spans = [tuple(map(int, name[2:].split("-"))) for name in world.held(1)]
    assert [low for low, _ in spans[1:]] == [high + 1 for _, high in spans[:-1]]
    assert len(world.held(9)) == 1


def test_restarts_cost_no_image(world: World) -> None:
    world.far.away = True
    for polite in (False, True) * 4:
        world.write(8)
        world.again(polite)
    world.back()
    assert world.held(1) == ["1/2-6", "1/7-70"]
    assert len(world.held(9)) == 1


def test_what_no_cursor_says_is_ours_all_the_same(world: World) -> None:
    """Sent, then killed before the cursor was written down; the files leave the spool before the replica is back."""
    world.write(8, every_s=1.5)
    world.drive.die()
    world.far.away = True
    world.born()
    world.write(40)
    world.drive.die()
    world.born()
    world.write(10)
    assert world.drive.replication.lines[1].departed.checksum(14) is not None
    world.back()
    assert (world.held(1)[-1], len(world.held(9))) == ("1/15-64", 1)
    world.write(4, every_s=20)
    assert world.drive.replication.lines[1].departed.checksum(14) is None


def test_the_end_of_a_catch_up_that_left_is_ours(world: World) -> None:
    """Just the level-0 file that the cursor waits for leaves the spool, and nothing else."""
    world.far.away = True
    world.write(39)
    world.write(1, CHANGE.format(500, 590))
    world.far.away, world.far.mute = False, {0}
    world.drive.elapse(400)
    assert world.held(1)[-1] == "1/7-46"
    for _ in range(9):
        world.write(1)
        if world.drive.replication._capture.state.spool.get(46) is None:
            break
    assert world.drive.replication._capture.state.spool.get(47) is not None
    world.again()
    world.back()
    assert len(world.held(9)) == 1


def test_a_cursor_that_was_not_written_down_in_time_is_ours(world: World) -> None:
    """Its place is missing a moment after it got its last files: from then on the root has to be looked at anew."""
    world.write(8, every_s=1.5)
    world.far.away, world.far.silence = True, StoreMissing
    world.write(2, every_s=1.5)
    world.write(40)
    world.back()
    assert len(world.held(9)) == 1


def test_a_disk_that_was_unmounted_is_ours_when_it_is_back(world: World) -> None:
    world.write(8, every_s=1.5)
    root, mounted = world.far.root, world.far.root.with_name("elsewhere")
    root.rename(mounted)
    root.symlink_to(root.with_name("nowhere") / "far")
    world.write(40)
    assert world.told == {"far"}
    root.unlink()
    mounted.rename(root)
    world.back()
    assert len(world.held(9)) == 1


def test_a_wrong_debt_ends_in_a_full_image(world: World) -> None:
    world.far.away = True
    world.write(40)
    debt = world.drive.replication.lines[1].debts._here
    assert debt is not None
    debt.old ^= 2
    world.back(3000)
    assert len(world.held(9)) == 2


def test_a_page_size_of_its_own_meanwhile(world: World, app: App) -> None:
    world.far.away = True
    world.write(20)
    for size in (8192, 4096):
        world.drive.die()
        for pragma in ("journal_mode=DELETE", f"page_size={size}"):
            app.run(f"PRAGMA {pragma}")
        app.run("VACUUM")
        app.run("PRAGMA journal_mode=WAL")
        world.born()
        world.write(25)
    world.back()
    assert len(world.held(9)) == 2


def test_an_application_that_never_rests_does_not_fill_the_disk(
    world: World, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the daemon looks there is something new."""
    replication = world.drive.replication
    near, far = replication.lines
    real = LiveDatabase.header

    def header(live: LiveDatabase) -> object:
        app.write(CHANGE.format(1, 10))
        return real(live)

    world.far.away = True
    monkeypatch.setattr(LiveDatabase, "header", header)
    for _ in range(150):
        world.time.now_s += 1.1
        replication.run(woken=True)
        near.run(woken=True)
    assert world.spooled < 2 * QUOTA
    assert far.cursor == 6


PLACES = (
    "settle.state-written",
    "settle.cursors-written",
    "settle.spool-trimmed",
    "image.head-created",
    "image.half-way",
    "image.created",
    "compact.created",
    "push.created",
    "folder.written",
)


@pytest.mark.parametrize("place", PLACES)
def test_a_death_anywhere(world: World, place: str) -> None:
    """While the replica is away, and when it is back: it ends up with everything, and no image is needed."""
    world.far.away = True
    world.write(20)
    for passing in (1, 2, 3):
        world.drive.die()

        def live() -> None:
            world.born()
            world.write(12)
            world.far.away = False
            world.drive.elapse(100)

        dies_at(place, passing, live)
        world.time.now_s += 200
        world.born()
    world.write(6)
    world.back()
    assert len(world.held(9)) == 1
