"""The user's database is the user's: the same statements leave the same bytes, with and without the daemon.

Two copies of one database see the same statements, one alone, one guarded by the daemon. Afterwards the files, and
every frame of the -wal but for SQLite's random salts, are bit-identical.
"""

import shutil
import sqlite3
import struct
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import images
from tests.support.habits import EVERYDAY, NEW, STOCK, Habits
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator
from tests.support.workload import create_database, write

DEEDS = (*EVERYDAY, "incremental_vacuum", "schema", "vacuum")
WAL_HEADER, FRAME_HEADER = 32, 24


@dataclass(frozen=True)
class Frame:
    """A WAL frame without what is random: salts, and checksums that depend on them."""

    page: int
    commit: int
    image: bytes


def frames(path: Path, page_size: int) -> list[Frame]:
    """All frames in the -wal, valid or left over (SQLite file format, section 4.1)."""
    data = path.with_name(path.name + "-wal").read_bytes()[WAL_HEADER:]
    step = FRAME_HEADER + page_size
    assert len(data) % step == 0
    return [
        Frame(*struct.unpack_from(">II", data, at), data[at + FRAME_HEADER : at + step])
        for at in range(0, len(data), step)
    ]


class Case:
    """One copy of the database, with a reader that stands on an empty WAL: while it does, no checkpoint can do
    anything, neither the daemon's nor one of SQLite's. So the daemon's timing is no part of the comparison."""

    def __init__(self, folder: Path, origin: Path) -> None:
        folder.mkdir()
        self.path = folder / "app.db"
        shutil.copyfile(origin, self.path)
        self.reader = sqlite3.connect(self.path, isolation_level=None)
        self.reader.execute("BEGIN")
        self.reader.execute("SELECT count(*) FROM t0").fetchone()

    def work(self, habits: Habits) -> None:
        write(self.path, self.path.with_name("log"), habits, seed=3, transactions=60, writer=2, close=False)


@pytest.mark.parametrize("library", [STOCK, NEW])
@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_file_and_wal_are_bit_identical(page_size: int, library: str, tmp_path: Path) -> None:
    habits = Habits(library=library, autocheckpoint=0, cache_pages=20, bulk_rows=60, deeds=DEEDS)
    origin = tmp_path / "origin.db"
    create_database(origin, page_size, auto_vacuum=2)
    write(origin, tmp_path / "log", habits, seed=1, transactions=15)

    alone = Case(tmp_path / "alone", origin)
    alone.work(habits)
    guarded = Case(tmp_path / "guarded", origin)
    protected = Protected(guarded.path, (tmp_path / "replica",))
    with Replicator(OURS, tmp_path, [protected], {"sync-interval": "10ms"}) as daemon:
        daemon.start().wait_head(1)
        guarded.work(habits)
        daemon.wait_head(3)
        daemon.stop_clean()

    assert len(frames(alone.path, page_size)) > 50
    assert frames(guarded.path, page_size) == frames(alone.path, page_size)
    assert guarded.path.read_bytes() == alone.path.read_bytes() == origin.read_bytes()
    for case in (alone, guarded):
        case.reader.close()
        images.checkpoint(case.path)
    assert guarded.path.read_bytes() == alone.path.read_bytes()


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
