"""Which replica a database comes back from, and what happens when objects vanish meanwhile."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import NotAvailable, ObjectMissing, StoreMissing
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore_choice import NoBackup
from litestreamd.jobs.restore_events import ReplicaPassedOver, RestorePlannedAgain, RestoreStarted
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import AtTxid
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.histories import History, damage, flip, object_path, sqlite_history
from tests.support.restoring import left_in, restored


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica")


def replica_upto(tmp_path: Path, name: str, last: int, history: History) -> FolderReplica:
    """A second replica of the same history that has only come this far."""
    behind = History(FolderReplica(tmp_path / name, name), history.page_size)
    behind.states = {txid: state for txid, state in history.states.items() if txid <= last}
    for txid in behind.states:
        behind.store(0, txid, txid)
    return behind.replica


def test_the_freshest_replica_is_taken(tmp_path: Path, history: History) -> None:
    behind = replica_upto(tmp_path, "behind", 5, history)
    done = restored([behind, history.replica], tmp_path / "out.db")
    assert done.replica.name == "file"
    assert (tmp_path / "out.db").read_bytes() == history.image(8)


def test_equally_fresh_ones_are_taken_in_order(tmp_path: Path, history: History) -> None:
    same = replica_upto(tmp_path, "same", 8, history)
    assert restored([same, history.replica], tmp_path / "1.db").replica.name == "same"
    assert restored([history.replica, same], tmp_path / "2.db", AtTxid(8)).replica.name == "file"


def test_the_next_replica_helps_out(tmp_path: Path, history: History) -> None:
    behind = replica_upto(tmp_path, "behind", 5, history)
    damage(object_path(tmp_path / "replica", ObjectName(0, 8, 8)), flip(-1))
    damage(object_path(tmp_path / "replica", ObjectName(0, 8, 8)), flip(20))
    events: list[Event] = []
    done = restored([history.replica, behind], tmp_path / "out.db", events=events)
    assert done.replica.name == "behind"
    assert (tmp_path / "out.db").read_bytes() == history.image(5)
    assert [type(event) for event in events] == [RestoreStarted, ReplicaPassedOver, RestoreStarted]


def test_an_unreachable_replica_is_passed_over(tmp_path: Path, history: History) -> None:
    gone = FolderReplica(tmp_path / "unmounted" / "replica", "gone")
    events: list[Event] = []
    assert restored([gone, history.replica], tmp_path / "out.db", events=events).replica.name == "file"
    assert [event.replica for event in events if isinstance(event, ReplicaPassedOver)] == ["gone"]


def test_no_backup_is_said_only_when_every_replica_was_seen(tmp_path: Path) -> None:
    empty, also_empty = (FolderReplica(tmp_path / name, name) for name in ("a", "b"))
    gone = FolderReplica(tmp_path / "unmounted" / "replica", "gone")
    with pytest.raises(NoBackup):
        restored([empty, also_empty], tmp_path / "out.db")
    with pytest.raises(StoreMissing):
        restored([empty, gone], tmp_path / "out.db")
    (tmp_path / "b/generations/0123456789abcdef/wal").mkdir(parents=True)
    (tmp_path / "b/generations/0123456789abcdef/wal/00000000_00000000.wal.lz4").write_bytes(b"x")
    with pytest.raises(NotAvailable, match=r"0\.3") as caught:
        restored([empty, also_empty], tmp_path / "out.db")
    assert not isinstance(caught.value, NoBackup)


def test_a_moment_that_only_one_replica_has(tmp_path: Path, history: History) -> None:
    behind = replica_upto(tmp_path, "behind", 2, history)
    assert restored([history.replica, behind], tmp_path / "out.db", AtTxid(2)).replica.name == "behind"


class Vanishing(FolderReplica):
    """A replica whose level-0 objects are compacted away while they are being read."""

    def __init__(self, root: Path, history: History, times: int) -> None:
        super().__init__(root, "file")
        self._history, self._times = history, times

    def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
        if self._times and name.level == 0:
            self._times -= 1
            self._history.store(2, 4, 8) if not object_path(self._root, ObjectName(2, 4, 8)).exists() else None
            self.delete([name])
        return super().read_at(name, offset, length)


def test_a_vanished_object_makes_a_new_plan(tmp_path: Path, history: History) -> None:
    events: list[Event] = []
    done = restored(Vanishing(tmp_path / "replica", history, times=1), tmp_path / "out.db", events=events)
    assert ObjectName(2, 4, 8) in [step.name for step in done.plan.steps]
    assert (tmp_path / "out.db").read_bytes() == history.image(8)
    assert sum(isinstance(event, RestorePlannedAgain) for event in events) == 1


def test_but_not_for_ever(tmp_path: Path, history: History) -> None:
    class Gone(FolderReplica):
        def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
            raise ObjectMissing(f"{name} is gone")

    (tmp_path / "home").mkdir()
    with pytest.raises(ObjectMissing):
        restored(Gone(tmp_path / "replica", "file"), tmp_path / "home" / "out.db")
    assert left_in(tmp_path / "home") == set()
