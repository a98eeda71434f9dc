"""Commits become TXIDs: what goes into which file, and that every one of them is a state the application had."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics.checksum import lock_page
from litestreamd.wal.header import HEADER_SIZE
from tests.support import images
from tests.support.live import App, Engine, create, insert
from tests.support.ltx_reading import decode

PAGE_SIZES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


def test_several_commits_become_one_file(path: Path, app: App) -> None:
    with Engine(path) as engine:
        follower = engine.follower(app)
        for _ in range(5):
            app.write("UPDATE t SET b = randomblob(400) WHERE id = 1")
        (taken,) = engine.assert_followed(follower, app)
        assert (taken.txid, taken.pages, taken.frames, taken.reason) == (2, 1, 5, None)


def test_an_open_transaction_is_none_of_our_business(path: Path, app: App) -> None:
    """Frames that spilled into the WAL before the commit are not captured, nor those of a rollback, ever."""
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.run("PRAGMA cache_size=5")
        app.run("BEGIN")
        app.run(insert(300))
        assert engine.live.wal_size() > 20 * 4096
        assert engine.take() == []
        app.run("ROLLBACK")
        assert engine.take() == []
        app.write(insert(1))
        assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]


def test_a_long_backlog_is_split_at_commits(path: Path, app: App) -> None:
    """Every file on the way is a state the application really had."""
    with Engine(path, max_wal_bytes=1) as engine:
        follower = engine.follower(app)
        seen = []
        for statement in (insert(30), "DELETE FROM t WHERE id % 2", insert(5), "UPDATE t SET b = NULL"):
            app.write(statement)
            seen.append(app.image())
        assert [taken.txid for taken in engine.take()] == [2, 3, 4, 5]
        for txid, image in enumerate(seen, 2):
            follower.apply(engine.ltx(txid))
            assert not images.first_difference(bytes(follower.image), image, follower.page_size)


@pytest.mark.parametrize("limit", [1, 30_000, 10_000_000])
def test_a_file_ends_at_the_first_commit_past_the_limit(path: Path, app: App, limit: int) -> None:
    with Engine(path, max_wal_bytes=limit) as engine:
        follower = engine.follower(app)
        for _ in range(8):
            app.write(insert(20))
        taken = engine.assert_followed(follower, app)
        sizes = [each.frames * (4096 + 24) for each in taken]
        assert all(size >= limit for size in sizes[:-1])
        assert (len(taken) == 1) == (limit == 10_000_000)


def test_a_single_huge_transaction_stays_whole(path: Path, app: App) -> None:
    with Engine(path, max_wal_bytes=10_000) as engine:
        follower = engine.follower(app)
        app.write(insert(2000))
        assert len(engine.assert_followed(follower, app)) == 1


@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("auto_vacuum", ["NONE", "FULL", "INCREMENTAL"])
def test_growth_shrinkage_and_regrowth_within_one_file(tmp_path: Path, page_size: int, auto_vacuum: str) -> None:
    """Pages that came back after a cut: their old frames do not count, and freed ones have no new frame."""
    path = tmp_path / "app.db"
    create(path, page_size, auto_vacuum, rows=200)
    with App(path) as app, Engine(path) as engine:
        follower = engine.follower(app)
        app.write(insert(100, 1500))
        app.write("DELETE FROM t WHERE id > 10")
        app.run("VACUUM")
        app.write(insert(200, 700), "DELETE FROM t WHERE id % 3", "CREATE TABLE u AS SELECT * FROM t", "DROP TABLE u")
        app.run("PRAGMA incremental_vacuum")
        assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]
        engine.capture.doubt("a test wants every page looked at")
        assert engine.take() == [], "the page hashes are those of the live pages"


def test_regrowth_over_pages_that_were_checkpointed_meanwhile(path: Path, app: App) -> None:
    """What a page without a frame of its own holds is then in the database file."""
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.write(insert(100))
        app.write("DELETE FROM t WHERE id > 10")
        app.run("VACUUM")
        engine.refresh()
        assert app.checkpoint("PASSIVE")[2] > 0
        app.write(insert(100), "DELETE FROM t WHERE id > 5")
        engine.assert_followed(follower, app)


def test_times_rise_whatever_the_clock_does(path: Path, app: App) -> None:
    with Engine(path) as engine:
        times = []
        for now_ms in (engine.tick(), 1000, 1000, 999):
            app.write(insert(1))
            (taken,) = engine.capture.take(engine.header, now_ms)
            times.append(decode(engine.ltx(taken.txid)).header.timestamp_ms)
        assert times == sorted(set(times))


def test_a_stamp_changes_nothing(path: Path, app: App) -> None:
    with Engine(path) as engine:
        follower = engine.follower(app)
        taken = engine.capture.stamp(engine.header, engine.tick())
        assert (taken.txid, taken.pages) == (2, 1)
        assert engine.assert_followed(follower, app) == []
        app.write(insert(1))
        assert engine.capture.stamp(engine.header, engine.tick()).frames > 0


def test_the_wal_place_of_a_file_is_what_litestream_takes_over_from(path: Path, app: App) -> None:
    with Engine(path) as engine:
        app.write(insert(1))
        (first,) = engine.take()
        app.write(insert(1))
        (second,) = engine.take()
        one, two = decode(engine.ltx(first.txid)).header, decode(engine.ltx(second.txid)).header
        assert one.wal_offset == HEADER_SIZE
        assert two.wal_offset == one.wal_offset + one.wal_size
        assert (one.salt1.to_bytes(4, "big") + one.salt2.to_bytes(4, "big")) == engine.header.salts


def test_other_ways_to_write_are_commits_too(path: Path, app: App, tmp_path: Path) -> None:
    """The backup API writes ordinary frames into a live database."""
    other = tmp_path / "other.db"
    create(other, rows=500)
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.restore(other)
        assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]


def test_the_page_at_1_gib_is_never_sent(tmp_path: Path) -> None:
    """SQLite keeps its locks there and skips the page (file format, section 1.4). Page size 65536, a sparse file."""
    path, size = tmp_path / "large.db", 65536
    create(path, size)
    lock = lock_page(size)
    lengthen(path, lock - 1, size)
    with App(path) as app, Engine(path) as engine:
        app.write(insert(5, size))
        (taken,) = engine.take()
        file = decode(engine.ltx(taken.txid))
        assert file.header.commit > lock
        assert lock not in [pgno for pgno, _ in file.pages]
        assert {lock - 1 < pgno for pgno, _ in file.pages} == {False, True}
        engine.capture.doubt("a test wants every page looked at")
        assert engine.take() == []


def lengthen(path: Path, pages: int, size: int) -> None:
    """Give a closed database so many pages by its header (bytes 28..31); the new ones are a hole in the file."""
    with path.open("r+b") as file:
        file.seek(28)
        file.write(pages.to_bytes(4, "big"))
        file.truncate(pages * size)
