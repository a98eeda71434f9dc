"""The times of a listing, compared with those in the headers: copies that lost them are noticed, cheaply."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from litestreamd.jobs.events import Event
from litestreamd.jobs.object_times import dated
from litestreamd.jobs.restore_events import HeaderTimesUsed, PointResolved
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import AtTxid, Before, RestorePlan
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Times
from tests.support.histories import History, damage, flip, object_path, sqlite_history
from tests.support.restoring import restored


class Watched(FolderReplica):
    """Counts the ranges that are read, and may be of another kind of store."""

    reads = 0

    def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
        self.reads += 1
        return super().read_at(name, offset, length)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica", steps=20)


@pytest.fixture
def replica(history: History, tmp_path: Path) -> Watched:
    return Watched(tmp_path / "replica", "file")


def touch(root: Path, name: ObjectName, ms: int) -> None:
    os.utime(object_path(root, name), ns=(ms * 1_000_000,) * 2)


def test_a_sound_replica_costs_a_few_short_reads(replica: Watched) -> None:
    listed = tuple(replica.list())
    found = dated(replica, listed)
    assert (found.objects, found.from_headers) == (listed, False)
    assert replica.reads == 4  # level 0: first and last; 1 and 9: the only one
    assert len(listed) == 19


def test_an_empty_replica(tmp_path: Path) -> None:
    assert dated(FolderReplica(tmp_path, "file"), ()).objects == ()


def test_a_copy_without_times_gets_those_of_the_headers(history: History, replica: Watched, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "replica", tmp_path / "copy", copy_function=shutil.copyfile)
    copy = FolderReplica(tmp_path / "copy", "file")
    listed = tuple(copy.list())
    assert [each.created_ms for each in listed] != [each.created_ms for each in replica.list()]
    found = dated(copy, listed)
    assert found.from_headers
    assert [each.created_ms for each in found.objects] == [each.created_ms for each in replica.list()]
    events: list[Event] = []
    done = restored(copy, tmp_path / "out.db", Before(history.time_ms(12)), events=events)
    assert isinstance(done.plan, RestorePlan)
    assert done.plan.max_txid == 11
    assert (tmp_path / "out.db").read_bytes() == history.image(11)
    assert sum(isinstance(event, HeaderTimesUsed) for event in events) == 1


@pytest.mark.parametrize("txid", [5, 12, 19])
def test_one_file_that_was_copied_back_is_noticed_where_it_breaks_the_order(
    history: History, replica: Watched, tmp_path: Path, txid: int
) -> None:
    touch(tmp_path / "replica", ObjectName(0, txid, txid), history.time_ms(1000))
    found = dated(replica, tuple(replica.list()))
    assert found.from_headers
    assert {each.created_ms for each in found.objects if each.name.max_txid == txid} == {history.time_ms(txid)}


def test_an_order_that_the_clock_itself_broke_is_believed(history: History, tmp_path: Path) -> None:
    """The header says the same as the listing, so nobody lost anything."""
    moved = FolderReplica(tmp_path / "replica", "file")
    body = object_path(tmp_path / "replica", ObjectName(0, 20, 20)).read_bytes()
    moved.create(ObjectName(8, 20, 20), [body], history.time_ms(20))
    moved.create(ObjectName(8, 21, 21), [body], history.time_ms(20))
    assert not dated(moved, tuple(moved.list())).from_headers


def test_a_store_with_its_own_clock_is_believed(history: History, replica: Watched, tmp_path: Path) -> None:
    touch(tmp_path / "replica", ObjectName(0, 20, 20), history.time_ms(99))
    replica.times = Times.STORE
    assert not dated(replica, tuple(replica.list())).from_headers
    assert replica.reads == 0


@pytest.mark.parametrize(("ms_off", "lost"), [(0, False), (999, False), (1000, True)])
def test_whole_seconds_agree_with_what_they_were_rounded_from(
    tmp_path: Path, history: History, replica: Watched, ms_off: int, lost: bool
) -> None:
    touch(tmp_path / "replica", ObjectName(0, 20, 20), history.time_ms(20) + ms_off)
    replica.times = Times.HEADER_SECONDS
    assert dated(replica, tuple(replica.list())).from_headers is lost


@pytest.mark.parametrize("change", [flip(0), flip(32, 0x7F)])
def test_a_header_that_cannot_be_read_or_believed_leaves_the_listings_time(
    history: History, replica: Watched, tmp_path: Path, change: Callable[[bytearray], None]
) -> None:
    damage(object_path(tmp_path / "replica", ObjectName(0, 20, 20)), change)
    listed = tuple(replica.list())
    assert dated(replica, listed) == dated(replica, listed)
    assert dated(replica, listed).objects == listed
    touch(tmp_path / "replica", ObjectName(0, 4, 4), history.time_ms(400))
    found = dated(replica, tuple(replica.list()))
    assert [each.created_ms for each in found.objects] == [each.created_ms for each in listed]


def test_what_vanishes_meanwhile_stays_as_it_was_listed(replica: Watched, tmp_path: Path) -> None:
    listed = tuple(replica.list())
    object_path(tmp_path / "replica", ObjectName(0, 20, 20)).unlink()
    assert dated(replica, listed).objects == listed


def test_a_txid_needs_no_times(history: History, replica: Watched, tmp_path: Path) -> None:
    touch(tmp_path / "replica", ObjectName(0, 20, 20), 5)
    events: list[Event] = []
    restored(replica, tmp_path / "out.db", AtTxid(20), events=events)
    assert not [event for event in events if isinstance(event, HeaderTimesUsed | PointResolved)]
