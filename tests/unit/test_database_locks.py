"""Locks of ours and of others: asked for without taking any, and missed when they are gone.

POSIX locks belong to process and file: one close of any descriptor drops them all, without a word.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.database import locks
from litestreamd.database.live import LiveDatabase
from tests.support.live import App, Engine, create, held_lock

TABLE = """\
1: POSIX  ADVISORY  READ 10 fe:00:77 1073741826 1073742335
2: FLOCK  ADVISORY  WRITE 11 fe:00:78 0 EOF
2: -> FLOCK  ADVISORY  WRITE 12 fe:00:78 0 EOF
3: OFDLCK ADVISORY  READ -1 00:06:79 0 EOF
4: LEASE  ACTIVE    READ 13 fe:00:80 0 EOF
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture
def live(path: Path) -> Iterator[LiveDatabase]:
    found = LiveDatabase(path, 0.2)
    found.open(switch_to_wal=False)
    yield found
    found.close()


def test_the_kernels_table_is_understood() -> None:
    device = os.makedev(0xFE, 0)
    assert locks.held_locks(TABLE.splitlines()) == [
        locks.HeldLock("POSIX", 10, (device, 77), 1073741826),
        locks.HeldLock("FLOCK", 11, (device, 78), 0),
        locks.HeldLock("OFDLCK", -1, (os.makedev(0, 6), 79), 0),
        locks.HeldLock("LEASE", 13, (device, 80), 0),
    ]


@pytest.mark.parametrize("suffix", ["", "-shm"])
def test_a_close_of_another_descriptor_is_noticed(live: LiveDatabase, suffix: str) -> None:
    assert live.locks_held()
    os.close(os.open(f"{live.path}{suffix}", os.O_RDONLY))
    assert not live.locks_held()


def test_the_wal_may_be_opened_and_closed(live: LiveDatabase) -> None:
    os.close(live.open_wal())
    assert live.locks_held()


def test_a_child_process_takes_nothing_from_us(live: LiveDatabase) -> None:
    subprocess.run([sys.executable, "-c", f"open({str(live.path)!r}).close()"], check=True)
    assert live.locks_held()


def test_after_the_loss_an_application_can_cut_the_wal_under_us(live: LiveDatabase, path: Path) -> None:
    """Why the audit is worth its reading: the open transaction alone protects nothing any more."""
    with App(path) as app:
        app.fill(5)
        live.guard.begin_next()
        live.guard.swap()
        assert app.checkpoint("TRUNCATE")[0] == 1
        os.close(os.open(live.shm_path, os.O_RDONLY))
        assert app.checkpoint("TRUNCATE")[0] == 0
        assert not live.locks_held()


def test_where_the_table_does_not_name_our_files_there_is_no_false_alarm(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On btrfs and overlayfs stat shows another device than /proc/locks."""
    monkeypatch.setattr(locks, "_inode", lambda fd: (0, os.fstat(fd).st_ino))
    live = LiveDatabase(path, 0.2)
    live.open(switch_to_wal=False)
    assert live.locks_held()
    live.close()


@pytest.mark.parametrize(
    ("start", "length", "waits"),
    [(locks.CHECKPOINT, 1, False), (locks.WRITE, 1, False), (locks.WRITE, 2, True), (locks.READ_0, 5, False)],
)
def test_a_waiting_checkpointer_is_one_that_holds_two_locks(
    live: LiveDatabase, start: int, length: int, waits: bool
) -> None:
    if start == locks.READ_0:
        live.guard.close()
    with held_lock(live.shm_path, start, length):
        assert live.checkpointer_waits() == waits
    assert not live.checkpointer_waits()


def test_asking_takes_nothing(live: LiveDatabase, path: Path) -> None:
    with App(path) as app:
        app.run("BEGIN IMMEDIATE")
        for _ in range(3):
            assert not live.checkpointer_waits()
            assert live.used_by_others()
        app.run("COMMIT")
        app.fill(1)
    assert live.locks_held()


def test_the_claim_of_another_process_is_named(path: Path) -> None:
    command = (
        "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"
    )
    holder = [sys.executable, "-c", command, str(path)]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        with path.open("rb") as file:
            assert locks.claim(file.fileno()) == process.pid
            process.stdin.close()
            process.wait()
            assert locks.claim(file.fileno()) is None


def test_a_claim_does_not_disturb_the_applications_locks(path: Path) -> None:
    with path.open("rb") as file:
        assert locks.claim(file.fileno()) is None
        with App(path) as app:
            app.fill(1)
            app.run("PRAGMA journal_mode=DELETE")
            app.write("DELETE FROM t")


def test_openers_are_other_processes_only(path: Path) -> None:
    assert locks.openers(path) == []
    with App(path) as app, path.open("rb"):
        app.run("SELECT count(*) FROM t")
        assert locks.openers(path) == [app.process.pid]


def test_nothing_is_lost_when_locks_were_lost_and_the_database_is_opened_anew(path: Path) -> None:
    with App(path) as app, Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(5)
        os.close(os.open(engine.live.shm_path, os.O_RDONLY))
        app.checkpoint("TRUNCATE")
        app.fill(5)
        app.checkpoint("TRUNCATE")
        app.fill(1)
        assert not engine.live.locks_held()
        engine.close()
        engine.open()
        assert engine.how is not None
        engine.assert_followed(follower, app)


def test_even_without_an_audit_the_count_of_transactions_tells(path: Path) -> None:
    """Frames that vanished between two looks of the same incarnation: every page is compared."""
    with App(path) as app, Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(5)
        engine.assert_followed(follower, app)
        os.close(os.open(engine.live.shm_path, os.O_RDONLY))
        app.fill(5)
        assert app.checkpoint("TRUNCATE")[0] == 0
        app.fill(1)
        (taken,) = engine.assert_followed(follower, app)
        assert taken.reason is not None
        assert "transactions" in taken.reason
