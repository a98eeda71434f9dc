"""Objects of a replica that rot, are cut short, or vanish: found every time, and healed by the daemon.

A hundred damages to a history with every level, one after another. `verify -all` names each; `verify` each that is in
the newest state's plan. What verification has found the daemon heals with a new image, and names the restore points
that went.
"""

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from litestreamd.cli.main import main
from litestreamd.database.manifest import Manifest
from litestreamd.database.state_paths import state_directory
from litestreamd.jobs.events import Healed, ObjectDamaged
from litestreamd.plan.restore import Latest, plan_restore
from litestreamd.plan.rules import Rules
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.writers import Writer, close_epoch, open_epoch
from tests.support.driving import Drive, image_of
from tests.support.live import App

RULES = Rules(
    levels_s=(8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 384.0, 512.0),
    l0_retention_s=100.0,
    l0_check_s=1.0,
    snapshot_interval_s=300.0,
    snapshot_retention_s=1e6,
)
DAMAGES = 120
HEALED = 24
KINDS = ("bit", "cut", "gone")


@dataclass
class Scene:
    """A database and its replica, with nobody at work on them."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "app.db"

    @property
    def root(self) -> Path:
        return self.folder / "r0"

    @property
    def state(self) -> Path:
        return state_directory(self.database, self.folder / "meta", None)

    def daemon(self) -> Drive:
        return Drive(self.database, self.root, state=self.state, rules=RULES)

    def objects(self) -> list[Path]:
        return sorted(self.root.glob("ltx/*/*.ltx"))

    def plan(self) -> set[str]:
        replica = FolderReplica(self.root, "r0")
        return {str(step.name) for step in plan_restore(tuple(replica.list()), Latest()).steps}

    def verify(self, *options: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
        """Exit code, and the objects that are named."""
        capsys.readouterr()
        code = main(
            ["verify", "-json", "-no-live", *options, "-config", str(self.folder / "c.yml"), str(self.database)]
        )
        (told,) = json.loads(capsys.readouterr().out)
        return code, [damage["name"] for damage in told["damaged"]]


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """Half an hour of a database's life, with the clock of the test."""
    scene = Scene(tmp_path_factory.mktemp("damage"))
    scene.root.mkdir()
    (scene.folder / "meta").mkdir()
    entry = f"path: {scene.database}, meta-path: {scene.folder}/meta, replica: {{name: r0, path: {scene.root}}}"
    (scene.folder / "c.yml").write_text(f"dbs: [{{{entry}}}]\n")
    with App(scene.database) as app:
        app.run("PRAGMA journal_mode=WAL")
        app.write("CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
        daemon = scene.daemon().settle()
        for number in range(180):
            app.write(f"INSERT INTO t(b) SELECT randomblob(400) FROM (VALUES (1),(2),({number}))")
            daemon.event().elapse(8.0)
        app.close()
        daemon.event().elapse(8.0)
        daemon.stop()
    assert "".join(sorted({path.parent.name for path in scene.objects()})) == "0123456789"
    return scene


@pytest.fixture
def scene(pristine: Scene) -> Iterator[Scene]:
    """As it was, whatever a test does to it: paths are in state and configuration."""
    copy = pristine.folder.with_name(pristine.folder.name + "-copy")
    shutil.copytree(pristine.folder, copy)
    yield pristine
    shutil.rmtree(pristine.folder)
    copy.rename(pristine.folder)


def damage(path: Path, kind: str, chance: random.Random) -> None:
    """Without a trace in size or time, where that is possible."""
    body, status = bytearray(path.read_bytes()), path.stat()
    if kind == "gone":
        path.unlink()
        return
    if kind == "cut":
        del body[chance.randrange(len(body)) :]
    else:
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    path.write_bytes(body)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def drawn(scene: Scene, count: int, chance: random.Random) -> list[tuple[Path, str]]:
    """Every level, every kind, and objects of the newest plan as often as others."""
    levels = sorted({path.parent.name for path in scene.objects()})
    plan = scene.plan()
    found = []
    for number in range(count):
        level = levels[number % len(levels)]
        objects = [path for path in scene.objects() if path.parent.name == level]
        wanted = [path for path in objects if name_of(path) in plan]
        chosen = chance.choice(wanted if wanted and number % 2 else objects)
        found.append((chosen, KINDS[(number // len(levels)) % len(KINDS)]))
    return found


def test_every_damage_is_found(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    assert scene.verify("-all", capsys=capsys) == (0, [])
    plan, in_plan = scene.plan(), 0
    for path, kind in drawn(scene, DAMAGES, chance):
        body, status = path.read_bytes(), path.stat()
        damage(path, kind, chance)
        told = f"seed {seed}: {kind} of {name_of(path)}"
        code, named = scene.verify("-all", capsys=capsys)
        assert (code, named) == (65, [name_of(path)]), told
        if name_of(path) in plan:
            in_plan += 1
            code, named = scene.verify(capsys=capsys)
            assert code == 65, told
            assert name_of(path) in named, told
        path.write_bytes(body)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert in_plan >= DAMAGES // 4
    assert scene.verify("-all", capsys=capsys) == (0, [])


def test_what_was_found_is_healed(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for number in range(HEALED):
        path, kind = drawn(scene, 10 * len(KINDS), chance)[number]
        told = f"seed {seed}, {number}: {kind} of {name_of(path)}"
        damage(path, kind, chance)
        assert scene.verify("-all", capsys=capsys)[0] == 65, told
        daemon = scene.daemon().settle().elapse(3.0)
        damaged = {event.name for event in daemon.seen(ObjectDamaged)}
        healed = {event.name for event in daemon.seen(Healed)}
        assert name_of(path) in damaged, told
        assert name_of(path) in healed, told
        daemon.stop()
        assert scene.verify("-all", capsys=capsys) == (0, []), told
        assert scene.verify(capsys=capsys) == (0, []), told
        assert not (scene.state / "replicas/r0.damaged.json").exists(), told
        with closing(sqlite3.connect(scene.database)) as db:
            assert image_of(scene.root) == db.serialize(), told


HEADERS = {
    "empty": lambda body: b"",
    "half a header": lambda body: body[:50],
    "magic": lambda body: b"X" + body[1:],
    "txid": lambda body: body[:20] + bytes([body[20] ^ 1]) + body[21:],
    "time": lambda body: body[:45] + bytes([body[45] ^ 1]) + body[46:],
}


@pytest.mark.parametrize("rot", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("reported", [False, True])
def test_the_newest_object_cannot_be_read_at_a_start(
    scene: Scene, rot: Callable[[bytes], bytes], reported: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands in the way of everything; nobody but us has written, so it is taken away and sent again."""
    newest = max((path for path in scene.objects() if path.parent.name == "0"), key=lambda path: path.name)
    newest.write_bytes(rot(newest.read_bytes()))
    if reported:
        assert scene.verify("-all", capsys=capsys)[0] == 65
    daemon = scene.daemon().settle().elapse(3.0)
    assert name_of(newest) in {event.name for event in daemon.seen(ObjectDamaged)}
    daemon.stop()
    assert scene.verify("-all", capsys=capsys) == (0, [])
    assert scene.verify(capsys=capsys) == (0, [])
    with closing(sqlite3.connect(scene.database)) as db:
        assert image_of(scene.root) == db.serialize()


def test_an_unreadable_object_of_somebody_else_is_left_alone(scene: Scene) -> None:
    newest = max((path for path in scene.objects() if path.parent.name == "0"), key=lambda path: path.name)
    newest.write_bytes(b"")
    replica = FolderReplica(scene.root, "r0")
    close_epoch(replica, open_epoch(replica, Writer(7, "machine", "host", "instance", 0, 0)))
    daemon = scene.daemon().settle().elapse(3.0)
    assert daemon.problems
    assert newest.exists()
    daemon.die()


def test_what_vanished_while_nobody_looked_is_said_at_the_next_start(scene: Scene) -> None:
    gone = [path for path in scene.objects() if name_of(path) not in scene.plan()][:2]
    for path in gone:
        path.unlink()
    daemon = scene.daemon().settle()
    assert {event.name for event in daemon.seen(ObjectDamaged)} == {name_of(path) for path in gone}
    assert all("lost" in event.lost for event in daemon.seen(Healed))
    daemon.stop()
    again = scene.daemon().settle()
    assert again.seen(ObjectDamaged) == []
    again.stop()


def test_another_writer_makes_no_false_alarm(scene: Scene) -> None:
    """Who wrote since may have deleted as well: then the listing is all there is."""
    replica = FolderReplica(scene.root, "r0")
    manifest = Manifest(scene.state / "replicas", "r0", replica.description)
    content = manifest.load()
    assert content is not None and len(content.objects) == len(scene.objects())
    other = open_epoch(replica, Writer(7, "machine", "host", "instance", 0, 0))
    close_epoch(replica, other)
    assert other > content.epoch
    next(path for path in scene.objects() if name_of(path) not in scene.plan()).unlink()
    daemon = scene.daemon().settle()
    assert daemon.seen(ObjectDamaged) == []
    daemon.stop()
