"""The guard moved, the WAL checkpointed, cut and healed, beside an application in another process."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litestreamd.basics import crash_points
from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database import keeper as keeper_module
from litestreamd.database import locks
from tests.support.live import App, Engine, SqlError, create, held_lock
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
def engine(path: Path) -> Iterator[Engine]:
    with Engine(path) as opened:
        yield opened


def marks(engine: Engine) -> set[int]:
    """The read marks this process holds, as the kernel sees it."""
    inode = engine.live.shm_path.stat().st_ino
    held = [lock for lock in locks.held_locks(Path("/proc/locks").read_text().splitlines()) if lock.pid == os.getpid()]
    return {lock.start - locks.READ_0 for lock in held if lock.inode[1] == inode} & set(range(5))


def at(name: str, action: Callable[[], object]) -> None:
    """Run the action once when the engine passes the place."""

    def act() -> None:
        crash_points.arm("close.drained", 1, lambda: None)
        action()

    crash_points.arm(name, 1, act)


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    crash_points.arm("close.drained", 1, lambda: None)


def test_a_checkpoint_brings_everything_into_the_file(app: App, engine: Engine) -> None:
    follower = engine.follower(app)
    app.fill(50)
    work = engine.keeper.checkpoint(engine.tick())
    assert (work.complete, len(work.taken)) == (True, 1)
    assert engine.header.backfilled == engine.header.max_frame > 0
    engine.assert_followed(follower, app)


def test_after_a_checkpoint_the_next_writer_starts_a_new_generation(app: App, engine: Engine) -> None:
    follower = engine.follower(app)
    app.fill(50)
    engine.keeper.checkpoint(engine.tick())
    salts = engine.header.salts
    app.fill(1)
    assert engine.header.salts != salts
    assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]


def test_a_mark_above_zero_is_sought_once_there_are_frames(app: App, engine: Engine) -> None:
    """On mark 0 every commit of an application above its autocheckpoint limit tries a checkpoint in vain."""
    assert not engine.keeper.needs_refresh(engine.header)
    app.fill(5)
    assert engine.keeper.needs_refresh(engine.header)
    assert engine.refresh() == []  # above mark 0 nobody can drop frames: there is no hurry to take them
    assert not engine.keeper.may_stand_on_zero
    frames = engine.header.max_frame
    assert app.checkpoint("PASSIVE") == [0, frames, frames]
    app.fill(5)
    assert engine.header.max_frame > frames


def test_what_is_committed_between_bulk_and_lock_is_captured_and_checkpointed(app: App, engine: Engine) -> None:
    follower = engine.follower(app)
    app.fill(50)
    at("checkpoint.bulk-done", lambda: app.fill(3))
    work = engine.keeper.checkpoint(engine.tick())
    assert work.complete
    assert 0 < work.lock_seconds < 10
    assert work.taken
    engine.assert_followed(follower, app)
    app.fill(1)


def test_nobody_writes_while_the_lock_is_held_and_everybody_afterwards(app: App, engine: Engine) -> None:
    def refused() -> None:
        with pytest.raises(SqlError, match="locked"):
            app.run("DELETE FROM t WHERE id = 1")

    app.fill(50)
    at("checkpoint.bulk-done", lambda: (app.fill(3), at("checkpoint.locked", refused)))
    engine.keeper.checkpoint(engine.tick())
    app.run("DELETE FROM t WHERE id = 1")


def test_a_writer_who_keeps_the_lock_ends_the_attempt(
    app: App, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "LOCK_WAIT_S", 0.01)
    app.fill(50)
    at("checkpoint.bulk-done", lambda: (app.fill(3), app.run("BEGIN IMMEDIATE")))
    assert not engine.keeper.checkpoint(engine.tick()).complete
    app.run("COMMIT")
    assert engine.keeper.checkpoint(engine.tick()).complete


def test_a_reader_of_the_application_limits_a_checkpoint(app: App, engine: Engine) -> None:
    follower = engine.follower(app)
    app.fill(5)
    with App(engine.path) as reader:
        reader.run("BEGIN")
        reader.run("SELECT count(*) FROM t")
        seen = engine.header.max_frame
        app.fill(5)
        work = engine.keeper.checkpoint(engine.tick())
        assert (work.complete, work.backfilled) == (False, seen)
        assert not engine.keeper.truncate(engine.tick()).truncated
        engine.assert_followed(follower, app)
    assert engine.keeper.checkpoint(engine.tick()).complete


def test_a_failing_checkpoint_leaves_nobody_locked_out(
    app: App, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up between bulk and lock: the write lock must not stay with us."""
    real = engine.live.guard.checkpoint

    def fail() -> bool:
        raise EnvironmentFault("disk full")

    def full_from_now_on() -> None:
        app.fill(3)
        monkeypatch.setattr(engine.live.guard, "checkpoint", fail)

    app.fill(50)
    follower = engine.follower(app) if engine.take() else None
    assert follower is not None
    at("checkpoint.bulk-done", full_from_now_on)
    with pytest.raises(EnvironmentFault):
        engine.keeper.checkpoint(engine.tick())
    monkeypatch.setattr(engine.live.guard, "checkpoint", real)
    app.fill(1)
    engine.assert_followed(follower, app)
    assert engine.keeper.checkpoint(engine.tick()).complete


def test_truncate_cuts_the_file_and_the_next_commit_is_captured(app: App, engine: Engine) -> None:
    follower = engine.follower(app)
    app.fill(50)
    assert engine.keeper.checkpoint(engine.tick()).complete
    assert engine.keeper.truncate(engine.tick()).truncated
    assert engine.live.wal_size() == 0
    assert engine.assert_followed(follower, app) == []
    app.fill(2)
    assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]


def test_a_commit_just_before_the_truncate_is_not_lost(app: App, engine: Engine) -> None:
    follower = engine.follower(app)
    app.fill(50)
    engine.keeper.checkpoint(engine.tick())
    at("guard.moved", lambda: app.fill(2))
    work = engine.keeper.truncate(engine.tick())
    assert not work.truncated
    assert len(engine.assert_followed(follower, app)) == 1


@pytest.mark.parametrize("mode", ["FULL", "RESTART", "TRUNCATE"])
def test_an_applications_own_checkpoint_is_let_through(path: Path, engine: Engine, mode: str) -> None:
    """It waits for readers while it holds the write lock; a guard that stood still would stall all writers."""
    with App(path, busy_ms=20_000) as app:
        follower = engine.follower(app)
        app.fill(5)
        engine.refresh()
        app.fill(5)
        app.start(f"PRAGMA wal_checkpoint({mode})")
        until(engine.live.checkpointer_waits, "the application waits for our guard", 10)
        engine.refresh()
        # RESTART and TRUNCATE then wait for the new guard too, which stands on frames until all is backfilled.
        rounds = 0
        while engine.live.checkpointer_waits() and rounds < 1000:
            engine.refresh()
            rounds += 1
        assert app.answer()[0][0] == 0
        app.fill(1)
        engine.assert_followed(follower, app)


def test_the_guard_waits_for_a_checkpointer_that_may_be_stale(app: App, engine: Engine) -> None:
    """SQLite up to 3.51.2: one that read its header before a restart must not find mark 0 free after it."""
    follower = engine.follower(app)
    app.fill(5)
    engine.keeper.checkpoint(engine.tick())
    app.fill(1)  # the WAL restarts under our mark 0
    with held_lock(engine.live.shm_path, locks.CHECKPOINT):
        engine.refresh()
        assert marks(engine) == {0}
        assert not engine.keeper.checkpoint(engine.tick()).complete
        assert marks(engine) == {0}, "nor does the write lock let the guard leave it"
        engine.assert_followed(follower, app)
    engine.refresh()
    assert 0 not in marks(engine)


def test_a_checkpointer_that_holds_the_write_lock_too_is_not_stale(app: App, engine: Engine) -> None:
    app.fill(5)
    engine.keeper.checkpoint(engine.tick())
    app.fill(1)
    with held_lock(engine.live.shm_path, locks.WRITE, 2):
        engine.refresh()
        assert 0 not in marks(engine)


def test_a_restart_between_two_looks_of_one_move_is_seen(
    app: App, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The WAL restarts after the check for stale checkpointers: the old guard must not be given up unchecked."""
    app.fill(5)
    engine.keeper.checkpoint(engine.tick())
    begin_next = engine.live.guard.begin_next

    def restart_first() -> None:
        monkeypatch.undo()
        app.fill(1)
        begin_next()

    monkeypatch.setattr(engine.live.guard, "begin_next", restart_first)
    with held_lock(engine.live.shm_path, locks.CHECKPOINT):
        engine.refresh()
        assert marks(engine) == {0}
    engine.refresh()
    assert 0 not in marks(engine)
