"""A death at any point of storing a TXID: the next life proves itself, nothing is lost, and nothing is told twice."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.dying import dies_at
from tests.support.live import App, Engine, Follower, create, insert

STORING = ("capture.before-spool", "spool.written", "spool.renamed", "spool.synced", "pages.updated")
SETTLING = ("settle.pages-synced", "settle.state-written")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, auto_vacuum="FULL", rows=100)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


def beginning(path: Path, app: App) -> Follower:
    """TXID 1 is captured and the directory knows it."""
    with Engine(path) as engine:
        return engine.follower(app)


def busy_life(path: Path, app: App) -> Callable[[], None]:
    """Commits that grow, shrink and rewrite, each captured; some settled."""

    def live() -> None:
        with Engine(path, max_wal_bytes=50_000) as engine:
            for number in range(4):
                app.write(insert(150))
                engine.take()
                app.write("DELETE FROM t WHERE id % 3 = 0", "UPDATE t SET b = NULL WHERE id % 5 = 0")
                engine.take()
                if number % 2:
                    engine.state.settle()

    return live


def proven(path: Path, app: App, follower: Follower) -> None:
    """The next incarnation opens, goes on, and has everything."""
    with Engine(path, max_wal_bytes=50_000) as engine:
        engine.take()
        engine.bring(follower)
        assert bytes(follower.image) == app.image()
        assert engine.capture.head.checksum == follower.checksum
        app.write(insert(3))
        engine.assert_followed(follower, app)
        left = {each.suffix for each in (engine.folder / "spool").iterdir()}
        assert left == {".spool"}


@pytest.mark.parametrize("passing", [1, 2, 5])
@pytest.mark.parametrize("name", STORING)
def test_a_death_while_a_txid_is_stored(path: Path, app: App, name: str, passing: int) -> None:
    follower = beginning(path, app)
    assert dies_at(name, passing, busy_life(path, app))
    proven(path, app, follower)


@pytest.mark.parametrize("passing", [1, 2])
@pytest.mark.parametrize("name", SETTLING)
def test_a_death_while_the_state_is_settled(path: Path, app: App, name: str, passing: int) -> None:
    follower = beginning(path, app)
    assert dies_at(name, passing, busy_life(path, app))
    proven(path, app, follower)


def test_deaths_one_after_the_other(path: Path, app: App) -> None:
    follower = beginning(path, app)
    for name in (*STORING, *SETTLING):
        assert dies_at(name, 2, busy_life(path, app))
    proven(path, app, follower)


@pytest.mark.parametrize("name", SETTLING)
def test_a_death_while_another_state_is_taken_over(path: Path, app: App, name: str) -> None:
    """All page hashes are exchanged at once: it is the old state or the new one, and no file of neither is left."""
    follower = beginning(path, app)

    def adopt() -> None:
        with Engine(path) as engine:
            app.write(insert(200))
            engine.take()
            engine.capture.start(40, engine.tick(), engine.header)

    assert dies_at(name, 1, adopt)
    with Engine(path) as engine:
        assert engine.state.head is not None
        assert engine.state.head.txid == (2 if name == "settle.pages-synced" else 40)
        assert len(list(engine.folder.glob("pages.*"))) == 1
        if engine.state.head.txid == 2:
            engine.bring(follower)
            engine.assert_followed(follower, app)
        else:
            assert engine.take() == []
            engine.follower(app)


@pytest.mark.parametrize("seed", range(8))
def test_page_hashes_that_a_power_cut_left_half_written(path: Path, app: App, seed: int) -> None:
    """The file is a cache: of what was written since the last settling any part may be on disk."""
    follower = beginning(path, app)
    busy_life(path, app)()
    (pages,) = Path(f"{path}-state").glob("pages.*")
    with Engine(path) as engine:
        engine.state.settle()
        old = pages.read_bytes()
        app.write("DELETE FROM t WHERE id > 50")
        engine.take()
        app.write(insert(400))
        engine.take()
        new = pages.read_bytes()
    chance = random.Random(seed)
    size = chance.choice((len(old), len(new)))
    parts = [chance.choice((old, new))[at : at + 8] for at in range(0, size, 8)]
    pages.write_bytes(b"".join(part or bytes(8) for part in parts)[:size])
    proven(path, app, follower)
