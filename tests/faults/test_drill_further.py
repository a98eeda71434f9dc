"""The drill that goes on from the last one: never less of a proof than one that restores everything.

Commits, merges, images and damages in any order; after each, the drill from the kept copy and the full one say the
same.
"""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from litestreamd.basics.errors import DamagedData
from litestreamd.database.kept_copy import KeptCopy
from litestreamd.database.manifest import Manifest
from litestreamd.jobs.drill import Ground, Outcome, drill
from litestreamd.jobs.drill_further import Followed
from litestreamd.jobs.verify import Checks
from litestreamd.plan.restore import Latest, plan_restore
from litestreamd.plan.rules import Rules
from litestreamd.replica.build import build_replica
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Replica, ReplicaSpec, StoredObject
from litestreamd.replica.s3.settings import S3Settings, StaticKeys
from tests.support.driving import Drive
from tests.support.live import App
from tests.support.s3_servers import shared

RULES = Rules(
    levels_s=(2.0, 8.0), l0_retention_s=6.0, l0_check_s=1.0, snapshot_interval_s=30.0, snapshot_retention_s=60.0
)
ROUNDS = 60


@dataclass
class Scene:
    folder: Path

    def __post_init__(self) -> None:
        self.path, self.root, self.state = self.folder / "app.db", self.folder / "r0", self.folder / "state"
        self.root.mkdir()

    def drilled(self, full: bool, replica: Replica | None = None) -> Outcome:
        ground = Ground(self.path, self.state, self.state, compare_live=False, full=full)
        return drill(replica or FolderReplica(self.root, "r0"), ground, Checks(), lambda event: None)

    @property
    def kept(self) -> Path:
        return self.state / "drill/r0.db"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def used_copy(outcome: Outcome) -> bool:
    return outcome.verified is not None and isinstance(outcome.verified.filled, Followed)


def test_it_says_what_a_full_drill_says(scene: Scene) -> None:
    seed = random.randrange(1 << 32)
    chance, used, damaged = random.Random(seed), 0, 0
    with App(scene.path) as app:
        app.run("PRAGMA journal_mode=WAL")
        app.write("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        daemon = Drive(scene.path, scene.root, state=scene.state, rules=RULES).settle()
        for number in range(ROUNDS):
            for _ in range(chance.randrange(4)):
                app.write(f"INSERT INTO t(b) VALUES (randomblob({chance.randrange(1, 20000)}))")
                if chance.random() < 0.2:
                    app.write("DELETE FROM t WHERE a % 3 = 0")
                daemon.event().elapse(chance.choice([0.2, 1.0, 5.0]))
            outcome = scene.drilled(full=False)
            told = f"seed {seed}, round {number}: {outcome.error}"
            assert outcome.error is None, told
            used += used_copy(outcome)
            assert outcome.txid == daemon.replication.lines[0].cursor, told
            if chance.random() < 0.3:
                damaged += 1
                compare_verdicts_of_damage(scene, chance, told)
        app.close()
        daemon.stop()
    assert used >= ROUNDS // 2
    assert damaged >= ROUNDS // 10


def compare_verdicts_of_damage(scene: Scene, chance: random.Random, told: str) -> None:
    """To an object of the newest plan; it is put right again, and so is the copy."""
    steps = plan_restore(tuple(FolderReplica(scene.root, "r0").list()), Latest()).steps
    name = chance.choice(steps).name
    path = scene.root / "ltx" / str(name.level) / name.file_name
    body, status = path.read_bytes(), path.stat()
    copy = scene.folder / "copy"
    shutil.copytree(scene.state / "drill", copy)
    rotten = bytearray(body)
    rotten[chance.randrange(len(rotten))] ^= 1 << chance.randrange(8)
    path.write_bytes(rotten)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    further, full = scene.drilled(full=False), scene.drilled(full=True)
    path.write_bytes(body)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert isinstance(full.error, DamagedData), told
    assert isinstance(further.error, DamagedData), f"{told}: {name}"
    assert str(name) in str(further.error), told
    shutil.rmtree(scene.state / "drill")
    copy.rename(scene.state / "drill")


def begun(scene: Scene) -> None:
    with App(scene.path) as app:
        app.run("PRAGMA journal_mode=WAL")
        app.write("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", "INSERT INTO t(b) VALUES (zeroblob(50000))")
        daemon = Drive(scene.path, scene.root, state=scene.state, rules=RULES).settle()
        app.close()
        daemon.stop()
    assert not used_copy(scene.drilled(full=False))
    assert scene.kept.exists()


@pytest.mark.parametrize("what", ["a byte", "cut", "longer", "note", "root", "gone"])
def test_a_copy_that_is_not_what_it_was_is_no_help(scene: Scene, what: str) -> None:
    begun(scene)
    note = scene.kept.with_suffix(".json")
    if what == "a byte":
        with scene.kept.open("r+b") as file:
            file.seek(9000)
            file.write(b"x")
    elif what == "cut":
        os.truncate(scene.kept, 4096)
    elif what == "longer":
        os.truncate(scene.kept, scene.kept.stat().st_size + 4096)
    elif what == "note":
        note.write_text("{")
    elif what == "root":
        note.write_text(json.dumps(json.loads(note.read_text()) | {"root": "file:///elsewhere"}))
    else:
        scene.kept.unlink()
    outcome = scene.drilled(full=False)
    assert outcome.error is None
    assert not used_copy(outcome)
    assert used_copy(scene.drilled(full=False)), "the full one left a good copy"


def test_full_means_full_and_little_room_keeps_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    begun(scene)
    assert used_copy(scene.drilled(full=False))
    assert not used_copy(scene.drilled(full=True))
    monkeypatch.setattr(KeptCopy, "has_room", lambda self, size: False)
    assert scene.drilled(full=False).error is None
    assert list((scene.state / "drill").iterdir()) == []


class BusyFolder(FolderReplica):
    """Somebody works on it right after it was listed."""

    then: Callable[[], object] | None = None

    def list(self) -> Iterator[StoredObject]:
        listed, then = tuple(super().list()), self.then
        self.then = None
        if then is not None:
            then()
        return iter(listed)


@pytest.mark.parametrize("full", [False, True])
def test_what_the_daemon_creates_after_the_listing_is_not_missing(scene: Scene, full: bool) -> None:
    begun(scene)
    replica = BusyFolder(scene.root, "r0")
    manifest = Manifest(scene.state / "replicas", "r0", replica.description)
    with App(scene.path) as app:
        daemon = Drive(scene.path, scene.root, state=scene.state, rules=RULES).settle()

        def commit() -> None:
            app.write("INSERT INTO t(b) VALUES (2)")
            daemon.event()

        replica.then, before = commit, manifest.load()
        ground = Ground(scene.path, scene.state, scene.state, compare_live=False, full=full)
        outcome = drill(replica, ground, Checks(manifest=manifest.load), lambda event: None)
        after = manifest.load()
        app.close()
        daemon.stop()
    assert before is not None and after is not None and len(after.objects) > len(before.objects)
    assert outcome.error is None
    assert used_copy(outcome) is not full


def test_what_a_bucket_has_proven_is_not_fetched_again(scene: Scene) -> None:
    server = shared("ministack")
    access = server.access
    place = S3Settings(
        bucket=server.make_bucket(), path="app", endpoint=access.endpoint, region="us-east-1", force_path_style=True,
        keys=StaticKeys(access.access_key, access.secret_key),
    )  # fmt: skip
    spec = ReplicaSpec("r0", place)
    with App(scene.path) as app:
        app.run("PRAGMA journal_mode=WAL")
        app.write("CREATE TABLE t(a INTEGER PRIMARY KEY, b)", "INSERT INTO t(b) VALUES (randomblob(900000))")
        daemon = Drive(scene.path, scene.root, state=scene.state, rules=RULES, replicas=[build_replica(spec)]).settle()
        first = build_replica(spec)
        assert scene.drilled(full=False, replica=first).error is None
        app.write("INSERT INTO t(b) VALUES (1)")
        daemon.event().elapse(3.0)
        second = build_replica(spec)
        outcome = scene.drilled(full=False, replica=second)
        app.close()
        daemon.stop()
    assert outcome.error is None and used_copy(outcome)
    assert second.requests["get_object"] < first.requests["get_object"], (first.requests, second.requests)
    assert outcome.verified is not None and isinstance(outcome.verified.filled, Followed)
    assert outcome.verified.filled.fetched <= 2
