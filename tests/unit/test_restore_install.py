"""Putting the file in its place: what was there is never lost, never replayed, never taken from under a process."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from litestreamd.basics.errors import BusyError, DamagedData, RightsError, UsageError
from litestreamd.database import install as installing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from tests.contract.places import no_hard_links
from tests.support.histories import History, damage, flip, object_path, sqlite_history
from tests.support.programs import TREE, environment
from tests.support.restoring import left_in, restored

STAMP = "2025-10-09T085320.000Z"
"""How the time of tests.support.restoring appears in names."""


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


LEAVE_WAL = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute(f"PRAGMA journal_mode={sys.argv[2]}")
db.execute("PRAGMA wal_autocheckpoint=0")
db.execute("CREATE TABLE kept(a)")
db.execute("INSERT INTO kept VALUES ('committed')")
if sys.argv[2] == "delete":
    db.execute("PRAGMA cache_size=1")
    db.execute("BEGIN")
    db.execute("INSERT INTO kept SELECT randomblob(4000) FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9))")
print("ready", flush=True)
if sys.argv[3] == "stay":
    sys.stdin.readline()
os._exit(0)
"""


def die_with_sidecars(path: Path, mode: str = "wal") -> None:
    """A process that commits and dies without closing: the data is in the sidecars."""
    subprocess.run([sys.executable, "-c", LEAVE_WAL, str(path), mode, "die"], check=True, capture_output=True)


@pytest.fixture
def user(home: Path) -> Iterator[Path]:
    """A database that another process has open, in WAL mode."""
    path = home / "app.db"
    command = [sys.executable, "-c", LEAVE_WAL, str(path), "wal", "stay"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield path
        process.kill()


def rows(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT a FROM kept")]


# A new place


def test_missing_folders_are_made_private(tmp_path: Path, history: History) -> None:
    restored(history.replica, tmp_path / "a/b/out.db")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]
    assert left_in(tmp_path / "a/b") == {"out.db"}


def test_the_file_has_one_name(home: Path, history: History) -> None:
    restored(history.replica, home / "out.db")
    assert (home / "out.db").stat().st_nlink == 1


@pytest.mark.parametrize("content", [b"", b"something"])
def test_an_existing_file_is_never_touched(home: Path, history: History, content: bytes) -> None:
    (home / "out.db").write_bytes(content)
    (home / "out.db-wal").write_bytes(b"its wal")
    with pytest.raises(UsageError, match=r"exists already.*-force"):
        restored(history.replica, home / "out.db")
    assert (home / "out.db").read_bytes() == content
    assert left_in(home) == {"out.db", "out.db-wal"}


def test_a_folder_is_not_replaced_even_with_force(home: Path, history: History) -> None:
    with pytest.raises(UsageError, match="not a file"):
        restored(history.replica, home, force=True)


def test_a_file_that_appears_meanwhile_is_left_alone(home: Path, history: History) -> None:
    class Late(FolderReplica):
        def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
            (home / "out.db").write_bytes(b"the application was faster")
            return super().read_at(name, offset, length)

    with pytest.raises(UsageError):
        restored(Late(history.replica._root, "file"), home / "out.db")
    assert (home / "out.db").read_bytes() == b"the application was faster"
    assert left_in(home) == {"out.db"}


def test_a_link_to_nowhere_gets_its_file(home: Path, history: History) -> None:
    (home / "link.db").symlink_to(home / "real.db")
    restored(history.replica, (home / "link.db").resolve())
    assert (home / "link.db").is_symlink()
    assert (home / "real.db").read_bytes() == history.image(8)


def test_sidecars_of_an_older_life_are_kept_and_not_replayed(home: Path, history: History) -> None:
    path = home / "app.db"
    die_with_sidecars(path)
    wal = (home / "app.db-wal").read_bytes()
    path.unlink()
    (home / "app.db-journal").write_bytes(b"an older journal")
    done = restored(history.replica, path)
    assert left_in(home) == {
        "app.db",
        f"app.db-wal.before-{STAMP}",
        f"app.db-shm.before-{STAMP}",
        f"app.db-journal.before-{STAMP}",
    }
    assert {aside.name for aside in done.installed.aside} == left_in(home) - {"app.db"}
    assert (home / f"app.db-wal.before-{STAMP}").read_bytes() == wal
    assert path.read_bytes() == history.image(8)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_master WHERE name = 'kept'").fetchall() == []


def test_a_folder_without_the_right_to_write(home: Path, history: History, tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom litestreamd.basics.errors import RightsError\n"
        "from litestreamd.replica.folder.replica import FolderReplica\nfrom tests.support.restoring import restored\n"
        "if os.geteuid() == 0:\n    os.setgid(65534); os.setuid(65534)\n"
        "try:\n    restored(FolderReplica(Path(sys.argv[1]), 'file'), Path(sys.argv[2]))\n"
        "except RightsError as error:\n    print(error)\n"
    )
    subprocess.run(["chmod", "-R", "a+rX", str(tmp_path)], check=True)
    for folder in (tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    home.chmod(0o555)
    try:
        command = [sys.executable, "-c", program, str(history.replica._root), str(home / "out.db")]
        done = subprocess.run(command, capture_output=True, text=True, cwd=TREE, env=environment(), check=True)
    finally:
        home.chmod(0o755)
    assert "run this as a user who may write there" in done.stdout
    assert RightsError.exit_code == 77
    assert left_in(home) == set()


# A place that is taken


def test_force_keeps_the_old_database_with_its_last_commits(home: Path, history: History) -> None:
    path = home / "app.db"
    die_with_sidecars(path)
    done = restored(history.replica, path, force=True)
    kept = home / f"app.db.before-{STAMP}"
    assert path.read_bytes() == history.image(8)
    assert done.installed.aside == (kept,)
    assert left_in(home) == {"app.db", kept.name}
    assert rows(kept) == ["committed"]


def test_force_keeps_a_wal_that_cannot_be_replayed(home: Path, history: History) -> None:
    path = home / "app.db"
    die_with_sidecars(path)
    wal = bytearray((home / "app.db-wal").read_bytes())
    wal[20] ^= 0xFF
    (home / "app.db-wal").write_bytes(wal)
    restored(history.replica, path, force=True)
    assert path.read_bytes() == history.image(8)
    assert (home / f"app.db-wal.before-{STAMP}").read_bytes() == wal


def test_force_rolls_a_hot_journal_back_first(home: Path, history: History) -> None:
    path = home / "app.db"
    die_with_sidecars(path, "delete")
    assert (home / "app.db-journal").stat().st_size > 0
    restored(history.replica, path, force=True)
    kept = home / f"app.db.before-{STAMP}"
    assert left_in(home) == {"app.db", kept.name}
    assert rows(kept) == ["committed"]


def test_force_on_a_free_place_is_an_ordinary_restore(home: Path, history: History) -> None:
    assert restored(history.replica, home / "out.db", force=True).installed.aside == ()
    assert left_in(home) == {"out.db"}


@pytest.mark.parametrize("rubbish", [b"", b"no database at all", b"SQLite format 3\0" + b"\xff" * 5000])
def test_force_replaces_what_sqlite_cannot_read(home: Path, history: History, rubbish: bytes) -> None:
    path = home / "app.db"
    path.write_bytes(rubbish)
    (home / "app.db-wal").write_bytes(b"its wal, perhaps still of use")
    restored(history.replica, path, force=True)
    assert path.read_bytes() == history.image(8)
    assert (home / f"app.db.before-{STAMP}").read_bytes() == rubbish
    assert (home / f"app.db-wal.before-{STAMP}").read_bytes() == b"its wal, perhaps still of use"


def test_force_refuses_while_an_application_has_it_open(user: Path, home: Path, history: History) -> None:
    before = {path.name: path.read_bytes() for path in home.iterdir() if path.name != "app.db-shm"}
    with pytest.raises(BusyError, match=r"open in process [0-9]+"):
        restored(history.replica, user, force=True)
    assert {path.name: path.read_bytes() for path in home.iterdir() if path.name != "app.db-shm"} == before


def test_an_application_that_starts_meanwhile_is_seen(home: Path, history: History) -> None:
    path, started = home / "app.db", []
    path.write_bytes(b"")

    class Started(FolderReplica):
        def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
            if not started:
                with path.open("rb") as file:
                    started.append(subprocess.Popen(["sleep", "60"], stdin=file))
            return super().read_at(name, offset, length)

    try:
        with pytest.raises(BusyError, match=r"open in process [0-9]+"):
            restored(Started(history.replica._root, "file"), path, force=True, parallelism=1)
    finally:
        started[0].kill()
        started[0].wait()
    assert left_in(home) == {"app.db"}


def test_locks_alone_are_enough_to_see_an_application(
    user: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to look into other users' processes only the lock on the file shows them."""
    monkeypatch.setattr(installing.locks, "openers", lambda path: [])
    with pytest.raises(BusyError, match="of another user"):
        restored(history.replica, user, force=True)


def test_force_refuses_while_a_daemon_replicates_it(home: Path, history: History) -> None:
    path = home / "app.db"
    path.write_bytes(b"")
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=f"replicated by process {os.getpid()}"):
            restored(history.replica, path, force=True)
    assert left_in(home) == {"app.db"}


def test_force_refuses_before_anything_is_fetched(user: Path, history: History) -> None:
    class Untouched(FolderReplica):
        def list(self, level: int | None = None) -> Iterator[object]:  # type: ignore[override]
            raise AssertionError("the replica was asked")

    with pytest.raises(BusyError):
        restored(Untouched(history.replica._root, "file"), user, force=True)


def test_the_file_is_durable_before_it_has_its_name(
    home: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a power cut could show it; so the calls are watched, and still made."""
    calls: list[str] = []
    fsync, link, rename = os.fsync, os.link, Path.rename

    def watched_fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        calls.append("fsync folder" if path.is_dir() else "fsync file")
        fsync(descriptor)

    def watched_link(source: Path, target: Path) -> None:
        calls.append(f"link {target.name}")
        link(source, target)

    def watched_rename(source: Path, target: Path) -> Path:
        calls.append(f"rename {target.name}")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "link", watched_link)
    monkeypatch.setattr(Path, "rename", watched_rename)
    restored(history.replica, home / "app.db")
    assert calls == ["fsync file", "link app.db", "fsync folder"]
    calls.clear()
    (home / "app.db-journal").write_bytes(b"")
    (home / "app.db").unlink()
    restored(history.replica, home / "app.db")
    assert calls == [
        "fsync file",
        f"rename app.db-journal.before-{STAMP}",
        "fsync folder",
        "link app.db",
        "fsync folder",
    ]
    calls.clear()
    restored(history.replica, home / "app.db", force=True)
    assert calls == ["fsync file", f"link app.db.before-{STAMP}", "rename app.db", "fsync folder"]


def test_a_failed_restore_leaves_the_old_database_as_it_was(home: Path, history: History) -> None:
    path = home / "app.db"
    die_with_sidecars(path)
    before = {each.name: each.read_bytes() for each in home.iterdir()}
    damage(object_path(history.replica._root, ObjectName(0, 8, 8)), flip(85))
    with pytest.raises(DamagedData):
        restored(history.replica, path, force=True)
    assert {each.name: each.read_bytes() for each in home.iterdir()} == before


def test_without_hard_links_the_old_database_is_copied(
    home: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "app.db"
    die_with_sidecars(path)
    monkeypatch.setattr(os, "link", no_hard_links)
    restored(history.replica, path, force=True)
    assert path.read_bytes() == history.image(8)
    assert rows(home / f"app.db.before-{STAMP}") == ["committed"]
    restored(history.replica, home / "new.db")
    assert (home / "new.db").read_bytes() == history.image(8)
