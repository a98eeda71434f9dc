"""Opening a database: what is refused and in which words, what is waited for, and the one write we ever make."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics.errors import BusyError, DamagedData, EnvironmentFault, LitestreamdError
from litestreamd.database import locks
from litestreamd.database.live import Absent, AlreadyReplicated, LiveDatabase
from tests.support.live import App, create, held_lock, scribble


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def live(path: Path) -> Iterator[LiveDatabase]:
    found = LiveDatabase(path, 0.2)
    yield found
    found.close()


def descriptors(path: Path) -> list[str]:
    """What this process has open of a database."""
    found = (os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists())
    return sorted(name.removeprefix(str(path)) for name in found if name.startswith(str(path)))


def refused(live: LiveDatabase, error: type[LitestreamdError], *words: str, switch: bool = True) -> None:
    """Opening raises exactly this, its sentence has these words, and nothing stays open."""
    with pytest.raises(error) as raised:
        live.open(switch_to_wal=switch)
    assert type(raised.value) is error
    for word in (str(live.path), *words):
        assert word in str(raised.value)
    assert descriptors(live.path) == []


def test_a_database_that_is_not_there_is_waited_for(live: LiveDatabase) -> None:
    refused(live, Absent, "does not exist")


def test_an_empty_file_is_waited_for(live: LiveDatabase, path: Path) -> None:
    path.touch()
    refused(live, Absent, "empty")
    assert path.stat().st_size == 0


@pytest.mark.parametrize("content", [b"x", b"SQLite format 3\0", os.urandom(8192), b"a text\n" * 100])
def test_what_is_no_database_is_refused_and_left_alone(live: LiveDatabase, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refused(live, DamagedData, "not an SQLite database")
    assert path.read_bytes() == content


def test_a_header_without_sense_is_refused(live: LiveDatabase, path: Path) -> None:
    create(path)
    content = bytearray(path.read_bytes())
    content[16:18] = b"\x00\x03"
    path.write_bytes(content)
    with pytest.raises((DamagedData, EnvironmentFault)):
        live.open(switch_to_wal=True)
    assert descriptors(path) == []


def test_a_folder_is_refused(live: LiveDatabase, path: Path) -> None:
    path.mkdir()
    refused(live, EnvironmentFault, "Is a directory")


def rollback_database(path: Path) -> None:
    with App(path) as app:
        app.fill(3)
        app.close()


def test_a_rollback_journal_database_is_switched_once(live: LiveDatabase, path: Path) -> None:
    rollback_database(path)
    assert live.open(switch_to_wal=True)
    live.close()
    assert not live.open(switch_to_wal=True)
    with App(path) as app:
        assert app.run("PRAGMA journal_mode") == [["wal"]]


def test_require_only_reports(live: LiveDatabase, path: Path) -> None:
    rollback_database(path)
    before = path.read_bytes()
    refused(live, EnvironmentFault, "journal_mode=WAL", switch=False)
    assert path.read_bytes() == before


def test_a_rollback_journal_database_in_use_is_not_switched(live: LiveDatabase, path: Path) -> None:
    rollback_database(path)
    with App(path) as app:
        app.run("SELECT * FROM t")
        refused(live, BusyError, f"process {app.process.pid}")
        assert app.run("PRAGMA journal_mode") == [["delete"]]
    assert live.open(switch_to_wal=True)


def test_a_hot_journal_is_rolled_back_before_the_switch(live: LiveDatabase, path: Path) -> None:
    """The application died in a transaction that had spilled: only SQLite knows how to undo it."""
    rollback_database(path)
    with App(path) as app:
        app.run("PRAGMA cache_size=1")
        app.run("BEGIN")
        app.run("UPDATE t SET b = zeroblob(9000)")
        app.run("CREATE TABLE half(x)")
        app.kill()
    assert Path(f"{path}-journal").stat().st_size > 0
    assert live.open(switch_to_wal=True)
    with App(path) as app:
        assert app.run("SELECT count(*), max(length(b)) FROM t") == [[3, 400]]


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(live: LiveDatabase, path: Path) -> None:
    create(path)
    live.open(switch_to_wal=True)
    with pytest.raises(AlreadyReplicated, match=f"process {os.getpid()}"):
        LiveDatabase(path, 0.2).open(switch_to_wal=True)


def test_the_failed_attempt_of_a_second_daemon_harms_nobody(live: LiveDatabase, path: Path) -> None:
    """In life it is another process; its attempt must not drop a lock or a frame of ours."""
    create(path)
    live.open(switch_to_wal=True)
    with App(path) as app:
        app.fill(1)
        assert live.locks_held()


def test_open_holds_what_the_audit_asks_for(live: LiveDatabase, path: Path) -> None:
    create(path)
    live.open(switch_to_wal=True)
    assert live.locks_held()
    assert live.same_files()
    assert not live.used_by_others()
    assert len(descriptors(path)) == 5
    with App(path) as app:
        app.run("SELECT count(*) FROM t")
        assert live.used_by_others()
        assert not live.checkpointer_waits()


def test_it_can_be_opened_again(live: LiveDatabase, path: Path) -> None:
    create(path)
    for _ in range(3):
        live.open(switch_to_wal=True)
        assert live.locks_held()
        live.close()
        assert descriptors(path) == []


def test_a_half_updated_index_is_rebuilt(live: LiveDatabase, path: Path) -> None:
    """A writer died between the two copies of the header: only a reader of SQLite's own can repair that."""
    create(path)
    live.open(switch_to_wal=True)
    with App(path) as app:
        app.fill(3)
        before = live.header()
        app.kill()
    scribble(live.shm_path, 8, b"\xff\xff\xff\xff")
    after = live.header()
    assert (after.salts, after.max_frame, after.page_count) == (before.salts, before.max_frame, before.page_count)
    assert live.locks_held()


def test_an_index_that_nobody_can_rebuild_is_an_error_and_no_endless_wait(live: LiveDatabase, path: Path) -> None:
    create(path)
    live.open(switch_to_wal=True)
    with App(path) as app:
        app.fill(1)
        with held_lock(live.shm_path, locks.WRITE, 3):
            scribble(live.shm_path, 8, b"\xff\xff\xff\xff")
            with pytest.raises(BusyError):
                live.header()
        assert live.header().max_frame > 0
