"""Drills while applications write as they like: never a false alarm, and rot is found all the same."""

import subprocess
import sys
from pathlib import Path

import pytest

from litestreamd.plan.rules import Rules
from tests.support import folder_listing
from tests.support.drilling import Result, drilled
from tests.support.driving import DEFAULT, Drive
from tests.support.habits import EVERYDAY, OWN_CHECKPOINTS, REBUILDING, RESTLESS, Habits
from tests.support.live import App
from tests.support.workload import AUTO_VACUUM, Writers, create_database

MERGING = Rules(levels_s=(1.0, 5.0), l0_retention_s=2.0, l0_check_s=1.0, snapshot_interval_s=20.0)
"""Objects of level 0 are gone within seconds, so that merged ones and new images have to tell what changed."""
LIVES = {
    "busy": Habits(busy_ms=50, autocheckpoint=50, bulk_rows=100),
    "tiny cache": Habits(
        library="apsw", busy_ms=50, cache_pages=10, autocheckpoint=10, deeds=(*EVERYDAY, *OWN_CHECKPOINTS)
    ),
    "rebuilding": Habits(
        busy_ms=50, autocheckpoint=100, bulk_rows=100, deeds=(*EVERYDAY, *OWN_CHECKPOINTS, *REBUILDING)
    ),
    "restless": Habits(busy_ms=50, autocheckpoint=1000, bulk_rows=100, deeds=(*EVERYDAY, *OWN_CHECKPOINTS, *RESTLESS)),
}
DRILLS, MOST_DRILLS = 6, 60
"""So many, and more until one has met a page that changed meanwhile."""

SCRIBBLE = """
import sys
path, at = sys.argv[1], int(sys.argv[2])
with open(path, "r+b") as file:
    file.seek(at)
    byte = file.read(1)[0]
    file.seek(at)
    file.write(bytes([byte ^ 0xFF]))
"""


class Daemon:
    """A replication that runs between the turns of a drill, and is asked by it for barriers."""

    def __init__(self, path: Path, root: Path, rules: Rules) -> None:
        self.path, self.root = path, root
        self.drive = Drive(path, root, rules=rules, limits=DEFAULT).settle()

    def barrier(self) -> int | None:
        self.drive.event().elapse(3)
        return folder_listing.head(self.root)

    def drill(self) -> Result:
        return drilled(self.path, self.root, self.barrier, meanwhile=lambda: self.drive.event().elapse(0.1))


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("merging", [False, True])
def test_no_false_alarm(tmp_path: Path, life: str, merging: bool) -> None:
    auto_vacuum = (list(LIVES).index(life) + merging) % len(AUTO_VACUUM)
    path, root = tmp_path / "app.db", tmp_path / "r0"
    root.mkdir()
    create_database(path, auto_vacuum=auto_vacuum)
    rules = MERGING if merging else Rules(levels_s=(), enabled=False, snapshot_interval_s=1e9)
    changed = 0
    with Writers(path, tmp_path / "acknowledged", seed=auto_vacuum) as writers:
        daemon = Daemon(path, root, rules)
        for _ in range(2):
            writers.start(LIVES[life])
        writers.wait_acknowledged(20)
        for _ in range(DRILLS):
            result = daemon.drill()
            assert result.error is None, result
            assert result.live == "equal", result
            changed += result.changed
        writers.stop()
        assert not writers.complaints
    assert changed, "the writers did nothing while the drills compared"
    daemon.drive.stop()


def test_rot_is_found_under_writers(tmp_path: Path) -> None:
    """A table that nobody touches loses a bit in the file; the others go on."""
    path, root = tmp_path / "app.db", tmp_path / "r0"
    root.mkdir()
    create_database(path)
    with App(path) as app:
        app.write("CREATE TABLE cold(b)", "INSERT INTO cold SELECT randomblob(3000) FROM (VALUES(1),(2),(3),(4),(5))")
        (pages,) = app.run("PRAGMA page_count")[0]
        app.checkpoint("TRUNCATE")
        app.close()
    with Writers(path, tmp_path / "acknowledged", seed=5) as writers:
        daemon = Daemon(path, root, MERGING)
        writers.start(LIVES["busy"])
        writers.wait_acknowledged(20)
        assert daemon.drill().live == "equal"
        place = pages * 4096 - 100
        subprocess.run([sys.executable, "-c", SCRIBBLE, str(path), str(place)], check=True)
        result = daemon.drill()
        writers.stop()
    assert (result.live, result.pages, result.code) == ("different", [pages], 65)
    daemon.drive.die()
