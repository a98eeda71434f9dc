"""What a restore leaves: mode and owner of the file, and the record for the daemon that goes on."""

import os
from pathlib import Path

import pytest

from litestreamd.basics.errors import DamagedData
from litestreamd.database.restored_from import load_restored_from
from litestreamd.jobs.restore_owner import Ownership
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.continuation import Head, RestoredFrom
from litestreamd.plan.restore import AtTxid, Latest
from litestreamd.replica.folder.access import Access
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.root import read_root
from litestreamd.replica.writers import Writer, open_epoch
from tests.support.histories import History, damage, flip, object_path, sqlite_history
from tests.support.restoring import restored

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica")


def test_the_mode_is_the_databases(tmp_path: Path, history: History) -> None:
    history.replica = FolderReplica(tmp_path / "replica", "file", Access(0o660, 0o770))
    history.commit(history.states[8])
    history.store(0, 9, 9)
    restored(history.replica, tmp_path / "out.db")
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o660


def test_a_mode_that_is_asked_for_wins(tmp_path: Path, history: History) -> None:
    restored(history.replica, tmp_path / "out.db", ownership=Ownership(mode=0o604))
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o604


def test_a_replaced_file_keeps_its_mode(tmp_path: Path, history: History) -> None:
    (tmp_path / "out.db").write_bytes(b"old")
    (tmp_path / "out.db").chmod(0o666)
    restored(history.replica, tmp_path / "out.db", force=True)
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o666


@needs_root
def test_root_gives_the_file_to_the_owner_of_the_folder(tmp_path: Path, history: History) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 1234, 2345)
    restored(history.replica, home / "out.db")
    assert ((home / "out.db").stat().st_uid, (home / "out.db").stat().st_gid) == (1234, 2345)
    restored(history.replica, home / "mine.db", ownership=Ownership(uid=0, gid=77))
    assert ((home / "mine.db").stat().st_uid, (home / "mine.db").stat().st_gid) == (0, 77)


def test_restored_from_says_what_the_root_held(tmp_path: Path, history: History) -> None:
    open_epoch(history.replica, Writer(1, "m", "h", "app", 0, 0))
    epoch = open_epoch(history.replica, Writer(2, "m", "h", "app", 0, 0))
    newest = read_root(history.replica).newest
    assert newest
    head = Head(8, newest.file_checksum)
    for target, txid in ((Latest(), 8), (AtTxid(5), 5)):
        state = tmp_path / "state" / str(txid)
        restored(history.replica, tmp_path / f"{txid}.db", target, state_directory=state)
        assert load_restored_from(state) == RestoredFrom(history.replica.description, txid, head, epoch)
        assert state.stat().st_mode & 0o777 == 0o700


def test_without_a_writer_the_epoch_is_0(tmp_path: Path, history: History) -> None:
    restored(history.replica, tmp_path / "out.db", state_directory=tmp_path / "state")
    record = load_restored_from(tmp_path / "state")
    assert record
    assert record.epoch == 0


def test_a_head_that_cannot_be_read_does_not_stop_an_older_restore(tmp_path: Path, history: History) -> None:
    os.truncate(object_path(tmp_path / "replica", ObjectName(0, 8, 8)), 50)
    restored(history.replica, tmp_path / "out.db", AtTxid(5), state_directory=tmp_path / "state")
    assert (tmp_path / "out.db").read_bytes() == history.image(5)
    assert load_restored_from(tmp_path / "state") is None


def test_nothing_is_noted_when_the_restore_fails(tmp_path: Path, history: History) -> None:
    damage(object_path(tmp_path / "replica", ObjectName(0, 8, 8)), flip(-1))
    damage(object_path(tmp_path / "replica", ObjectName(0, 8, 8)), flip(90))
    with pytest.raises(DamagedData):
        restored(history.replica, tmp_path / "out.db", state_directory=tmp_path / "state")
    assert not (tmp_path / "state").exists()
