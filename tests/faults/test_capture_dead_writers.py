"""Writers that die inside SQLite: frames beyond the index, an index half written, a restart half made.

The half-made state is put together from a twin: a copy of the three files in which the application goes one step
further. What the twin has more is what a writer had written when it died.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.wal.frames import frame_offset
from litestreamd.wal.index import COPY_SIZE
from tests.support.live import App, Engine, create, insert, scribble
from tests.support.waiting import until

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, PAGE)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


class Twin:
    """The files of a database whose only process just died, one step of the application later."""

    def __init__(self, path: Path, *steps: str) -> None:
        self.path = path.parent / "twin" / path.name
        self.path.parent.mkdir()
        # By another process: in ours the engine's locks would go with the copy's descriptors.
        names = [f"{path}{suffix}" for suffix in ("", "-wal", "-shm")]
        subprocess.run(["cp", *names, str(self.path.parent)], check=True)
        with App(self.path) as app:
            for step in steps:
                app.run(step)
            app.kill()

    def wal(self, after_frame: int) -> tuple[int, bytes]:
        """(offset, bytes) of what the twin's WAL has behind a frame."""
        offset = frame_offset(after_frame + 1, PAGE)
        return offset, self.suffixed("-wal").read_bytes()[offset:]

    def index(self, first: int, length: int) -> bytes:
        return self.suffixed("-shm").read_bytes()[first : first + length]

    def suffixed(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)


def die_after_the_commit_frame(engine: Engine) -> None:
    """All frames of a commit are in the file; the index does not know."""
    last = engine.header.max_frame
    twin = Twin(engine.path, insert(3))
    scribble(engine.live.wal_path, *twin.wal(last))


def test_a_commit_nobody_can_see_is_not_captured(path: Path, app: App) -> None:
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(3)
        engine.assert_followed(follower, app)
        die_after_the_commit_frame(engine)
        assert engine.assert_followed(follower, app) == []
        app.write("DELETE FROM t WHERE id = 1")  # in the place of the phantom
        assert [taken.reason for taken in engine.assert_followed(follower, app)] == [None]


def test_a_phantom_that_a_recovery_brings_to_life_is_captured(path: Path, app: App) -> None:
    """When everybody died SQLite takes the phantom for a commit; so must we."""
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(3)
        engine.assert_followed(follower, app)
        die_after_the_commit_frame(engine)
        app.kill()
    Path(f"{path}-shm").unlink()
    with Engine(path) as engine, App(path) as reader:
        assert engine.how is None
        assert len(engine.assert_followed(follower, reader)) == 1


@pytest.mark.parametrize("copy", [0, 1])
def test_an_index_with_two_different_halves(path: Path, app: App, copy: int) -> None:
    """The writer died between the two copies of the header: the next reader recovers, and the count starts anew."""
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(3)
        engine.assert_followed(follower, app)
        last = engine.header.max_frame
        twin = Twin(path, insert(3))
        scribble(engine.live.wal_path, *twin.wal(last))
        scribble(engine.live.shm_path, copy * COPY_SIZE, twin.index(copy * COPY_SIZE, COPY_SIZE))
        engine.assert_followed(follower, app)
        assert engine.header.max_frame > last
        assert engine.live.locks_held()
        app.fill(1)
        engine.assert_followed(follower, app)


def restart_half_made(engine: Engine, app: App) -> None:
    """All is checkpointed; the index already shows the next generation, the file still holds the old one."""
    engine.keeper.checkpoint(engine.tick())
    twin = Twin(engine.path, "PRAGMA wal_checkpoint(TRUNCATE)")
    scribble(engine.live.shm_path, 0, twin.index(0, 2 * COPY_SIZE + 4))


def test_a_restart_that_only_the_index_has_seen_keeps_our_place(path: Path, app: App) -> None:
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(3)
        engine.assert_followed(follower, app)
        before = engine.capture.head
        restart_half_made(engine, app)
        assert (engine.header.max_frame, engine.header.salts == before.position.salts) == (0, False)
        assert engine.take() == []
        assert engine.capture.head == before
        app.fill(3)
        engine.assert_followed(follower, app)


def test_a_recovery_that_undoes_the_restart_loses_nothing(path: Path, app: App) -> None:
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(3)
        engine.assert_followed(follower, app)
        restart_half_made(engine, app)
        engine.take()
        app.kill()
    Path(f"{path}-shm").unlink()
    with Engine(path) as engine, App(path) as other:
        assert engine.how is None
        assert engine.assert_followed(follower, other) == []
        other.fill(2)
        assert len(engine.assert_followed(follower, other)) == 1


@pytest.mark.parametrize("tries", range(4))
def test_writers_killed_at_any_moment(path: Path, tries: int) -> None:
    """A writer at full speed dies by SIGKILL; whoever comes next finds what was captured, and so do we."""
    with Engine(path) as engine, App(path) as reader:
        follower = engine.follower(reader)
        loop = f"""
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
db.execute("PRAGMA wal_autocheckpoint={tries * 7}")
db.execute("PRAGMA cache_size=5")
print(flush=True)
while True:
    db.execute("BEGIN IMMEDIATE")
    db.execute({insert(40)!r})
    db.execute("DELETE FROM t WHERE id % 3 = 0 OR id < (SELECT max(id) - 200 FROM t)")
    db.execute("COMMIT")
"""
        for _ in range(3):
            with subprocess.Popen([sys.executable, "-c", loop, str(path)], stdout=subprocess.PIPE) as writer:
                assert writer.stdout is not None
                writer.stdout.readline()
                goal = engine.capture.head.txid + 8
                until(lambda goal=goal: look(engine) >= goal, "captures beside the writer", 20)
                writer.kill()
            engine.assert_followed(follower, reader)


def look(engine: Engine) -> int:
    engine.take()
    engine.refresh()
    return engine.capture.head.txid
