"""SIGTERM at any moment: it ends the daemon, and exit 0 promises what was committed before it.

Even in the first milliseconds, when the database has not been opened yet or a replica not been listed.
"""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tests.support import images
from tests.support.habits import NEW, Habits
from tests.support.programs import OURS, restore
from tests.support.replicator import Protected, Replicator
from tests.support.workload import Writers, acknowledged, create_database

STOPS = 25
SOON_S = 0.03
HANG_S = 20.0
WITNESS = 1000


def test_an_early_end_is_a_complete_one(tmp_path: Path) -> None:
    chance = random.Random(4)
    path, root = tmp_path / "app.db", tmp_path / "replica"
    create_database(path)
    with (
        Replicator(OURS, tmp_path, [Protected(path, (root,))]) as daemon,
        Writers(path, tmp_path / "log", seed=1) as writers,
        closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db,
    ):
        writers.start(Habits(pause_ms=1))
        for number in range(1, STOPS + 1):
            daemon.start()
            time.sleep(chance.random() * SOON_S)
            db.execute("INSERT INTO acks VALUES(?, ?)", (WITNESS, number))
            daemon.stop_clean(HANG_S)
            restored = restore(OURS, root, tmp_path / f"restored-{number}.db")
            assert number in images.acknowledged_in(restored)[WITNESS]
            restored.unlink()


def test_without_a_database_there_is_nothing_to_promise(tmp_path: Path) -> None:
    protected = Protected(tmp_path / "missing.db", (tmp_path / "replica",))
    with Replicator(OURS, tmp_path, [protected]) as daemon:
        daemon.start()
        daemon.stop_clean(HANG_S)
    assert not (tmp_path / "missing.db").exists()


def test_an_application_at_full_speed_does_not_keep_it_from_ending(tmp_path: Path) -> None:
    """It may write faster than small files can be made; what it was told before the signal is all that counts."""
    path, root, log = tmp_path / "app.db", tmp_path / "replica", tmp_path / "log"
    create_database(path)
    protected = Protected(path, (root,), {"max-sync-wal-bytes": 65536})
    with Replicator(OURS, tmp_path, [protected]) as daemon, Writers(path, log, seed=1) as writers:
        for _ in range(2):
            writers.start(Habits(library=NEW, cache_pages=10, deeds=("bulk", "update"), bulk_rows=50))
        daemon.start().wait_head(3)
        promised = acknowledged(log)
        daemon.stop_clean(HANG_S)
        restored = images.acknowledged_in(restore(OURS, root, tmp_path / "restored.db"))
    for writer, numbers in promised.items():
        assert numbers <= restored[writer]
