"""No room, for our state or for the database: the application goes on, and so do we when there is room again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.jobs import upkeep
from litestreamd.jobs.events import Checkpointed, Compared, Recovered, ValveOpened
from litestreamd.plan.checkpoint import Limits
from tests.support.driving import Drive
from tests.support.live import App, create, insert
from tests.support.small_disk import needs_root, small_disk

pytestmark = needs_root


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "one"


def write(drive: Drive, app: App) -> None:
    app.write(insert(3))
    drive.event().elapse(2)


def test_no_room_for_the_spool_does_not_disturb_the_application(path: Path, root: Path) -> None:
    with App(path, autocheckpoint=100) as app, small_disk(Path(f"{path}-state"), 512) as disk:
        drive = Drive(path, root).settle()
        write(drive, app)
        disk.fill(0)
        for _ in range(5):
            app.fill(20)
            drive.event().elapse(20)
        assert "No space left" in drive.problems[0]
        disk.make_room()
        drive.elapse(70).assert_equal(app)
        assert drive.seen(Recovered)
        assert not drive.seen(Compared)
        assert drive.stop().behind == ()
        assert drive.replication.captured


def test_stopping_without_room_is_no_success(path: Path, app: App, root: Path) -> None:
    with small_disk(Path(f"{path}-state"), 512) as disk:
        drive = Drive(path, root).settle()
        disk.fill(0)
        app.fill(20)
        drive.event()
        assert drive.problems
        with pytest.raises(EnvironmentFault, match="No space left"):
            drive.replication.finish()
        drive.replication.close()
        assert not drive.replication.captured


def test_the_release_valve(path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A WAL that grows without end because we cannot capture would take the application down: it is let go, loudly."""
    monkeypatch.setattr(upkeep, "VALVE_BYTES", 2 << 20)
    limits = Limits(min_pages=1 << 30, truncate_pages=100, interval_s=0)
    with App(path, autocheckpoint=50) as app, small_disk(Path(f"{path}-state"), 256) as disk:
        drive = Drive(path, root, limits=limits).settle()
        write(drive, app)
        disk.fill(0)
        sizes = []
        for _ in range(40):
            app.write(insert(150), "DELETE FROM t WHERE id < (SELECT max(id) - 100 FROM t)")
            drive.event().elapse(20)
            sizes.append(Path(f"{path}-wal").stat().st_size)
        assert drive.seen(ValveOpened)[0].limit == 2 << 20
        assert max(sizes) < 4 << 20
        disk.make_room()
        drive.elapse(70).assert_equal(app)
        assert drive.seen(Compared)
        assert drive.stop().behind == ()


def test_a_full_disk_under_the_database_locks_nobody_out(tmp_path: Path, root: Path) -> None:
    """Our checkpoint cannot grow the file: the application keeps working within its WAL."""
    with small_disk(tmp_path / "small", 1024) as disk:
        path = disk.folder / "app.db"
        create(path)
        state = tmp_path / "state"
        with App(path) as app:
            limits = Limits(min_pages=20, truncate_pages=0, interval_s=0)
            drive = Drive(path, root, state=state, limits=limits).settle()
            app.fill(300)
            disk.fill(0)
            drive.event().elapse(3)
            assert "SQLite cannot work with" in drive.problems[0]
            disk.make_room()
            app.fill(5)
            drive.elapse(70).assert_equal(app)
            assert drive.seen(Checkpointed)
            assert drive.stop().behind == ()


@pytest.mark.parametrize("free_blocks", [0, 1, 2, 3])
def test_no_room_at_the_very_first_start(path: Path, app: App, root: Path, free_blocks: int) -> None:
    with small_disk(Path(f"{path}-state"), 256) as disk:
        disk.fill(free_blocks)
        drive = Drive(path, root).settle()
        write(drive, app)
        disk.make_room()
        drive.elapse(70).assert_equal(app)
        write(drive, app)
        drive.assert_equal(app)
        assert drive.stop().behind == ()
