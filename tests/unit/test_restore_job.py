"""The restore job: every target, what proves the result, and every damage refused by name."""

import os
from pathlib import Path

import pytest

from litestreamd.basics.checksum import lock_page
from litestreamd.basics.errors import DamagedData, NotAvailable
from litestreamd.jobs.restore import Integrity
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import AtTxid, Before, Latest
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.histories import History, damage, encode, flip, object_path, sqlite_history
from tests.support.restoring import left_in, restored

PAGE = 512


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica")


def test_every_moment_of_a_real_database(tmp_path: Path, history: History) -> None:
    for txid in (3, 4, 5, 8):
        restored(history.replica, tmp_path / f"{txid}.db", AtTxid(txid))
        assert (tmp_path / f"{txid}.db").read_bytes() == history.image(txid)
    restored(history.replica, tmp_path / "latest.db", Latest())
    assert (tmp_path / "latest.db").read_bytes() == history.image(8)
    restored(history.replica, tmp_path / "before.db", Before(history.time_ms(6)))
    assert (tmp_path / "before.db").read_bytes() == history.image(5)


def test_a_txid_inside_a_compacted_object_is_refused_with_its_neighbours(tmp_path: Path, history: History) -> None:
    with pytest.raises(NotAvailable, match=r"-txid 0000000000000003$"):
        restored(history.replica, tmp_path / "out.db", AtTxid(2))


def test_the_lock_page_stays_zeros(tmp_path: Path) -> None:
    size, lock = 65536, lock_page(65536)
    history = History(FolderReplica(tmp_path / "replica", "file"), size)
    pages = [bytes([number % 251]) * size for number in range(251)]
    state = [pages[number % 251] for number in range(1, lock + 3)]
    state[lock - 1] = bytes(size)
    history.commit(state)
    history.store(9, 1, 1)
    out = tmp_path / "out.db"
    assert restored(history.replica, out).proven
    assert out.stat().st_size == (lock + 2) * size
    with out.open("rb") as file:
        file.seek((lock - 2) * size)
        assert [file.read(size) for _ in range(4)] == state[lock - 2 : lock + 2]


@pytest.mark.parametrize("proven", [True, False])
def test_what_proves_the_result(tmp_path: Path, proven: bool) -> None:
    history = sqlite_history(tmp_path, tmp_path / "replica", proven=proven)
    done = restored(history.replica, tmp_path / "out.db")
    assert (done.proven, done.integrity) == ((True, Integrity.NONE) if proven else (False, Integrity.FULL))


def test_the_proof_of_the_newest_object_covers_what_another_program_wrote(tmp_path: Path) -> None:
    history = sqlite_history(tmp_path, tmp_path / "replica", proven=False)
    history.commit([*history.states[8][:-1], bytes(PAGE)])
    history.store(0, 9, 9, proven=True)
    assert restored(history.replica, tmp_path / "out.db").proven
    assert (tmp_path / "out.db").read_bytes() == history.image(9)


def test_an_unproven_newest_object_means_that_every_object_is_read(tmp_path: Path, history: History) -> None:
    history.commit(history.states[7])
    history.store(0, 9, 9, proven=False)
    assert not restored(history.replica, tmp_path / "good.db").proven
    name = object_path(tmp_path / "replica", ObjectName(9, 1, 3))
    damage(name, flip(-1))
    with pytest.raises(DamagedData, match=r"9/0000000000000001-0000000000000003\.ltx: the file checksum is wrong"):
        restored(history.replica, tmp_path / "bad.db")


def test_superseded_pages_are_not_even_looked_at(tmp_path: Path) -> None:
    history = History(FolderReplica(tmp_path / "replica", "file"))
    history.commit([bytes([n]) * PAGE for n in range(1, 9)])
    history.store(9, 1, 1)
    history.commit([b"\xee" * PAGE, *history.states[1][1:]])
    history.store(0, 2, 2)
    damage(object_path(tmp_path / "replica", ObjectName(9, 1, 1)), flip(112))
    with pytest.raises(DamagedData):
        restored(history.replica, tmp_path / "one.db", AtTxid(1), integrity=Integrity.NONE)
    restored(history.replica, tmp_path / "two.db", AtTxid(2), integrity=Integrity.NONE)
    assert (tmp_path / "two.db").read_bytes() == history.image(2)


@pytest.mark.parametrize("name", [ObjectName(1, 1, 4), ObjectName(0, 6, 6), ObjectName(0, 8, 8)])
def test_a_damaged_page_is_blamed_on_its_object(tmp_path: Path, history: History, name: ObjectName) -> None:
    path = object_path(tmp_path / "replica", name)

    def overwrite(body: bytearray) -> None:
        """Nearly all frames, so that one that counts is among them; the index stays."""
        body[130:-250] = bytes(len(body) - 380)

    damage(path, overwrite)
    (tmp_path / "home").mkdir()
    with pytest.raises(DamagedData, match=str(name).replace(".", r"\.")):
        restored(history.replica, tmp_path / "home" / "out.db")
    assert left_in(tmp_path / "home") == set()


def test_sound_objects_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    history = History(FolderReplica(tmp_path / "replica", "file"))
    history.commit([b"a" * PAGE, b"b" * PAGE])
    history.store(9, 1, 1, proven=False)
    header = Header(PAGE, 2, 2, 2, 1, wal_offset=32, proof=Proof(1 << 63, 1 << 63 | 12345))
    history.replica.create(ObjectName(0, 2, 2), [encode(header, [(2, b"c" * PAGE)])], 1)
    with pytest.raises(DamagedData, match="together they do not give the database"):
        restored(history.replica, tmp_path / "out.db")


def test_proofs_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    history = History(FolderReplica(tmp_path / "replica", "file"))
    history.commit([b"a" * PAGE, b"b" * PAGE])
    history.store(9, 1, 1)
    history.commit([b"a" * PAGE, b"c" * PAGE])
    after = history.header(ObjectName(0, 2, 2), True).proof
    assert after
    header = Header(PAGE, 2, 2, 2, 1, wal_offset=32, proof=Proof(1 << 63 | 99, after.after))
    history.replica.create(ObjectName(0, 2, 2), [encode(header, [(2, b"c" * PAGE)])], 1)
    with pytest.raises(DamagedData, match="before and after TXID 0000000000000001 disagree"):
        restored(history.replica, tmp_path / "out.db")


def test_pages_that_are_nowhere_are_missed(tmp_path: Path) -> None:
    replica = FolderReplica(tmp_path / "replica", "file")
    replica.create(ObjectName(0, 1, 1), [encode(Header(PAGE, 1, 1, 1, 1), [(1, bytes(PAGE))])], 1)
    replica.create(ObjectName(0, 2, 2), [encode(Header(PAGE, 4, 2, 2, 1, wal_offset=32), [(3, bytes(PAGE))])], 2)
    with pytest.raises(DamagedData, match=r"2 of 4 pages are in no object \(the first is 2\)"):
        restored(replica, tmp_path / "out.db", integrity=Integrity.NONE)


def test_an_object_whose_header_is_not_what_its_name_says(tmp_path: Path, history: History) -> None:
    body = object_path(tmp_path / "replica", ObjectName(0, 8, 8)).read_bytes()
    history.replica.create(ObjectName(0, 9, 9), [body], 9)
    with pytest.raises(DamagedData, match="do not continue"):
        restored(history.replica, tmp_path / "out.db")


def test_another_page_size_in_the_chain_is_refused(tmp_path: Path) -> None:
    replica = FolderReplica(tmp_path / "replica", "file")
    replica.create(ObjectName(9, 1, 1), [encode(Header(1024, 1, 1, 1, 1), [(1, bytes(1024))])], 1)
    replica.create(ObjectName(0, 2, 2), [encode(Header(512, 1, 2, 2, 1, wal_offset=32), [(1, bytes(512))])], 2)
    with pytest.raises(DamagedData, match="pages of 512 bytes"):
        restored(replica, tmp_path / "out.db", integrity=Integrity.NONE)


@pytest.mark.parametrize("size", [0, 1, 99, 100, 139, 200])
def test_cut_objects_are_damaged(tmp_path: Path, history: History, size: int) -> None:
    os.truncate(object_path(tmp_path / "replica", ObjectName(0, 7, 7)), size)
    with pytest.raises(DamagedData, match="0/0000000000000007"):
        restored(history.replica, tmp_path / "out.db")


@pytest.mark.parametrize("proven", [True, False])
def test_a_damaged_size_does_not_ask_for_the_whole_memory(tmp_path: Path, proven: bool) -> None:
    history = sqlite_history(tmp_path, tmp_path / "replica", proven=proven)
    name = ObjectName(0, 8, 8)
    damage(object_path(tmp_path / "replica", name), flip(12, 0x40))
    with pytest.raises(DamagedData, match=str(name).replace(".", r"\.")):
        restored(history.replica, tmp_path / "out.db")
    body = encode(Header(PAGE, 1 << 31, 8, 8, 1, wal_offset=32), [(1, bytes(PAGE))])
    object_path(tmp_path / "replica", name).write_bytes(body)
    with pytest.raises(DamagedData, match="cannot hold a database of 2147483648 pages"):
        restored(history.replica, tmp_path / "out.db")
