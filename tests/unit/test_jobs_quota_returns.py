"""A replica is back after its files left the spool: it is known as ours, whatever the last cursor says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics.errors import StoreMissing
from litestreamd.jobs import room
from tests.support.driving import image_of
from tests.support.full_spool import CHANGE, QUOTA, World
from tests.support.live import App, create


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ALWAYS_ROOM", QUOTA)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=1500)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def world(path: Path, app: App) -> World:
    """Both replicas have a few TXIDs."""
    found = World(path, app)
    found.write(4)
    return found


def test_what_no_cursor_says_is_ours_all_the_same(world: World) -> None:
    """Sent, then killed before the cursor was written down; the files leave the spool before the replica is back."""
    world.write(8, every_s=1.5)
    world.drive.die()
    world.far.away = True
    world.born()
    world.write(40)
    world.drive.die()
    world.born()
    world.write(10)
    assert world.drive.replication.lines[1].departed.checksum(14) is not None
    world.back()
    assert (world.held(1)[-1], len(world.held(9))) == ("1/15-64", 1)
    world.write(4, every_s=20)
    assert world.drive.replication.lines[1].departed.checksum(14) is None


def test_the_end_of_a_catch_up_that_left_is_ours(world: World) -> None:
    """Just the level-0 file that the cursor waits for leaves the spool, and nothing else."""
    world.far.away = True
    world.write(39)
    world.write(1, CHANGE.format(500, 590))
    world.far.away, world.far.mute = False, {0}
    world.drive.elapse(400)
    assert world.held(1)[-1] == "1/7-46"
    for _ in range(9):
        world.write(1)
        if world.drive.replication._capture.state.spool.get(46) is None:
            break
    assert world.drive.replication._capture.state.spool.get(47) is not None
    world.again()
    world.back()
    assert len(world.held(9)) == 1


def test_a_cursor_that_was_not_written_down_in_time_is_ours(world: World) -> None:
    """Its place is missing a moment after it got its last files: from then on the root has to be looked at anew."""
    world.write(8, every_s=1.5)
    world.far.away, world.far.silence = True, StoreMissing
    world.write(2, every_s=1.5)
    world.write(40)
    world.back()
    assert len(world.held(9)) == 1


def test_a_disk_that_was_unmounted_is_ours_when_it_is_back(world: World) -> None:
    world.write(8, every_s=1.5)
    root, mounted = world.far.root, world.far.root.with_name("elsewhere")
    root.rename(mounted)
    root.symlink_to(root.with_name("nowhere") / "far")
    world.write(40)
    assert world.told == {"far"}
    root.unlink()
    mounted.rename(root)
    world.back()
    assert len(world.held(9)) == 1


def test_a_damaged_cursor_of_one_replica_stops_nobody(world: World, path: Path, app: App) -> None:
    world.drive.stop()
    world.far.away = True
    cursor = path.with_name("app.db-state") / "replicas" / "far.json"
    cursor.write_text(json.dumps({"version": 1, "root": world.far.description}))
    world.born()
    world.write(40)
    assert image_of(world.roots[0]) == app.image()
