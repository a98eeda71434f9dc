"""How often a file leaves, and how little an idle database costs; measured in simulated time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.database import locks
from litestreamd.jobs.events import Captured, Checkpointed
from litestreamd.jobs.pace import Backoff
from litestreamd.plan.checkpoint import Limits
from tests.support.driving import DEFAULT, Drive, names
from tests.support.live import App, create, insert
from tests.support.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "one"


def quiet(path: Path, root: Path, **settings: object) -> Drive:
    """A replication that has begun and then seen nothing for a while."""
    return Drive(path, root, **settings).settle().elapse(20)


def test_the_first_commit_after_a_quiet_spell_leaves_at_once(path: Path, app: App, root: Path) -> None:
    drive = quiet(path, root)
    before = drive.time.now_s
    app.fill(1)
    drive.event().assert_equal(app)
    assert drive.time.now_s == before


def test_then_one_file_per_interval(path: Path, app: App, root: Path) -> None:
    drive = quiet(path, root, sync_interval_s=1.0)
    count = len(drive.captured)
    for _ in range(100):
        app.write("UPDATE t SET b = randomblob(9) WHERE id = 1")
        drive.event().elapse(0.05)
    assert len(drive.captured) - count <= 6
    drive.elapse(1).assert_equal(app)
    assert sum(event.frames for event in drive.seen(Captured)) == 100


def test_a_commit_is_on_the_replica_within_one_interval(path: Path, app: App, root: Path) -> None:
    drive = quiet(path, root, sync_interval_s=3.0)
    app.fill(1)
    drive.event()
    app.fill(1)
    drive.event()
    count = len(drive.captured)
    drive.elapse(2.9)
    assert len(drive.captured) == count
    drive.elapse(0.2)
    assert len(drive.captured) == count + 1
    drive.assert_equal(app)


def test_a_saturated_writer_gets_one_file_per_interval_and_checkpoint(path: Path, app: App, root: Path) -> None:
    """A commit between any two looks, and small limits, so that checkpoints are due all the time."""
    limits = Limits(min_pages=50, truncate_pages=0, interval_s=0)
    drive = quiet(path, root, limits=limits, sync_interval_s=0.5)
    count, started = len(drive.captured), drive.time.now_s
    for _ in range(300):
        app.write("UPDATE t SET b = randomblob(400) WHERE id % 5 = 0")
        drive.event().elapse(0.02)
    seconds, checkpoints = drive.time.now_s - started, len(drive.seen(Checkpointed))
    assert checkpoints > 2
    assert len(drive.captured) - count <= seconds / 0.5 + 1 + checkpoints
    assert Path(f"{path}-wal").stat().st_size < 200 * 4120
    drive.elapse(2).assert_equal(app)


def test_no_look_is_wasted_while_the_interval_lasts(path: Path, app: App, root: Path) -> None:
    """Events are not listened to then, or a writer at full speed would cost a look for each commit."""
    drive = quiet(path, root, sync_interval_s=1.0)
    for _ in range(2):
        app.fill(1)
        drive.event()
    drive.elapse(0.03)  # the guard got off mark 0
    app.fill(1)
    drive.event()
    turn = drive.turns[id(drive.replication)]
    assert turn.deaf
    assert turn.due is not None
    assert turn.due - drive.time.now_s <= 1.0


@pytest.mark.parametrize("interval_s", [1.0, 3600.0])
def test_an_applications_own_checkpoint_is_not_kept_waiting(path: Path, root: Path, interval_s: float) -> None:
    """Not even while the next file is an hour away: it holds the write lock as long as it waits."""
    with App(path, busy_ms=20_000) as app:
        drive = quiet(path, root, sync_interval_s=interval_s)
        for _ in range(3):
            app.fill(5)
            drive.event().elapse(0.1)
        started = drive.time.now_s
        app.start("PRAGMA wal_checkpoint(TRUNCATE)")
        until(drive.replication._live.checkpointer_waits, "the application waits for our guard", 10)

        def let_through() -> bool:
            drive.elapse(0.01)
            return not drive.replication._live.checkpointer_waits()

        until(let_through, "the checkpoint of the application", 10)
        assert app.answer()[0][0] == 0
        assert drive.time.now_s - started < 1.5
        drive.elapse(10)
        app.fill(1)
        drive.event().elapse(interval_s + 1).assert_equal(app)


def test_an_event_before_its_commit_is_visible_is_looked_after(path: Path, app: App, root: Path) -> None:
    """inotify tells of frames; with synchronous=FULL an fsync lies between them and the commit."""
    drive = quiet(path, root)
    drive.event()
    app.fill(1)
    drive.elapse(0.2).assert_equal(app)
    drive.elapse(20)
    runs = count_runs(drive)
    drive.event().elapse(20)
    assert runs() < 20 + 10


def test_an_idle_database_costs_nothing(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, limits=DEFAULT).settle()
    app.fill(50)
    drive.event().elapse(100)
    events, objects, files = len(drive.events), names(root), snapshot(path, root)
    runs = count_runs(drive)
    drive.elapse(3600)
    assert (len(drive.events), names(root), snapshot(path, root)) == (events, objects, files)
    assert list(Path(f"{path}-state/spool").iterdir()) == []
    assert len(descriptors(path)) <= 6
    assert runs() < 3600 / 4
    app.fill(1)
    drive.event().assert_equal(app)


def snapshot(path: Path, root: Path) -> dict[Path, tuple[int, int]]:
    """When each file of state, replica and database was last written (the -shm moves with every reader)."""
    places = [*Path(f"{path}-state").rglob("*"), *root.rglob("*"), path, Path(f"{path}-wal")]
    return {place: (place.stat().st_mtime_ns, place.stat().st_size) for place in places}


def count_runs(drive: Drive) -> "Counter":
    counter = Counter(drive)
    drive.replication.run = counter.run  # type: ignore[method-assign,assignment]
    return counter


class Counter:
    """How often the replication was run."""

    def __init__(self, drive: Drive) -> None:
        self._run, self.count = drive.replication.run, 0

    def run(self, woken: bool) -> object:
        self.count += 1
        return self._run(woken)

    def __call__(self) -> int:
        return self.count


def descriptors(path: Path) -> list[str]:
    """What this process has open in the database's folder."""
    found = (os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink() and link.exists())
    return [name for name in found if name.startswith(str(path.parent))]


def test_a_database_left_alone_is_brought_into_one_file(path: Path, root: Path) -> None:
    """We hold it open, so that the application's last close does not; a copy of the file alone must be whole."""
    with App(path) as app:
        drive = quiet(path, root)
        app.fill(100)
        seen = app.image()
        app.close()
    drive.event().elapse(40)
    assert Path(f"{path}-wal").stat().st_size == 0
    assert path.read_bytes() == seen
    assert not drive.replication._live.locks_held()  # the read above closed a descriptor: that is what tests may not do


def test_a_database_in_use_is_not_checkpointed_for_copying(path: Path, app: App, root: Path) -> None:
    drive = quiet(path, root)
    app.fill(100)
    drive.event().elapse(60)
    assert Path(f"{path}-wal").stat().st_size > 0
    assert drive.seen(Checkpointed) == []


def test_a_small_wal_is_checkpointed_after_the_interval(path: Path, app: App, root: Path) -> None:
    drive = quiet(path, root, limits=Limits(min_pages=1000, truncate_pages=0, interval_s=60))
    app.fill(10)
    drive.event().elapse(50)
    assert drive.seen(Checkpointed) == []
    drive.elapse(20)
    assert len(drive.seen(Checkpointed)) == 1
    drive.elapse(300)
    assert len(drive.seen(Checkpointed)) == 1


def test_a_wal_that_once_was_huge_is_cut_when_it_is_quiet(path: Path, app: App, root: Path) -> None:
    drive = quiet(path, root, limits=Limits(min_pages=100, truncate_pages=400, interval_s=0))
    app.fill(6000)
    app.write("DELETE FROM t")
    drive.event().elapse(10)
    assert Path(f"{path}-wal").stat().st_size == 0
    app.fill(1)
    drive.event().elapse(2).assert_equal(app)


def test_a_busy_writer_does_not_stop_checkpoints(path: Path, app: App, root: Path) -> None:
    """It holds the write lock whenever we ask: we go on without, and come back."""
    drive = quiet(path, root, limits=Limits(min_pages=50, truncate_pages=0, interval_s=0))
    for _ in range(3):
        app.run("BEGIN IMMEDIATE")
        app.run(insert(300))
        drive.event().elapse(2)
        app.run("COMMIT")
    drive.event().elapse(5)
    assert drive.seen(Checkpointed)
    assert drive.problems == []
    drive.assert_equal(app)


def test_our_own_pid_is_never_taken_for_a_foreign_checkpointer(path: Path, app: App, root: Path) -> None:
    drive = quiet(path, root)
    app.fill(5)
    guard = drive.replication._live.guard
    assert guard.lock_writers_out(0.1)
    assert locks.foreign_checkpointer(drive.replication._live._shm_fd) is None
    guard.drop_next()


def test_waiting_times_double_and_begin_anew() -> None:
    backoff = Backoff(1.0, 60.0)
    for longest in (1, 2, 4, 8, 16, 32, 60, 60):
        assert 0.75 * longest <= backoff.failed() <= longest
    assert backoff.worked()
    assert not backoff.worked()
    assert 0.75 <= backoff.failed() <= 1


def test_those_who_wait_for_one_store_do_not_come_at_once() -> None:
    assert len({Backoff(1.0, 60.0).failed() for _ in range(20)}) > 10
