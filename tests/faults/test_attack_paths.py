"""What the paths lead to is not always what was opened, nor where a link to it is."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database.live import LiveDatabase
from tests.support.driving import Drive, image_of
from tests.support.live import App, create, insert


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "data" / "app.db"
    found.parent.mkdir()
    create(found)
    return found


def exchange(path: Path, other: Path) -> None:
    """As a restore by hand does it while everything runs."""
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink()
    other.rename(path)


def test_a_database_behind_a_symbolic_link_is_replicated(path: Path, tmp_path: Path) -> None:
    """SQLite keeps -wal and -shm beside the file, not beside the link."""
    link, root = tmp_path / "link.db", tmp_path / "replica"
    link.symlink_to(path)
    drive = Drive(link, root).settle()
    with App(link) as app:
        app.write(insert(3))
        drive.event().elapse(2).assert_equal(app)
    assert drive.replication.finish()
    assert drive.replication.captured
    assert drive.stop().behind == ()


def test_a_link_that_leads_elsewhere_is_followed(path: Path, tmp_path: Path) -> None:
    link, root, other = tmp_path / "link.db", tmp_path / "replica", tmp_path / "other" / "app.db"
    other.parent.mkdir()
    create(other)
    link.symlink_to(path)
    drive = Drive(link, root).settle()
    link.unlink()
    link.symlink_to(other)
    with App(link) as app:
        app.write(insert(3))
        drive.elapse(20).assert_equal(app)
    assert drive.stop().behind == ()


def test_a_database_that_is_replaced_just_before_the_end_is_in_the_final_sync(path: Path, tmp_path: Path) -> None:
    root, other = tmp_path / "replica", tmp_path / "other.db"
    create(other)
    drive = Drive(path, root).settle()
    exchange(path, other)
    with App(path) as app:
        app.write(insert(3))
        assert drive.stop().behind == ()
        assert drive.replication.captured
        assert image_of(root) == app.image()


def test_a_wal_that_was_deleted_and_made_again_is_not_the_same(path: Path) -> None:
    live = LiveDatabase(path, 1.0)
    live.open(switch_to_wal=True)
    try:
        assert live.same_files()
        held = live.wal_path.rename(path.with_name("held"))
        assert not live.same_files()
        live.wal_path.touch()
        assert not live.same_files()
        held.rename(live.wal_path)
        assert live.same_files()
    finally:
        live.close()


def test_a_folder_that_is_no_folder_any_more_ends_no_daemon(path: Path, tmp_path: Path) -> None:
    drive = Drive(path, tmp_path / "replica", state=tmp_path / "state").settle()
    moved = path.parent.rename(tmp_path / "moved")
    path.parent.touch()
    drive.elapse(30)
    assert any("Not a directory" in problem for problem in drive.problems)
    path.parent.unlink()
    moved.rename(path.parent)
    drive.wake()
    with App(path) as app:
        app.write(insert(3))
        drive.elapse(70).assert_equal(app)
    assert drive.stop().behind == ()


def test_what_cannot_be_looked_at_is_an_error_and_no_replacement(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveDatabase(path, 1.0)
    live.open(switch_to_wal=True)
    try:
        monkeypatch.setattr(live, "wal_path", path.with_name("x" * 300))
        with pytest.raises(EnvironmentFault, match="cannot be looked at"):
            live.same_files()
        assert live.wal_size() == 0
    finally:
        live.close()
