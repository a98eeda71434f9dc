"""Trouble around one database: files that come, go and are exchanged, a damaged state, no room, no right mode.

The application is never disturbed, each trouble is told in one sentence, and what can go on does.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.database import locks
from litestreamd.jobs.events import (
    Checkpointed,
    Compared,
    ContinuityLost,
    DatabaseAwaited,
    DatabaseOpened,
    WalModeSwitched,
)
from litestreamd.plan.checkpoint import Limits
from tests.support.driving import Drive, image_of, names
from tests.support.live import App, create, held_lock, insert


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


def write(drive: Drive, app: App, times: int = 1) -> None:
    for _ in range(times):
        app.write(insert(3))
        drive.event().elapse(2)


# Files that come and go


def test_a_database_that_does_not_exist_yet_is_waited_for_once(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "later.db"
    drive = Drive(path, root).settle().elapse(30)
    assert [event.why for event in drive.seen(DatabaseAwaited)] == [
        f"{path} does not exist: waiting for the application to create the database."
    ]
    path.touch()
    drive.elapse(10)
    create(path)
    drive.elapse(10)
    with App(path) as app:
        write(drive, app)
        drive.assert_equal(app)
    assert len(drive.seen(DatabaseAwaited)) == 2
    assert drive.stop().behind == ()


def test_stopping_before_there_was_a_database_leaves_nothing_behind(tmp_path: Path, root: Path) -> None:
    drive = Drive(tmp_path / "never.db", root).settle()
    assert drive.stop().behind == ()
    assert drive.replication.captured
    assert not root.exists()


def test_a_database_that_was_deleted_and_made_anew_goes_on(path: Path, root: Path) -> None:
    with App(path) as app:
        drive = Drive(path, root).settle()
        write(drive, app, 2)
        old = app.image()
        app.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    drive.elapse(10)
    assert drive.seen(DatabaseAwaited)
    create(path, rows=5)
    drive.elapse(10)
    with App(path) as app:
        write(drive, app)
        drive.assert_equal(app)
    assert image_of(root, 4) == old
    assert drive.stop().behind == ()


def test_what_a_vanished_database_left_in_the_spool_still_leaves(path: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    far = tmp_path / "disk" / "far"
    with App(path) as app:
        drive = Drive(path, far).settle()
        far.parent.rename(tmp_path / "away")
        write(drive, app, 3)
        seen = app.image()
        drive.die()
        app.close()
    path.unlink()
    (tmp_path / "away").rename(far.parent)
    second = Drive(path, far).settle().elapse(70)
    assert image_of(far) == seen
    assert second.stop().behind == ()


@pytest.mark.parametrize("page_size", [4096, 8192])
def test_another_file_in_the_place_is_compared(path: Path, root: Path, page_size: int) -> None:
    """`mv new.db live.db`, the application stopped and our own checkpoint done: only what differs is sent."""
    with App(path) as app:
        drive = Drive(path, root).settle()
        app.fill(200)
        drive.event().elapse(2)
        old = app.image()
        app.close()
    drive.elapse(30)
    assert drive.seen(Checkpointed)[-1].truncated
    assert path.read_bytes() == old
    new = path.with_name("new.db")
    if page_size == 4096:
        shutil.copyfile(path, new)
        with App(new) as other:
            other.write("UPDATE t SET b = randomblob(400) WHERE id = 7")
            other.close()
    else:
        create(new, page_size, rows=40)
    new.rename(path)
    drive.elapse(10)
    assert len(drive.seen(ContinuityLost)) == 1
    with App(path) as app:
        assert image_of(root) == app.image()
        assert image_of(root, 3) == old
        if page_size == 4096:
            assert drive.seen(Compared)[-1].changed <= 2
        write(drive, app)
        assert image_of(root) == app.image()
    assert drive.stop().behind == ()


def test_a_wal_that_was_deleted_under_everybody_is_noticed(path: Path, app: App, root: Path) -> None:
    """Somebody tidied up. What is in the file then is all there is; nobody may be fooled about that."""
    drive = Drive(path, root).settle()
    write(drive, app, 2)
    Path(f"{path}-wal").unlink()
    Path(f"{path}-shm").unlink()
    app.kill()
    drive.elapse(10)
    assert drive.seen(ContinuityLost)
    with App(path) as other:
        write(drive, other)
        drive.assert_equal(other)
    drive.stop()


def test_lost_locks_are_noticed_and_nothing_is_lost(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root).settle()
    write(drive, app)
    os.close(os.open(f"{path}-shm", os.O_RDONLY))
    app.write(insert(5))
    app.checkpoint("TRUNCATE")
    app.write(insert(5))
    drive.event().elapse(70)
    assert drive.seen(ContinuityLost) or drive.seen(Compared)
    drive.elapse(70).assert_equal(app)
    assert drive.replication._live.locks_held()
    assert drive.stop().behind == ()


# Modes


def test_a_rollback_journal_database_is_switched_once_and_told(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "old.db"
    with App(path) as app:
        app.fill(5)
        app.close()
    drive = Drive(path, root).settle()
    assert len(drive.seen(WalModeSwitched)) == 1
    with App(path) as app:
        write(drive, app)
        drive.assert_equal(app)
    drive.stop()


def test_a_rollback_journal_database_in_use_is_left_alone_until_it_is_free(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "old.db"
    with App(path) as app:
        app.fill(5)
        drive = Drive(path, root).settle().elapse(20)
        assert f"open in process {app.process.pid}" in drive.problems[0]
        app.fill(5)
        app.close()
    drive.elapse(70)
    assert len(drive.seen(WalModeSwitched)) == 1
    drive.stop()


def test_require_waits_for_the_operator(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "old.db"
    with App(path) as app:
        app.fill(5)
        drive = Drive(path, root, switch_to_wal=False).settle().elapse(20)
        assert "journal-mode is `require`" in drive.problems[0]
        app.run("PRAGMA journal_mode=WAL")
        drive.elapse(70).assert_equal(app)
    drive.stop()


# A state that cannot be used


@pytest.mark.parametrize("name", ["state.json", "pages.*"])
def test_a_damaged_state_is_told_and_nothing_is_touched(path: Path, app: App, root: Path, name: str) -> None:
    first = Drive(path, root).settle()
    write(first, app)
    first.stop()
    (place,) = Path(f"{path}-state").glob(name)
    kept = place.read_bytes()
    place.write_bytes(kept[:-9])
    before = names(root)
    second = Drive(path, root).settle().elapse(300)
    assert len(second.problems) > 2
    assert all(str(place.parent) in problem for problem in second.problems), set(second.problems)
    assert second.replication.refused is None
    assert names(root) == before
    app.write("PRAGMA user_version=4")
    place.write_bytes(kept)
    second.elapse(70).assert_equal(app)
    assert second.stop().behind == ()


def test_stopping_with_a_damaged_state_is_no_success(path: Path, app: App, root: Path) -> None:
    first = Drive(path, root).settle()
    first.stop()
    Path(f"{path}-state/state.json").write_text("{")
    second = Drive(path, root).settle()
    app.fill(1)
    second.stop()
    assert not second.replication.captured


# Others at work


def test_an_old_reader_of_the_application_is_told_once(path: Path, app: App, root: Path) -> None:
    limits = Limits(min_pages=10, truncate_pages=0, interval_s=0)
    drive = Drive(path, root, limits=limits).settle()
    with App(path) as reader:
        reader.run("BEGIN")
        reader.run("SELECT count(*) FROM t")
        for _ in range(6):
            app.fill(30)
            drive.event().elapse(3)
        told = [event for event in drive.events if type(event).__name__ == "CheckpointLimited"]
        assert len(told) == 1
        drive.assert_equal(app)
    drive.elapse(5)
    assert drive.seen(Checkpointed)
    drive.stop()


def test_a_checkpointer_elsewhere_is_no_trouble(path: Path, app: App, root: Path) -> None:
    limits = Limits(min_pages=10, truncate_pages=0, interval_s=0)
    drive = Drive(path, root, limits=limits).settle()
    with held_lock(Path(f"{path}-shm"), locks.CHECKPOINT):
        app.fill(200)
        drive.event().elapse(5)
        drive.assert_equal(app)
        assert drive.problems == []
    drive.elapse(5)
    assert drive.seen(Checkpointed)[0].frames > 20
    drive.stop()


def test_nothing_is_opened_before_a_second_daemon_is_told_off(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    first = Drive(path, root).settle()
    second = Drive(path, tmp_path / "other", state=tmp_path / "other state").settle().elapse(10)
    assert f"already replicated by process {os.getpid()}" in second.problems[0]
    assert not (tmp_path / "other").exists()
    assert not second.seen(DatabaseOpened)
    write(first, app)
    first.assert_equal(app)
    first.stop()
    second.elapse(70).assert_equal(app)
    second.stop()
