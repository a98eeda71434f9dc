"""No room for the state: the application goes on undisturbed, and the capture catches up when there is room again."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import EnvironmentFault
from tests.support.live import App, Engine, create, insert
from tests.support.small_disk import SmallDisk, needs_root, small_disk

pytestmark = needs_root

GROW = "INSERT INTO t(b) VALUES(zeroblob(6000000))"
"""1465 pages that compress to next to nothing: the entry takes 24 blocks, the page hashes two more."""
NEEDED = 26


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


def take_until_full(engine: Engine, app: App, disk: SmallDisk, free_blocks: int) -> bool:
    """Capture a commit with so much room; out: whether it was refused."""
    app.write(GROW)
    disk.fill(free_blocks)
    try:
        engine.take()
    except EnvironmentFault as error:
        assert "space left" in str(error) or "full" in str(error)
        return True
    return False


@pytest.mark.parametrize("free_blocks", (0, 10, *range(20, 28)))
def test_a_disk_that_gets_full_anywhere_on_the_way(path: Path, free_blocks: int) -> None:
    """Whatever does not fit (the entry, its ledger, the page hashes): nothing is lost and no TXID gets two contents."""
    with App(path) as app, small_disk(Path(f"{path}-state"), 1024) as disk, Engine(path) as engine:
        follower = engine.follower(app)
        refused = take_until_full(engine, app, disk, free_blocks)
        assert refused == (free_blocks < NEEDED)
        stored = {entry.txid: engine.ltx(entry.txid) for entry in engine.state.spool.entries()}
        app.write(insert(5))
        if refused:
            with pytest.raises(EnvironmentFault):
                engine.take()
        app.checkpoint("PASSIVE")
        app.write("DELETE FROM t WHERE id % 2")
        disk.make_room()
        engine.assert_followed(follower, app)
        engine.state.settle()
        for txid, content in stored.items():
            assert engine.ltx(txid) == content


@pytest.mark.parametrize("free_blocks", [0, 23, 24, 25])
def test_a_restart_after_the_disk_was_full(path: Path, free_blocks: int) -> None:
    with App(path) as app, small_disk(Path(f"{path}-state"), 1024) as disk:
        with Engine(path) as engine:
            follower = engine.follower(app)
            assert take_until_full(engine, app, disk, free_blocks)
        disk.make_room()
        with Engine(path) as engine:
            engine.assert_followed(follower, app)


def test_a_state_that_cannot_be_begun_is_an_error_of_the_environment(path: Path) -> None:
    with App(path) as app, small_disk(Path(f"{path}-state"), 64) as disk:
        disk.fill(0)
        engine = Engine(path)
        with pytest.raises(EnvironmentFault):
            engine.open()
        app.fill(1)
        engine.close()
        disk.make_room()
        with engine:
            engine.follower(app)


@pytest.mark.parametrize("free_blocks", [0, 1, 2])
def test_settling_without_room_is_told_and_tried_again(path: Path, free_blocks: int) -> None:
    with App(path) as app, small_disk(Path(f"{path}-state"), 256) as disk, Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(3)
        engine.take()
        disk.fill(free_blocks)
        try:
            engine.state.settle()
        except EnvironmentFault:
            assert engine.state.settled_txid == 1
        disk.make_room()
        engine.state.settle()
        assert engine.state.settled_txid == 2
        engine.assert_followed(follower, app)


@pytest.mark.parametrize("free_blocks", [0, 1, 2])
def test_a_state_that_cannot_be_exchanged_stays_the_old_one(path: Path, free_blocks: int) -> None:
    with App(path) as app, small_disk(Path(f"{path}-state"), 1024) as disk:
        with Engine(path) as engine:
            follower = engine.follower(app)
            app.write(GROW)
            engine.take()
            disk.fill(free_blocks)
            with pytest.raises(EnvironmentFault):
                engine.capture.start(40, engine.tick(), engine.header)
            assert engine.capture.head.txid == 2
            disk.make_room()
            app.write(insert(5))
            engine.assert_followed(follower, app)
            assert engine.capture.head.txid == 3
        with Engine(path) as engine:
            assert engine.assert_followed(follower, app) == []


def test_another_state_does_not_inherit_what_the_old_page_hashes_lack(path: Path) -> None:
    """The hashes could not follow the last entry; then all of them are exchanged for another history's."""
    with App(path) as app, small_disk(Path(f"{path}-state"), 1024) as disk:
        with Engine(path) as engine:
            engine.follower(app)
            assert take_until_full(engine, app, disk, NEEDED - 1)
            assert engine.capture.head.txid == 2
            disk.make_room()
            app.write("DELETE FROM t")
            app.write("UPDATE t SET b = NULL")
            app.run("VACUUM")
            engine.capture.start(40, engine.tick(), engine.header)
            follower = engine.follower(app)
            app.write(insert(5))
            engine.assert_followed(follower, app)
        with Engine(path) as engine:
            assert engine.assert_followed(follower, app) == []
