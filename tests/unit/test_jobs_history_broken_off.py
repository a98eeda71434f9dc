"""The history of a replica when something comes in between: a replacement that was cut, an end in mid-merge."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from litestreamd.jobs.events import Healed, ObjectDamaged
from litestreamd.jobs.ship import BACKLOG, Stage
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.rules import Rules
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created
from tests.support.driving import Drive, names
from tests.support.live import App, create, insert

NO_SNAPSHOTS = replace(Rules(), snapshot_interval_s=1e9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=100)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "one"


def write(drive: Drive, app: App, times: int) -> None:
    for _ in range(times):
        app.write(insert(3))
        drive.event().elapse(2)


def merged(root: Path) -> list[str]:
    return [name for name in names(root) if name.startswith("1/")]


@pytest.mark.parametrize("left", [0, 3, 110])
def test_a_cut_replacement_is_damage(path: Path, app: App, root: Path, left: int) -> None:
    """Shorter than its header or trailer even: told and healed, and what it replaces is kept until then."""
    drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
    write(drive, app, 5)
    drive.elapse(40)
    (cut,) = (root / "ltx" / "1").glob("*.ltx")
    os.truncate(cut, left)
    drive.elapse(600)
    assert drive.seen(ObjectDamaged)
    assert drive.seen(Healed)
    drive.assert_equal(app)


class Ending(FolderReplica):
    """In the middle of a merge the process is asked to end."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, root.name)
        self.asked: Callable[[], object] = lambda: None

    def create(self, name: ObjectName, body: Iterator[bytes], created_ms: int, most: int | None = None) -> Created:
        if name.level == 1:
            self.asked()
        return super().create(name, body, created_ms, most)


def test_a_merge_on_its_way_does_not_hold_up_the_end(path: Path, app: App, root: Path) -> None:
    replica = Ending(root)
    drive = Drive(path, root, rules=NO_SNAPSHOTS, replicas=[replica]).settle()
    (history,) = drive.replication.histories
    write(drive, app, 3)
    replica.asked = lambda: history.hurry(time.monotonic() + 60)
    drive.elapse(60)
    assert merged(root) == []
    assert drive.problems == []
    assert drive.stop().behind == ()
    second = Drive(path, root, rules=NO_SNAPSHOTS, time=drive.time).settle().elapse(60)
    assert len(merged(root)) == 1
    second.assert_equal(app)


def test_a_merge_that_the_end_needs_is_made(path: Path, app: App, root: Path) -> None:
    """Nothing was needed when the end was asked for; what is captured last is a long backlog."""
    drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
    write(drive, app, 3)
    (history,), (line,) = drive.replication.histories, drive.replication.lines
    line.stage = Stage.LOOKING
    for _ in range(BACKLOG + 5):
        app.write(insert(1))
        drive.time.now_s += 2
        drive.replication.run(woken=True)
    history.hurry(time.monotonic() + 60)
    assert drive.stop().behind == ()
    assert merged(root)
