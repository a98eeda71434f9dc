"""The user's database is the user's: the same statements leave the same bytes, with and without the daemon.

Two copies of one database and its -wal (so that even the WAL's random salts agree) see the same statements, one
alone, one guarded by the daemon. No checkpoint is due in this time. File, schema and -wal must be bit-identical.
"""

import shutil
from pathlib import Path

import pytest

from tests.support import images
from tests.support.habits import EVERYDAY, NEW, STOCK, Habits
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator
from tests.support.workload import create_database, write

DEEDS = (*EVERYDAY, "incremental_vacuum", "schema", "vacuum")


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def left_open(path: Path, habits: Habits, page_size: int) -> None:
    """A database whose application died: part of it in the file, part in the WAL."""
    create_database(path, page_size, auto_vacuum=2)
    write(path, path.with_name("log"), habits, seed=1, transactions=15)
    write(path, path.with_name("log"), habits, seed=2, transactions=10, writer=1, close=False)


@pytest.mark.parametrize("library", [STOCK, NEW])
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_file_and_wal_are_bit_identical(page_size: int, library: str, tmp_path: Path) -> None:
    habits = Habits(library=library, autocheckpoint=0, cache_pages=20, bulk_rows=60, deeds=DEEDS)
    alone, guarded = tmp_path / "alone" / "app.db", tmp_path / "guarded" / "app.db"
    alone.parent.mkdir()
    left_open(alone, habits, page_size)
    guarded.parent.mkdir()
    for name in ("app.db", "app.db-wal"):
        shutil.copyfile(alone.with_name(name), guarded.with_name(name))
    assert wal_of(alone).stat().st_size > 0

    options = {"min-checkpoint-page-count": 1_000_000, "checkpoint-interval": "1h"}
    protected = Protected(guarded, (tmp_path / "replica",), options)
    write(alone, tmp_path / "log", habits, seed=3, transactions=60, writer=2, close=False)
    with Replicator(OURS, tmp_path, [protected], {"sync-interval": "10ms"}) as daemon:
        daemon.start().wait_head(1)
        write(guarded, tmp_path / "log", habits, seed=3, transactions=60, writer=2, close=False)
        daemon.wait_head(3)
        daemon.stop_clean()

    assert guarded.read_bytes() == alone.read_bytes()
    assert wal_of(guarded).read_bytes() == wal_of(alone).read_bytes()
    one, other = (images.recovered_image(path, tmp_path / "recovered") for path in (alone, guarded))
    assert one == other


def test_nothing_is_left_beside_the_database_but_its_own_state(tmp_path: Path) -> None:
    path = tmp_path / "data" / "app.db"
    path.parent.mkdir()
    create_database(path)
    with Replicator(OURS, tmp_path, [Protected(path, (tmp_path / "replica",))]) as daemon:
        daemon.start().wait_head(1)
        daemon.stop_clean()
    beside = {each.name for each in path.parent.iterdir()}
    assert beside <= {"app.db", "app.db-wal", "app.db-shm", ".app.db-litestreamd"}
    images.checkpoint(path)
    assert images.schema_names(path) == {"acks", "t0", "t1", "t2"}
