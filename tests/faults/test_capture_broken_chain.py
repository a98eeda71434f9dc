"""SQLite before 3.50.4 can leave committed frames without checksums; a crash then loses them and all after them.

Its readers never notice, so the index is the authority and the capture goes on; but the WAL has to be checkpointed
and cut before everybody dies.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import images
from tests.support.live import App, Engine, break_chain, create, insert

pytestmark = pytest.mark.skipif(
    sqlite3.sqlite_version_info >= (3, 50, 4), reason="this SQLite does not break its checksum chain any more"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=300)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


def recovered(path: Path) -> bytes:
    return images.recovered_image(path, path.with_name("recovered"))


def test_without_us_a_crash_loses_acknowledged_commits(app: App, path: Path) -> None:
    """The control: without this loss the tests below would prove nothing."""
    break_chain(app)
    seen = app.image()
    app.kill()
    assert recovered(path) != seen


def test_broken_frames_are_captured_and_healed(app: App, path: Path) -> None:
    with Engine(path) as engine:
        follower = engine.follower(app)
        break_chain(app)
        assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]
        assert engine.capture.broken_chain
        assert engine.keeper.heal(engine.tick())[1]
        assert not engine.capture.broken_chain
        seen = app.image()
        assert bytes(follower.image) == seen
        app.kill()
    assert recovered(path) == seen


def test_commits_after_the_healing_are_safe_and_captured(app: App, path: Path) -> None:
    with Engine(path) as engine:
        follower = engine.follower(app)
        break_chain(app)
        engine.take()
        engine.keeper.heal(engine.tick())
        app.write(insert(2))
        assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]
        assert not engine.capture.broken_chain
        seen = app.image()
        app.kill()
    assert recovered(path) == seen


def test_a_commit_on_top_of_the_broken_ones_is_captured(app: App, path: Path) -> None:
    """Nothing was healed in between: its checksums are sound by themselves and its chain is not."""
    with Engine(path) as engine:
        follower = engine.follower(app)
        break_chain(app)
        engine.assert_followed(follower, app)
        app.write(insert(5))
        assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]
        assert engine.capture.broken_chain


def test_broken_frames_early_in_a_long_backlog_are_seen(app: App, path: Path) -> None:
    with Engine(path, max_wal_bytes=20_000) as engine:
        follower = engine.follower(app)
        break_chain(app)
        for _ in range(3):
            app.write(insert(60))
        assert len(engine.assert_followed(follower, app)) > 2
        assert engine.capture.broken_chain


@pytest.mark.parametrize("known", [True, False], ids=["restart", "first start"])
def test_what_was_broken_before_we_came_is_seen_and_healed(app: App, path: Path, known: bool) -> None:
    if known:
        with Engine(path):
            pass
    break_chain(app)
    with Engine(path) as engine:
        assert engine.capture.broken_chain
        engine.take()
        assert engine.keeper.heal(engine.tick())[1]
        seen = app.image()
        app.kill()
    assert recovered(path) == seen


def test_healing_waits_for_a_reader_in_its_way(app: App, path: Path) -> None:
    with Engine(path) as engine, App(path) as reader:
        reader.run("BEGIN")
        reader.run("SELECT count(*) FROM t")
        break_chain(app)
        engine.take()
        assert not engine.keeper.heal(engine.tick())[1]
        assert engine.capture.broken_chain
        reader.run("COMMIT")
        assert engine.keeper.heal(engine.tick())[1]
        seen = app.image()
        app.kill()
        reader.kill()
    assert recovered(path) == seen
