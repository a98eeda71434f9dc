"""Objects that vanish while a restore reads them: compaction and retention at work on the same replica."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litestreamd.basics.errors import NotAvailable, ObjectMissing
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import TRIES
from litestreamd.jobs.restore_events import RestorePlannedAgain
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import AtTxid, Before, Latest, RestorePlan
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import StoredObject
from tests.support.histories import History, sqlite_history
from tests.support.restoring import left_in, restored


class Shrinking(FolderReplica):
    """Does something just before the n-th read since the last listing."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "file")
        self.before_read: Callable[[int], None] = lambda read: None
        self.reads = self.listings = 0
        self._lock = threading.Lock()

    def list(self, level: int | None = None) -> Iterator[StoredObject]:
        self.listings += 1
        self.reads = 0
        return super().list(level)

    def open(self, name: ObjectName, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        with self._lock:
            self.reads += 1
            self.before_read(self.reads)
        return super().open(name, offset, length)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """Level 0 from 4 to 12 above a snapshot of 1-3."""
    return sqlite_history(tmp_path, tmp_path / "replica", steps=12)


@pytest.fixture
def replica(history: History, tmp_path: Path) -> Shrinking:
    return Shrinking(tmp_path / "replica")


def merge_once(history: History, first: int, last: int) -> None:
    """What compaction and retention do: one object of level 1 for several of level 0."""
    history.store(1, first, last)
    history.replica.delete([ObjectName(0, txid, txid) for txid in range(first, last + 1)])


@pytest.mark.parametrize("at", range(1, 12))
@pytest.mark.parametrize("workers", [1, 4])
def test_compaction_at_every_step(tmp_path: Path, history: History, replica: Shrinking, at: int, workers: int) -> None:
    def before_read(read: int) -> None:
        if read == at and replica.listings == 1:
            merge_once(history, 5, 11)

    replica.before_read = before_read
    events: list[Event] = []
    done = restored(replica, tmp_path / "out.db", Latest(), events=events, parallelism=workers)
    assert (tmp_path / "out.db").read_bytes() == history.image(12)
    again = sum(isinstance(event, RestorePlannedAgain) for event in events)
    assert again == replica.listings - 1 <= 1
    assert isinstance(done.plan, RestorePlan)
    assert (ObjectName(1, 5, 11) in [step.name for step in done.plan.steps]) == (again == 1)


def test_again_and_again(tmp_path: Path, history: History, replica: Shrinking) -> None:
    """Each listing is out of date as soon as it is made, until the last try."""

    def before_read(read: int) -> None:
        if read == 1 and replica.listings < TRIES:
            first = 4 + 2 * (replica.listings - 1)
            merge_once(history, first, first + 1)

    replica.before_read = before_read
    events: list[Event] = []
    restored(replica, tmp_path / "out.db", Latest(), events=events, parallelism=1)
    assert (tmp_path / "out.db").read_bytes() == history.image(12)
    assert sum(isinstance(event, RestorePlannedAgain) for event in events) == TRIES - 1 == replica.listings - 1


def test_the_tries_are_counted(tmp_path: Path, history: History, replica: Shrinking) -> None:
    """A place whose listing names what is not there must not hold us for ever."""
    gone = ObjectName(0, 12, 12)

    class Stale(Shrinking):
        def list(self, level: int | None = None) -> Iterator[StoredObject]:
            return iter([*super().list(level), *lost])

    lost = [each for each in replica.list() if each.name == gone]
    replica.delete([gone])
    stale = Stale(tmp_path / "replica")
    (tmp_path / "home").mkdir()
    with pytest.raises(ObjectMissing):
        restored(stale, tmp_path / "home" / "out.db")
    assert stale.listings == TRIES
    assert left_in(tmp_path / "home") == set()


def test_a_point_that_retention_took_meanwhile_is_gone(tmp_path: Path, history: History, replica: Shrinking) -> None:
    def before_read(read: int) -> None:
        if replica.listings == 1 and read == 1:
            merge_once(history, 5, 11)

    replica.before_read = before_read
    with pytest.raises(NotAvailable, match="-txid 0000000000000004, -txid 000000000000000b"):
        restored(replica, tmp_path / "out.db", AtTxid(8))


def test_a_time_then_gives_the_point_that_is_left(tmp_path: Path, history: History, replica: Shrinking) -> None:
    def before_read(read: int) -> None:
        if replica.listings == 1 and read == 1:
            merge_once(history, 5, 11)

    replica.before_read = before_read
    restored(replica, tmp_path / "out.db", Before(history.time_ms(9)))
    assert (tmp_path / "out.db").read_bytes() == history.image(4)


def test_retention_at_work_all_the_time(tmp_path: Path, history: History, replica: Shrinking) -> None:
    """A daemon's thread merges and deletes while restores run, one change a restore: more would use up its tries."""
    errors: list[BaseException] = []
    turns = threading.Semaphore(1)

    def work() -> None:
        try:
            for first in range(4, 12, 2):
                turns.acquire()
                merge_once(history, first, first + 1)
            turns.acquire()
            history.store(2, 4, 11)
            history.replica.delete([ObjectName(1, first, first + 1) for first in range(4, 12, 2)])
            turns.acquire()
            history.store(9, 1, 12)
            history.replica.delete([ObjectName(9, 1, 3), ObjectName(1, 1, 4), ObjectName(2, 4, 11)])
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    for number in range(20):
        restored(replica, tmp_path / f"{number}.db")
        turns.release()
        assert (tmp_path / f"{number}.db").read_bytes() == history.image(12)
    thread.join()
    assert not errors
    replica.listings = 0
    restored(replica, tmp_path / "last.db")
    assert (tmp_path / "last.db").read_bytes() == history.image(12)
