"""Restores that are killed: at every named point, and anywhere. The target is whole or absent, old or new, never mixed.

A later restore to the same place succeeds and removes what the killed one left.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from litestreamd.replica.folder.replica import FolderReplica
from tests.support.histories import History, sqlite_history
from tests.support.images import damage as complaint
from tests.support.programs import TREE, environment
from tests.support.restoring import left_in, restored
from tests.support.waiting import until

# Dies by SIGKILL at a named point of the program.
AT_POINT = """
import os, signal, sys
from litestreamd.basics import crash_points
from litestreamd.cli.main import main
crash_points.arm(sys.argv[1], 1, lambda: os.kill(os.getpid(), signal.SIGKILL))
main(["restore", *sys.argv[2:]])
"""
POINTS = ("restore.filled", "restore.sidecars-moved", "restore.kept", "restore.installed")


@pytest.fixture
def history(tmp_path: Path) -> History:
    (tmp_path / "home").mkdir()
    return sqlite_history(tmp_path, tmp_path / "replica", steps=12)


def killed_at(point: str, *words: object) -> int:
    command = [sys.executable, "-c", AT_POINT, point, *map(str, words)]
    return subprocess.run(command, capture_output=True, cwd=TREE, env=environment(), check=False).returncode


def old_database(path: Path) -> bytes:
    """A database whose last commits are in its WAL; out: what it holds once they are in the file."""
    program = (
        "import os, sqlite3, sys\ndb = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA journal_mode=WAL')\ndb.execute('PRAGMA wal_autocheckpoint=0')\n"
        "db.execute('CREATE TABLE old(a)')\ndb.execute('INSERT INTO old VALUES (42)')\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.serialize()


def content(path: Path) -> bytes:
    """What a reader sees of a database, WAL included."""
    with closing(sqlite3.connect(path)) as db:
        return db.serialize()


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_of_a_new_restore(tmp_path: Path, history: History, point: str) -> None:
    out = tmp_path / "home/app.db"
    (tmp_path / "home/app.db-wal").write_bytes(b"of an older life")
    dead = killed_at(point, "-o", out, f"file://{tmp_path}/replica")
    reached = dead == -signal.SIGKILL
    assert reached == (point != "restore.kept")
    if out.exists():
        assert out.read_bytes() == history.image(12)
    else:
        assert point in ("restore.filled", "restore.sidecars-moved")
        restored(history.replica, out)
        assert out.read_bytes() == history.image(12)
    assert not [name for name in left_in(out.parent) if name.endswith(".restoring")]
    # Moved aside or still where it was, but never replayed and never lost.
    leftovers = [path for path in out.parent.iterdir() if path.name.startswith("app.db-wal")]
    assert [path.read_bytes() for path in leftovers] == [b"of an older life"]
    assert complaint(out) == ""


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_of_a_replacement(tmp_path: Path, history: History, point: str) -> None:
    out = tmp_path / "home/app.db"
    old = old_database(out)
    assert killed_at(point, "-force", "-o", out, f"file://{tmp_path}/replica") == -signal.SIGKILL
    now = content(out)
    assert now == (history.image(12) if point == "restore.installed" else old)
    restored(history.replica, out, force=True)
    assert out.read_bytes() == history.image(12)
    assert not [name for name in left_in(out.parent) if name.endswith(".restoring")]
    kept = [content(path) for path in out.parent.iterdir() if path.name.startswith("app.db.before-")]
    assert old in kept


def large_history(tmp_path: Path) -> History:
    """Enough pages that a signal can come anywhere in the middle."""
    history, chance = History(FolderReplica(tmp_path / "replica", "file"), 4096), random.Random(5)
    history.commit([chance.randbytes(4096) for _ in range(15_000)])
    history.store(9, 1, 1)
    return history


def start(words: list[str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "litestreamd", "restore", *words]
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=TREE, env=environment(), stdout=silent, stderr=silent)


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
def test_killed_anywhere(tmp_path: Path, signal_number: int, share: float) -> None:
    history, home = large_history(tmp_path), tmp_path / "home"
    home.mkdir()
    size = len(history.image(1))
    process = start(["-o", str(home / "app.db"), "-parallelism", "1", f"file://{tmp_path}/replica"])

    def far_enough() -> bool:
        drafts = list(home.glob(".app.db.*.restoring"))
        written = sum(path.stat().st_blocks * 512 for path in drafts) if drafts else -1
        return written >= share * size or (home / "app.db").exists() or process.poll() is not None

    until(far_enough, "the restore writes", 60)
    os.kill(process.pid, signal_number)
    process.wait(60)
    if (home / "app.db").exists():
        assert (home / "app.db").read_bytes() == history.image(1)
    elif signal_number != signal.SIGKILL:
        assert left_in(home) == set(), "an orderly end leaves nothing"
    restored(history.replica, home / "again.db")
    (home / "app.db").unlink(missing_ok=True)
    restored(history.replica, home / "app.db")
    assert (home / "app.db").read_bytes() == history.image(1)
    assert left_in(home) == {"app.db", "again.db"}


def test_two_restores_to_one_place_at_once(tmp_path: Path) -> None:
    history, home = large_history(tmp_path), tmp_path / "home"
    home.mkdir()
    processes = [start(["-o", str(home / "app.db"), f"file://{tmp_path}/replica"]) for _ in range(3)]
    codes = sorted(process.wait(120) for process in processes)
    assert codes == [0, 64, 64]
    assert (home / "app.db").read_bytes() == history.image(1)
    assert left_in(home) == {"app.db"}
