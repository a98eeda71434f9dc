"""A replica that the real Litestream 0.3.13 wrote, and everything it can restore from it.

In: a scene. Out: generations with snapshots, WAL restarts and VACUUMs; every way of asking for a state; what 0.3.13
gives for it. Promised: each generation was really begun, and has several WAL indexes and more than one snapshot.
"""

import hashlib
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from litestreamd.basics.clock import format_time_ns
from litestreamd.jobs.restore_choice import Wish
from litestreamd.plan.generations import Generation, generations
from litestreamd.plan.restore import Before, Latest
from litestreamd.plan.restore_v3 import TargetV3
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.programs import EXIT_OK, LITESTREAM_3, demand, environment
from tests.support.replicator import Protected, Replicator
from tests.support.scene import Scene

OFTEN = {"monitor-interval": "10ms", "checkpoint-interval": "200ms", "min-checkpoint-page-count": 20}
EAGER = {"sync-interval": "10ms", "snapshot-interval": "300ms", "retention": "1h"}


def found(root: Path) -> list[Generation]:
    """The generations on a root, the least fresh one first."""
    return generations(FolderReplica(root, "file").list_v3())


def litestream_3(scene: Scene, **replica_options: object) -> Replicator:
    """0.3.13 on the scene's database and root."""
    demand(LITESTREAM_3)
    return Replicator(
        LITESTREAM_3, scene.folder, [Protected(scene.path, (scene.root,), OFTEN)], {**EAGER, **replica_options}
    )


def write_generation(scene: Scene, **replica_options: object) -> str:
    """A new generation, with all of the scene's liveliness; out: its name."""
    before = {each.name for each in found(scene.root)}
    shutil.rmtree(scene.path.with_name(f".{scene.path.name}-litestream"), ignore_errors=True)
    with litestream_3(scene, **replica_options) as running:
        running.start()
        for _ in range(30):
            scene.work()
            rich = [each for each in found(scene.root) if each.name not in before and _is_rich(each)]
            if rich:
                break
        stop(running)
    assert rich, running.log
    return rich[0].name


def _is_rich(each: Generation) -> bool:
    return len(each.snapshots) > 1 and each.parts[-1].index > 2


def stop(running: Replicator) -> None:
    """An orderly end with everything sent. Its last checkpoint may fail, and what it did before is then not sure: it is
    started again, and goes on where it was."""
    for _ in range(10):
        if running.stop() == EXIT_OK:
            return
        running.start()
    running.stop_clean()


def wishes(root: Path, seed: int, times: int) -> Iterator[tuple[Wish, list[str]]]:
    """Ways to ask for a state, and the same as options: all kinds, so many times (some that are not there)."""
    chance = random.Random(seed)
    yield Latest(), []
    moments = []
    for generation in found(root):
        named = ["-generation", generation.name]
        yield TargetV3(generation.name), named
        last = generation.parts[-1].index
        for index in {0, 1, last // 2, last, last + 9}:
            yield TargetV3(generation.name, index), [*named, "-index", f"{index:08x}"]
        own = [part.created_ns for part in generation.parts]
        moments += own
        moment = chance.choice(own)
        yield TargetV3(generation.name, until_ns=moment), [*named, "-timestamp", format_time_ns(moment)]
    yield TargetV3(index=1), ["-index", "00000001"]
    for moment in (min(moments) - 1, max(moments) + 1, *chance.sample(moments, times)):
        for ns in (moment, moment - 1):
            yield Before(ns / 1_000_000, ns), ["-timestamp", format_time_ns(ns)]


DAMAGED = "damaged"
"""A state that is in itself unsound: 0.3 may store a snapshot before the WAL that it stands on."""


def restored_by_3(root: Path, out: Path, options: list[str]) -> str | None:
    """The sha256 of what 0.3.13 restores, None when it says that there is no such thing, DAMAGED when what it restores
    is no sound database, or it cannot (which it only notices when a page of the schema is hit)."""
    command = [*LITESTREAM_3.start, "restore", "-o", str(out), *options, f"file://{root}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    if done.returncode != EXIT_OK:
        said = done.stdout + done.stderr
        if "malformed" in said:
            return DAMAGED
        assert "no matching backups" in said or "no snapshots available" in said, said
        return None
    with closing(sqlite3.connect(f"file:{out}?immutable=1", uri=True)) as db:
        try:
            sound = db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        except sqlite3.DatabaseError:
            sound = False
    return sha256(out) if sound else DAMAGED


def sha256(path: Path) -> str:
    """Of a whole file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
