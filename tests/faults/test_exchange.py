"""One database takes another's place, and somebody tries to use it, or has laid something there, or the disk is
full."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from litestreamd.basics import crash_points
from litestreamd.basics.errors import BusyError, EnvironmentFault
from litestreamd.database import install as installing
from litestreamd.database import locks
from litestreamd.database.install import exchange, put_back
from tests.contract.places import no_hard_links
from tests.support.small_disk import needs_root, small_disk

STAMP = "STAMP"
WRITE = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.1)
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("INSERT INTO t VALUES ('sneaked in')")
os._exit(0)
"""
"""A program that commits, and dies with its commit in the WAL."""


def database(path: Path, *words: str) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (word)")
        db.executemany("INSERT INTO t VALUES (?)", [(word,) for word in words])
    return path


def words_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [word for (word,) in db.execute("SELECT word FROM t ORDER BY rowid")]


def written_to(path: Path) -> str:
    """What a writer was told; nothing when it wrote."""
    done = subprocess.run([sys.executable, "-c", WRITE, path], capture_output=True, text=True, check=False)
    return done.stderr


@pytest.mark.parametrize("point", ["restore.sidecars-moved", "restore.kept"])
def test_nobody_writes_in_between(tmp_path: Path, point: str) -> None:
    """A WAL of the old one beside the new one would be replayed onto it."""
    old, new = database(tmp_path / "app.db", "old"), database(tmp_path / "new.db", "new")
    told = list[str]()
    crash_points.arm(point, 1, lambda: told.append(written_to(old)))
    installed = exchange(old, new, STAMP)
    assert "database is locked" in told[0]
    assert words_in(tmp_path / "app.db") == ["new"]
    assert words_in(tmp_path / "app.db.before-STAMP") == ["old"]
    assert installed.late == ()
    assert written_to(old) == ""
    assert words_in(old) == ["new", "sneaked in"]


def test_who_came_and_died_before_it_was_locked_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = database(tmp_path / "app.db", "old"), database(tmp_path / "new.db", "new")
    exclude = locks.exclude

    def late(descriptor: int) -> bool:
        assert written_to(old) == ""
        return exclude(descriptor)

    monkeypatch.setattr(locks, "exclude", late)
    with pytest.raises(BusyError, match="was used just now"):
        exchange(old, new, STAMP)
    assert words_in(old) == ["old", "sneaked in"]
    assert words_in(new) == ["new"]


def test_who_has_it_open_without_a_lock_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """He would find the WAL of the new one by its name."""
    old, new = database(tmp_path / "app.db", "old"), database(tmp_path / "new.db", "new")
    waits = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    monkeypatch.setattr(installing, "_refuse_busy", lambda *_: None)  # he comes after it
    with subprocess.Popen(
        [sys.executable, "-c", waits, old], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as somebody:
        assert somebody.stdout and somebody.stdout.readline()
        with pytest.raises(BusyError, match="is in use"):
            exchange(old, new, STAMP)
        somebody.communicate()
    assert words_in(old) == ["old"]


def test_nobody_writes_to_what_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    restored, present = database(tmp_path / "app.db", "restored"), database(tmp_path / "app.db.before-STAMP", "present")
    told, rename = list[str](), Path.rename

    def renamed(path: Path, target: Path) -> Path:
        told.append(written_to(restored))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", renamed)
    put_back(restored, present)
    assert "database is locked" in told[0]
    assert words_in(restored) == ["present"]


@needs_root
def test_on_a_full_disk_the_last_commits_stay_where_they_are(tmp_path: Path) -> None:
    """They are in the WAL, and there is no room for them in the file."""
    with small_disk(tmp_path / "disk", 512) as disk:
        old, new = database(disk.folder / "app.db", "old"), database(disk.folder / "new.db", "new")
        grow = WRITE.replace("VALUES ('sneaked in')", "SELECT randomblob(100000)")
        subprocess.run([sys.executable, "-c", grow, old], check=True)
        disk.fill(9)  # room for the -shm
        with pytest.raises(EnvironmentFault, match=r"no room for the last commits of .*app\.db, which are in its WAL"):
            exchange(old, new, STAMP)
        assert not list(disk.folder.glob("*before*"))
        disk.make_room()
        assert len(words_in(old)) == 2
        exchange(old, new, STAMP)
        assert words_in(old) == ["new"]
        assert len(words_in(disk.folder / "app.db.before-STAMP")) == 2


def test_a_copy_is_not_written_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without hard links (or with as many as a file can have) the old one is copied."""
    old, new = database(tmp_path / "app.db", "old"), database(tmp_path / "new.db", "new")
    victim = tmp_path / "victim"
    victim.write_text("root's own")
    (tmp_path / "app.db.before-STAMP.copying").symlink_to(victim)
    old.chmod(0o640)
    os.utime(old, ns=(1_000_000_007, 2_000_000_009))
    os.setxattr(old, "user.note", b"kept")
    monkeypatch.setattr(os, "link", no_hard_links)
    exchange(old, new, STAMP)
    kept = tmp_path / "app.db.before-STAMP"
    assert victim.read_text() == "root's own"
    assert not kept.is_symlink()
    assert (kept.stat().st_mode & 0o777, kept.stat().st_mtime_ns) == (0o640, 2_000_000_009)
    assert os.getxattr(kept, "user.note") == b"kept"
    assert (words_in(old), words_in(kept)) == (["new"], ["old"])
