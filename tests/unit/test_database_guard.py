"""What the guard promises rests on SQLite's own behavior: each claim is tried against the stock library.

The application is another process; the guard stands on mark 0 when everything was checkpointed before it began, above
0 otherwise.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.database.live import LiveDatabase
from tests.support.live import NEW, STOCK, App, SqlError, bytes_of, create


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture(params=[STOCK, NEW])
def app(request: pytest.FixtureRequest, path: Path) -> Iterator[App]:
    with App(path, request.param) as opened:
        yield opened


@pytest.fixture
def live(path: Path) -> Iterator[LiveDatabase]:
    opened = LiveDatabase(path, 1.0)
    yield opened
    opened.close()


def generation(live: LiveDatabase) -> tuple[bytes, int]:
    header = live.header()
    return header.salts, header.max_frame


def test_no_checkpoint_resets_under_a_guard_above_mark_zero(app: App, live: LiveDatabase) -> None:
    app.fill(5)
    live.open(switch_to_wal=False)
    salts, frames = generation(live)
    assert app.checkpoint("PASSIVE") == [0, frames, frames]
    for mode in ("RESTART", "TRUNCATE"):
        assert app.checkpoint(mode)[0] == 1
    app.fill(5)
    assert live.header().salts == salts
    assert live.header().max_frame > frames


def test_a_guard_on_mark_zero_lets_captured_frames_go_and_no_others(app: App, live: LiveDatabase) -> None:
    app.fill(5)
    app.checkpoint("PASSIVE")
    live.open(switch_to_wal=False)
    salts, _ = generation(live)
    app.fill(5)  # the WAL restarts: every frame of before is in the file, which nobody writes now
    second, frames = generation(live)
    assert second != salts
    for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
        app.checkpoint(mode)
        assert generation(live) == (second, frames)
        assert live.header().backfilled == 0
    app.fill(5)
    assert live.header().salts == second


def test_truncate_under_mark_zero_works_only_when_nothing_slipped_in(app: App, live: LiveDatabase) -> None:
    app.fill(5)
    app.checkpoint("PASSIVE")
    live.open(switch_to_wal=False)
    assert live.guard.truncate()
    assert live.wal_size() == 0
    app.fill(5)
    assert not live.guard.truncate()
    assert live.wal_size() > 0


def test_a_frame_that_slipped_in_while_nobody_guarded_shows_in_the_count(app: App, live: LiveDatabase) -> None:
    """The window that the guard closes: without one a commit can vanish between two looks."""
    app.fill(5)
    live.open(switch_to_wal=False)
    before = live.header()
    live.close()
    app.fill(1)
    app.checkpoint("TRUNCATE")
    app.fill(1)
    live.open(switch_to_wal=False)
    after = live.header()
    assert (after.change - before.change) % (1 << 32) > 1


def test_taking_the_write_lock_changes_no_byte(app: App, live: LiveDatabase) -> None:
    app.fill(5)
    live.open(switch_to_wal=False)
    before = everything(live)
    assert live.guard.lock_writers_out(0.1)
    with pytest.raises(SqlError, match="locked"):
        app.fill(1)
    live.guard.drop_next()
    assert everything(live) == before
    app.fill(1)


def everything(live: LiveDatabase) -> tuple[bytes, bytes, bytes]:
    """All bytes of the three files, without opening any of them in this process (the -shm only as a header)."""
    return bytes_of(live.path), bytes_of(live.wal_path), repr(live.header()).encode()


def test_a_writer_is_only_locked_out_for_the_time_given(app: App, live: LiveDatabase) -> None:
    live.open(switch_to_wal=False)
    app.run("BEGIN IMMEDIATE")
    assert not live.guard.lock_writers_out(0.01)
    app.run("COMMIT")
    assert live.guard.lock_writers_out(0.01)


def test_a_passive_checkpoint_works_beside_our_own_write_lock(app: App, live: LiveDatabase) -> None:
    app.fill(5)
    live.open(switch_to_wal=False)
    app.fill(5)
    assert live.guard.lock_writers_out(0.1)
    live.guard.swap()
    assert live.guard.checkpoint()
    header = live.header()
    assert header.backfilled == header.max_frame > 0


@pytest.mark.parametrize("wish", ["journal_mode=DELETE", "locking_mode=EXCLUSIVE"])
def test_the_application_cannot_leave_wal_mode_under_us(app: App, live: LiveDatabase, wish: str) -> None:
    app.fill(1)
    live.open(switch_to_wal=False)
    if wish.startswith("journal"):
        with pytest.raises(SqlError, match="locked"):
            app.run(f"PRAGMA {wish}")
    else:
        app.run(f"PRAGMA {wish}")
        with pytest.raises(SqlError, match="locked"):
            app.fill(1)
    assert live.same_files()


def test_the_applications_last_close_leaves_the_wal(app: App, live: LiveDatabase) -> None:
    app.fill(5)
    live.open(switch_to_wal=False)
    before = generation(live)
    app.close()
    assert live.wal_path.exists()
    assert generation(live) == before
    assert live.locks_held()


def test_salts_prove_nothing_after_two_truncates(app: App, live: LiveDatabase) -> None:
    """Why continuity is never concluded from salt1 + 1: a generation may come and go without a frame."""
    app.fill(5)
    live.open(switch_to_wal=False)
    first = live.header()
    live.close()
    app.checkpoint("TRUNCATE")
    app.checkpoint("TRUNCATE")
    live.open(switch_to_wal=False)
    assert live.header().salts != first.salts
    assert live.header().change == first.change
