"""Reloads, pauses and stops that come in each other's way, under writers: nothing is lost, nothing piles up."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics.errors import LitestreamdError
from litestreamd.daemon.control_client import ask
from tests.support.driving import image_of
from tests.support.live import App, create, insert
from tests.support.programs import EXIT_OK, OURS
from tests.support.replicator import Protected, Replicator, descriptors
from tests.support.waiting import until
from tests.unit.test_daemon_reload import Daemon, entry


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    (tmp_path / "r").mkdir()
    with Replicator(OURS, tmp_path, [Protected(tmp_path / "unused.db", (tmp_path / "unused",))]) as found:
        yield Daemon(tmp_path, found)


@pytest.fixture
def places(tmp_path: Path) -> list[tuple[Path, Path]]:
    found = [(tmp_path / f"{name}.db", tmp_path / "r" / name) for name in "abc"]
    for path, _ in found:
        create(path)
    return found


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def test_a_storm_of_reloads_under_writers(daemon: Daemon, places: list[tuple[Path, Path]]) -> None:
    chances = random.Random(5)
    daemon.configure(*(entry(*place) for place in places))
    daemon.start()
    assert daemon.sync()[0] == 200
    before = None
    with App(places[0][0]) as stays, App(places[1][0]) as goes:
        for number in range(60):
            chosen = [places[0], *chances.sample(places[1:], chances.randrange(3))]
            changed = {"busy-timeout": f"{chances.randrange(1, 3)}s"}
            if chances.random() < 0.1:
                daemon.replicator.config.write_text("dbs: {")
            else:
                daemon.configure(*(entry(*place, **(changed if place is chosen[-1] else {})) for place in chosen))
            os.kill(daemon.replicator.pid, signal.SIGHUP)
            stays.write(insert(1))
            goes.write(insert(1))
            if number == 20:
                before = threads(daemon.replicator.pid)
        daemon.configure(*(entry(*place) for place in places))
        os.kill(daemon.replicator.pid, signal.SIGHUP)
        until(lambda: daemon.paths() == ["a.db", "b.db", "c.db"], "the last configuration is in effect", 60)
        assert daemon.sync()[0] == 200
        assert image_of(places[0][1]) == stays.image()
        assert image_of(places[1][1]) == goes.image()
        assert before is not None and threads(daemon.replicator.pid) <= before + 16, "threads do not pile up"
        until(lambda: descriptors(daemon.replicator.pid) < 60, "descriptors do not pile up", 30)
    daemon.replicator.stop_clean()


def test_pauses_and_reloads_at_the_same_time(daemon: Daemon, places: list[tuple[Path, Path]]) -> None:
    daemon.configure(*(entry(*place) for place in places[:2]))
    daemon.start()
    assert daemon.sync()[0] == 200
    path, root = places[0]
    done = threading.Event()
    surprises: list[BaseException] = []

    def pause_and_resume() -> None:
        while not done.is_set():
            for route in ("/pause", "/resume"):
                try:
                    status, _ = ask(daemon.socket, "POST", route, {"db": str(path)}, 40)
                    assert status in (200, 404)
                except (LitestreamdError, AssertionError) as error:
                    surprises.append(error)
                    return

    pausing = [threading.Thread(target=pause_and_resume) for _ in range(2)]
    for thread in pausing:
        thread.start()
    with App(path) as app:
        for number in range(30):
            more = {"busy-timeout": f"{number % 3 + 1}s"}
            daemon.configure(entry(path, root, **more), entry(*places[1]))
            os.kill(daemon.replicator.pid, signal.SIGHUP)
            app.write(insert(1))
        done.set()
        for thread in pausing:
            thread.join()
        assert surprises == []
        ask(daemon.socket, "POST", "/resume", {"db": str(path)}, 40)
        # The last signal may not have been looked at yet: a barrier in the midst of its reload finds no database.
        until(lambda: daemon.sync(path)[0] == 200, "the database is protected, and everything is on the replica", 60)
        assert image_of(root) == app.image()
    daemon.replicator.stop_clean()


@pytest.mark.parametrize("delay_looks", range(6))
def test_the_end_in_the_midst_of_a_reload(daemon: Daemon, places: list[tuple[Path, Path]], delay_looks: int) -> None:
    daemon.configure(*(entry(*place) for place in places[:2]))
    daemon.start()
    assert daemon.sync()[0] == 200
    with App(places[0][0]) as app, App(places[1][0]) as other:
        app.write(insert(2))
        other.write(insert(2))
        daemon.configure(entry(*places[0], **{"busy-timeout": "3s"}), entry(*places[2]))
        os.kill(daemon.replicator.pid, signal.SIGHUP)
        for _ in range(delay_looks):
            daemon.status()
        assert daemon.replicator.stop() == EXIT_OK, daemon.replicator.log[-3000:]
        assert image_of(places[0][1]) == app.image()
        assert image_of(places[1][1]) == other.image()
