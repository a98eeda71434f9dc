"""What SQLite is asked about a restored database, and what its answers lead to."""

from pathlib import Path

import apsw
import pytest

from litestreamd.basics.errors import DamagedData
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Integrity
from litestreamd.jobs.restore_events import IntegrityUnknown
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.histories import History, split, sqlite_history
from tests.support.restoring import left_in, restored

PAGE = 512


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica")


@pytest.fixture
def unsound(tmp_path: Path) -> History:
    """Objects that are in order, around a database that is not."""
    history = History(FolderReplica(tmp_path / "replica", "file"), proven=False)
    states = sqlite_history(tmp_path, tmp_path / "other").states
    pages = list(states[8])
    pages[2] = b"\xff" * PAGE
    history.commit(pages)
    history.store(9, 1, 1)
    return history


@pytest.mark.parametrize("asked", [Integrity.AUTO, Integrity.QUICK, Integrity.FULL])
def test_an_unsound_database_is_refused(tmp_path: Path, unsound: History, asked: Integrity) -> None:
    (tmp_path / "home").mkdir()
    with pytest.raises(DamagedData, match=r"_check: .*-integrity-check none"):
        restored(unsound.replica, tmp_path / "home" / "out.db", integrity=asked)
    assert left_in(tmp_path / "home") == set()


def test_an_unsound_database_can_be_had_all_the_same(tmp_path: Path, unsound: History) -> None:
    assert restored(unsound.replica, tmp_path / "out.db", integrity=Integrity.NONE).integrity is Integrity.NONE
    assert (tmp_path / "out.db").read_bytes() == unsound.image(1)


@pytest.mark.parametrize("asked", [Integrity.QUICK, Integrity.FULL])
def test_a_proven_database_is_checked_when_that_is_asked(tmp_path: Path, history: History, asked: Integrity) -> None:
    done = restored(history.replica, tmp_path / "out.db", integrity=asked)
    assert (done.proven, done.integrity) == (True, asked)


def test_a_collation_that_sqlite_does_not_know_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "model.db"
    connection = apsw.Connection(str(path))
    # The older name is the one that every apsw since 3.40 has.
    connection.createcollation("house", lambda one, two: (one > two) - (one < two))
    connection.cursor().execute("CREATE TABLE t(a TEXT COLLATE house PRIMARY KEY); INSERT INTO t VALUES ('x')")
    connection.close()
    history = History(FolderReplica(tmp_path / "replica", "file"), 4096, proven=False)
    history.commit(split(path.read_bytes(), 4096))
    history.store(9, 1, 1)
    events: list[Event] = []
    restored(history.replica, tmp_path / "out.db", events=events)
    assert [event.why for event in events if isinstance(event, IntegrityUnknown)]
    assert (tmp_path / "out.db").read_bytes() == history.image(1)
