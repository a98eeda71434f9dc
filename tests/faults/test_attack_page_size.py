"""The page size changes while the daemon is away: every replica needs a full image, however and whenever it joins."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.driving import Drive, image_of
from tests.support.live import App, create, insert


def resize(path: Path, page_size: int) -> None:
    """As an operator does it: only outside WAL mode, and only while nobody else has the database open."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for sql in ("PRAGMA journal_mode=DELETE", f"PRAGMA page_size={page_size}", "VACUUM", "PRAGMA journal_mode=WAL"):
            db.execute(sql).fetchall()


def write(drive: Drive, path: Path) -> bytes:
    """One more commit, captured and shipped; out: what the application sees then."""
    with App(path) as app:
        app.write(insert(3))
        drive.event().elapse(2)
        return app.image()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


def test_a_replica_that_is_listed_after_the_first_look_gets_an_image(path: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    first = Drive(path, one).settle()
    write(first, path)
    first.stop()
    resize(path, 8192)
    second = Drive(path, one)
    second.replication.run(woken=False)  # captures before the line has listed its root
    second.settle()
    seen = write(second, path)
    assert second.stop().behind == ()
    assert image_of(one) == seen


def test_a_replica_that_was_away_gets_an_image_after_a_restart(path: Path, tmp_path: Path) -> None:
    one, two, away = tmp_path / "one", tmp_path / "disk" / "two", tmp_path / "away"
    two.parent.mkdir()
    first = Drive(path, one, two).settle()
    write(first, path)
    first.stop()
    resize(path, 8192)
    two.parent.rename(away)
    second = Drive(path, one, two).settle()
    write(second, path)
    second.stop()
    away.rename(two.parent)
    third = Drive(path, one, two).settle()
    seen = write(third, path)
    assert third.stop().behind == ()
    assert image_of(one) == seen
    assert image_of(two) == seen


def test_a_change_there_and_back_is_seen(path: Path, tmp_path: Path) -> None:
    one, two, away = tmp_path / "one", tmp_path / "disk" / "two", tmp_path / "away"
    two.parent.mkdir()
    first = Drive(path, one, two).settle()
    write(first, path)
    first.stop()
    two.parent.rename(away)
    for size in (8192, 4096):
        resize(path, size)
        between = Drive(path, one, two).settle()
        write(between, path)
        between.stop()
    away.rename(two.parent)
    last = Drive(path, one, two).settle()
    seen = write(last, path)
    assert last.stop().behind == ()
    assert image_of(one) == seen
    assert image_of(two) == seen


def test_a_death_before_the_image_is_made_up_for(path: Path, tmp_path: Path) -> None:
    """The one page with the new size may be on the replica already when the daemon dies."""
    one = tmp_path / "one"
    first = Drive(path, one).settle()
    write(first, path)
    first.stop()
    resize(path, 8192)
    before = tmp_path / "before"
    shutil.copytree(one, before, copy_function=shutil.copy2)
    second = Drive(path, one).settle()
    second.die()
    for snapshot in (one / "ltx" / "9").iterdir():
        if not (before / "ltx" / "9" / snapshot.name).exists():
            snapshot.unlink()
    third = Drive(path, one).settle()
    seen = write(third, path)
    assert third.stop().behind == ()
    assert image_of(one) == seen
