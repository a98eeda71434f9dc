"""A live database that rots while nobody looks: said, and never sent to a replica as truth."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from litestreamd.cli.main import main
from litestreamd.database.acceptance import accept
from litestreamd.database.live_check import RottenDatabase
from litestreamd.database.state_paths import state_directory
from litestreamd.jobs.events import Captured, Compared, Problem, RetentionStopped
from litestreamd.plan.rules import Rules
from tests.faults.test_drill import SCRIBBLE
from tests.support import folder_listing
from tests.support.driving import Drive, image_of
from tests.support.live import App

RULES = Rules(levels_s=(), l0_retention_s=1.0, l0_check_s=1.0, snapshot_interval_s=5.0, snapshot_retention_s=10.0)


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.root = folder, folder / "app.db", folder / "r0"
        self.root.mkdir()
        (folder / "meta").mkdir()
        entry = f"path: {self.path}, meta-path: {folder}/meta, replica: {{name: r0, path: {self.root}}}"
        (folder / "c.yml").write_text(f"dbs: [{{{entry}}}]\n")
        self.state = state_directory(self.path, folder / "meta", None)
        self.execute(
            "PRAGMA journal_mode=WAL",
            "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
            "INSERT INTO t SELECT i, printf('%0100d', i) FROM n",
        )
        self.daemon().stop()

    def daemon(self) -> Drive:
        return Drive(self.path, self.root, state=self.state, rules=RULES).settle()

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    def rot(self) -> None:
        """The cell pointers of a page in the middle of the table become nonsense."""
        with self.path.open("r+b") as file:
            file.seek(20 * 4096 + 8)
            file.write(b"\xff" * 64)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_is_broken_is_not_shipped(scene: Scene) -> None:
    good = image_of(scene.root)
    head = folder_listing.head(scene.root)
    scene.rot()
    daemon = scene.daemon().elapse(30.0)
    (first, *_) = daemon.seen(Problem)
    assert first.error_class == RottenDatabase.__name__
    assert "quick_check" in first.error and "litestreamd accept" in first.error
    assert first.retry_seconds == 600
    assert daemon.seen(RetentionStopped)
    assert not daemon.seen(Captured)
    assert folder_listing.head(scene.root) == head
    assert image_of(scene.root) == good
    daemon.die()


def test_a_change_of_an_application_is_no_rot(scene: Scene) -> None:
    scene.execute("UPDATE t SET b = 'new' WHERE a = 1000", "PRAGMA wal_checkpoint(TRUNCATE)")
    daemon = scene.daemon()
    assert daemon.seen(Compared) and daemon.seen(Captured)
    assert not daemon.problems
    daemon.stop()


def test_a_constraint_that_does_not_hold_is_none_either(scene: Scene) -> None:
    """quick_check complains of contents too: they are the application's business."""
    scene.execute(
        "CREATE TABLE c (x)", "INSERT INTO c VALUES (NULL)", "PRAGMA writable_schema=ON",
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE c (x NOT NULL CHECK (x > 5))' WHERE name = 'c'",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )  # fmt: skip
    daemon = scene.daemon()
    assert daemon.seen(Captured) and not daemon.problems
    daemon.stop()


def test_an_operator_takes_it_as_it_is(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    scene.rot()
    daemon = scene.daemon()
    daemon.die()
    assert json.loads((scene.state / "retention-stopped.json").read_text())["why"]
    assert main(["accept", "-config", str(scene.folder / "c.yml"), str(scene.path)]) == 0
    assert "is taken as it is, once" in capsys.readouterr().out
    assert not (scene.state / "retention-stopped.json").exists()
    again = scene.daemon()
    assert again.seen(Captured) and not again.problems
    again.stop()
    assert image_of(scene.root) == scene.path.read_bytes()
    assert not (scene.state / "accepted.json").exists(), "it counts once"


def test_a_page_that_no_structure_shows_is_accepted_too(scene: Scene) -> None:
    """A byte of a text, under a daemon that sees every commit: the next full image does not give the checksum that was
    recorded, deletions stop; then the operator has the last word."""
    with App(scene.path) as app:
        app.write("UPDATE t SET b = 'first' WHERE a = 1")
        daemon = scene.daemon()
        place = 20 * 4096 + 3000
        subprocess.run([sys.executable, "-c", SCRIBBLE, str(scene.path), str(place)], check=True)
        app.write("UPDATE t SET b = 'second' WHERE a = 1")
        daemon.event().elapse(20.0)
        assert daemon.seen(RetentionStopped)
        accept(scene.state)
        (scene.state / "retention-stopped.json").unlink()
        told = len(daemon.events)
        daemon.event().elapse(20.0)
        later = [type(each) for each in daemon.events[told:]]
        assert Compared in later, "the comparison is forced"
        assert RetentionStopped not in later
        assert not (scene.state / "accepted.json").exists()
        daemon.assert_equal(app)
        app.close()
        daemon.stop()


def test_a_restore_is_the_better_way_out(scene: Scene) -> None:
    good = image_of(scene.root)
    scene.rot()
    scene.daemon().die()
    words = ["restore", "-force", "-config", str(scene.folder / "c.yml"), str(scene.path)]
    assert main(words) == 0
    assert scene.path.read_bytes() == good
    daemon = scene.daemon()
    assert not daemon.problems
    daemon.stop()
