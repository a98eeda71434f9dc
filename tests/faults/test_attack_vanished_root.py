"""A replica folder that is taken away while the daemon writes to it: no half history in its place, no false promise."""

import shutil
from pathlib import Path

import pytest

from litestreamd.basics.errors import StoreMissing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created
from tests.support.driving import Drive, names
from tests.support.live import App, create, insert


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


def test_an_unmounted_disk_is_not_filled_in_its_absence(path: Path, tmp_path: Path) -> None:
    """The mount point is still there, and empty: the root itself must not be made again in it."""
    disk = tmp_path / "disk"
    root = disk / "replica"
    disk.mkdir()
    with App(path) as app:
        drive = Drive(path, root).settle()
        app.write(insert(3))
        drive.event().elapse(10)
        disk.rename(tmp_path / "away")
        disk.mkdir()
        app.write(insert(3))
        drive.event().elapse(100)
        assert names(root) == []
        assert "was its disk unmounted" in drive.problems[0]
        disk.rmdir()
        (tmp_path / "away").rename(disk)
        drive.elapse(100).assert_equal(app)
        assert drive.stop().behind == ()


def test_a_removed_root_fails_the_next_create_and_is_known_anew_after_that(tmp_path: Path) -> None:
    root = tmp_path / "r"
    replica = FolderReplica(root, "file")
    for txid in (1, 2):
        assert replica.create(ObjectName(0, txid, txid), [b"x"], 1) is Created.CREATED
    shutil.rmtree(root)
    with pytest.raises(StoreMissing):
        replica.create(ObjectName(0, 3, 3), [b"x"], 1)
    assert not root.exists()
    assert replica.create(ObjectName(0, 3, 3), [b"x"], 1) is Created.CREATED


def test_a_root_that_was_emptied_just_before_the_end_is_no_success(path: Path, tmp_path: Path) -> None:
    """The folder itself stays, so that the next file goes in; without an image it is worth nothing."""
    one, two = tmp_path / "one", tmp_path / "two"
    drive = Drive(path, one, two).settle()
    with App(path) as app:
        app.write(insert(3))
        drive.event().elapse(10)
        for each in one.iterdir():
            shutil.rmtree(each)
        app.write(insert(3))
        drive.event()
        assert dict(drive.stop().behind).keys() == {"one"}
        assert any("is gone" in problem for problem in drive.problems)
        # The other one was told all the same: another machine need not wait for it.
        assert (two / "litestreamd" / "writers" / f"{1:016x}.closed").exists()
