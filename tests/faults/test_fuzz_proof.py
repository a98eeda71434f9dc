"""The proof can fail: a replica that lacks a commit, or holds other bytes, is found out.

A fuzz that never fails is only worth something if it would.
"""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.fuzz_plan import crash_plan
from tests.faults.fuzz_proof import Proof, RoundFailed, RoundResult
from tests.support import folder_listing, images
from tests.support.habits import Habits
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator
from tests.support.workload import create_database, write


class Replicated:
    """A database whose every commit is on its replica, and the proof of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path, self.root, self.log = folder / "app.db", folder / "replica", folder / "acknowledged"
        create_database(self.path, 1024)
        with Replicator(OURS, folder, [Protected(self.path, (self.root,))], {"sync-interval": "10ms"}) as daemon:
            daemon.start().wait_head(1)
            for seed in range(3):
                head = folder_listing.head(self.root)
                write(self.path, self.log, Habits(autocheckpoint=0), seed, 3, writer=seed, close=False)
                daemon.wait_head(head + 1)
            daemon.stop_clean()

    def prove(self) -> RoundResult:
        result = RoundResult()
        proof = Proof(crash_plan("none", 1, seed=1), OURS, self.path, self.log, random.Random(1))
        proof.prove(images.live_image(self.path), (self.root,), result)
        return result


def test_a_good_replica_passes(tmp_path: Path) -> None:
    result = Replicated(tmp_path).prove()
    assert result.commits > 3
    assert result.restored == 3


def test_a_missing_last_object_is_found(tmp_path: Path) -> None:
    replicated = Replicated(tmp_path)
    folder_listing.objects(replicated.root, (0,))[-1].path.unlink()
    with pytest.raises(RoundFailed, match="differ"):
        replicated.prove()


def test_a_commit_after_the_last_sync_is_found(tmp_path: Path) -> None:
    replicated = Replicated(tmp_path)
    with closing(sqlite3.connect(replicated.path, isolation_level=None)) as db:
        db.execute("INSERT INTO acks VALUES(77, 1)")
    with pytest.raises(RoundFailed, match="differ"):
        replicated.prove()


def test_an_acknowledged_commit_that_is_nowhere_is_found(tmp_path: Path) -> None:
    replicated = Replicated(tmp_path)
    with replicated.log.open("a") as log:
        log.write("78 1\n")
    with pytest.raises(RoundFailed, match="1 acknowledged commits lost"):
        replicated.prove()


def test_a_foreign_table_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "with-foreign"
    folder.mkdir()
    replicated = Replicated(folder)
    with closing(sqlite3.connect(replicated.path, isolation_level=None)) as db:
        db.execute("CREATE TABLE _ours(x)")
    with pytest.raises(RoundFailed, match="foreign"):
        replicated.prove()
