"""A running daemon and its configuration: what changes takes effect, what stays is not disturbed, what is broken is
refused; databases of folders come and go."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from litestreamd.daemon.control_client import ask
from tests.support import folder_listing, images
from tests.support.daemons import Daemon
from tests.support.driving import image_of
from tests.support.live import App, create, insert
from tests.support.programs import EXIT_OK, OURS
from tests.support.replicator import Protected, Replicator
from tests.support.waiting import until


def entry(path: Path, root: Path, **more: Any) -> dict[str, Any]:
    return {"path": str(path), "replica": {"path": str(root)}, **more}


@pytest.fixture
def databases(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{name}.db" for name in "abc"]
    for path in found:
        create(path)
    return found


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    (tmp_path / "r").mkdir()
    with Replicator(OURS, tmp_path, [Protected(tmp_path / "unused.db", (tmp_path / "unused",))]) as found:
        yield Daemon(tmp_path, found)


def test_databases_come_go_and_stay(daemon: Daemon, databases: list[Path], tmp_path: Path) -> None:
    a, b, c = databases
    roots = [tmp_path / "r" / name for name in "abc"]
    daemon.configure(entry(a, roots[0]), entry(b, roots[1]))
    daemon.start()
    assert daemon.sync()[0] == 200
    opened = daemon.replicator.log.count(f"{a}: opened")
    with App(a) as app, App(b) as leaving:
        leaving.write(insert(2))
        daemon.configure(entry(a, roots[0]), entry(c, roots[2]))
        daemon.reload(f"{c}: opened")
        until(lambda: daemon.paths() == ["a.db", "c.db"], "the new set")
        assert image_of(roots[1]) == leaving.image(), "the one that left had its final sync"
        app.write(insert(2))
        assert daemon.sync()[0] == 200
        assert image_of(roots[0]) == app.image()
    assert daemon.replicator.log.count(f"{a}: opened") == opened, "the one that stayed was not touched"
    assert folder_listing.head(roots[2]) >= 2
    daemon.replicator.stop_clean()


def test_a_changed_database_goes_on_where_it_was(daemon: Daemon, databases: list[Path], tmp_path: Path) -> None:
    a, one, two = databases[0], tmp_path / "r" / "one", tmp_path / "r" / "two"
    daemon.configure(entry(a, one))
    daemon.start()
    assert daemon.sync()[0] == 200
    with App(a) as app:
        app.write(insert(3))
        replicas = [{"name": "one", "path": str(one)}, {"name": "two", "path": str(two)}]
        daemon.configure({"path": str(a), "replicas": replicas})
        daemon.reload(f"{a}: opened")
        assert daemon.sync()[0] == 200
        assert image_of(one) == image_of(two) == app.image()
    daemon.replicator.stop_clean()
    assert "comparing" not in daemon.replicator.log


def test_a_broken_configuration_is_refused_and_the_old_one_stays(
    daemon: Daemon, databases: list[Path], tmp_path: Path
) -> None:
    a, root = databases[0], tmp_path / "r" / "a"
    daemon.configure(entry(a, root))
    daemon.start()
    daemon.replicator.config.write_text("dbs: [{path: x, replcia: {path: y}}]")
    daemon.reload("the new configuration is refused, the old one stays")
    assert "did you mean replica" in daemon.status()["reload_error"]
    with App(a) as app:
        app.write(insert(1))
        assert daemon.sync()[0] == 200
        assert image_of(root) == app.image()
    daemon.configure(entry(a, root))
    os.kill(daemon.replicator.pid, signal.SIGHUP)
    until(lambda: daemon.status()["reload_error"] is None, "it is read again")
    daemon.replicator.stop_clean()


def test_pause_lets_go_and_resume_takes_it_up(daemon: Daemon, databases: list[Path], tmp_path: Path) -> None:
    a, b = databases[:2]
    roots = [tmp_path / "r" / name for name in "ab"]
    daemon.configure(entry(a, roots[0]), entry(b, roots[1]))
    daemon.start()
    assert daemon.sync()[0] == 200
    with App(a) as app:
        app.write(insert(1))
        status, answer = ask(daemon.socket, "POST", "/pause", {"db": str(a)}, 40)
        assert (status, answer["complete"]) == (200, True)
        assert image_of(roots[0]) == app.image()
        states = {each["path"]: each["state"] for each in daemon.status()["databases"]}
        assert states == {str(a): "paused", str(b): "watched"}
        status, answer = daemon.sync(a)
        assert status == 404 and "is paused" in answer["error"]
        app.write(insert(1))
        assert image_of(roots[0]) != app.image()
        assert ask(daemon.socket, "POST", "/resume", {"db": str(a)})[0] == 200
        assert daemon.sync(a)[0] == 200
        assert image_of(roots[0]) == app.image()
    daemon.replicator.stop_clean()


def test_the_barrier_is_kept_under_a_busy_writer(daemon: Daemon, databases: list[Path], tmp_path: Path) -> None:
    """What was committed before the question is on the replica with the answer, each time."""
    a, root = databases[0], tmp_path / "r" / "a"
    daemon.configure(entry(a, root, **{}), **{"sync-interval": "1h"})
    daemon.start()
    with App(a) as app:
        for _ in range(15):
            app.write(insert(2))
            committed = app.image()
            assert daemon.sync(a)[0] == 200
            assert image_of(root) == committed
    daemon.replicator.stop_clean()


def test_a_barrier_that_cannot_be_kept_says_so(daemon: Daemon, databases: list[Path], tmp_path: Path) -> None:
    a, root = databases[0], tmp_path / "r" / "a"
    daemon.configure(entry(a, root))
    daemon.start()
    assert daemon.sync()[0] == 200
    (tmp_path / "r").rename(tmp_path / "away")
    with App(a) as app:
        app.write(insert(1))
        status, answer = ask(daemon.socket, "POST", "/sync", {"wait": True, "timeout_s": 0.5}, 40)
        assert status == 504
        assert not answer["databases"][0]["complete"]
        until(lambda: daemon.status()["health"] == "failing", "it is seen")
        (tmp_path / "away").rename(tmp_path / "r")
        assert daemon.sync()[0] == 200, "it is tried at once when somebody waits"
        until(lambda: daemon.status()["health"] == "ok", "and all is well", 40)
    daemon.replicator.stop_clean()


def test_databases_of_a_folder_come_and_go(daemon: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "tenants"
    (folder / "eu").mkdir(parents=True)
    create(folder / "first.db")
    (folder / "notes.txt").write_text("no database")
    (folder / "empty.db").touch()
    create(folder / ".hidden.db")
    daemon.configure({
        "dir": str(folder), "pattern": "*.db", "recursive": True, "watch": True,
        "replica": {"path": str(tmp_path / "r")},
    })  # fmt: skip
    daemon.start()
    until(lambda: daemon.paths() == ["first.db"], "the one that is there")
    create(folder / "eu" / "second.db")
    create(folder / "third.db")
    with closing(sqlite3.connect(folder / "empty.db")) as late:
        late.execute("PRAGMA journal_mode=wal")
        late.execute("CREATE TABLE t (x)")
    until(lambda: daemon.paths() == ["empty.db", "second.db", "first.db", "third.db"], "those that came", 5)
    status, answer = daemon.sync()
    assert status == 200, answer
    assert folder_listing.head(tmp_path / "r" / "eu" / "second.db") >= 2
    with App(folder / "third.db") as app:
        app.write(insert(5))
        last = app.image()
    for path in folder.glob("third.db*"):
        path.unlink()
    until(lambda: "third.db" not in daemon.paths(), "the one that went", 10)
    until(lambda: image_of(tmp_path / "r" / "third.db") == last, "what it had captured is on its replica")
    create(folder / "eu" / "third.db")
    until(lambda: "third.db" in daemon.paths(), "one of the same name elsewhere", 5)
    daemon.replicator.stop_clean()
    recovered = images.recovered_image(folder / "first.db", tmp_path / "recovered")
    assert image_of(tmp_path / "r" / "first.db") == recovered


def test_restore_if_db_not_exists(daemon: Daemon, databases: list[Path], tmp_path: Path) -> None:
    a, root = databases[0], tmp_path / "r" / "a"
    daemon.configure(entry(a, root, **{"restore-if-db-not-exists": True}))
    daemon.start()
    with App(a) as app:
        app.write(insert(3))
        last = app.image()
    daemon.replicator.stop_clean()
    for path in tmp_path.glob("a.db*"):
        path.unlink()
    daemon.start()
    assert daemon.sync()[0] == 200
    assert images.recovered_image(a, tmp_path / "recovered") == last
    assert daemon.replicator.stop() == EXIT_OK
