"""The whole process: how it ends, what it says then, and who may run beside it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support import folder_listing, images
from tests.support.driving import image_of
from tests.support.live import App, create, insert
from tests.support.programs import EXIT_LEFT_BEHIND, EXIT_OK, OURS, environment
from tests.support.replicator import Protected, Replicator, descriptors
from tests.support.waiting import until

EXIT_BUSY = 75


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk" / "one"


@pytest.fixture
def daemon(tmp_path: Path, path: Path, root: Path) -> Iterator[Replicator]:
    with Replicator(OURS, tmp_path, [Protected(path, (root,))]) as found:
        yield found


def impatient(daemon: Replicator) -> Replicator:
    """The final sync gets one try only."""
    text = daemon.config.read_text()
    assert text.startswith("{")
    daemon.config.write_text('{"shutdown-sync-timeout": "0s",' + text[1:])
    return daemon


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_committed_before_the_signal_is_on_the_replica(
    daemon: Replicator, path: Path, root: Path, number: int
) -> None:
    """Commits in the middle of an interval of an hour."""
    daemon.config.write_text(daemon.config.read_text().replace('"type"', '"sync-interval": "1h", "type"'))
    daemon.start().wait_head(2)
    with App(path) as app:
        for _ in range(5):
            app.write(insert(3))
        os.kill(daemon.pid, number)
        assert daemon.wait_end() == EXIT_OK
        assert image_of(root) == app.image()
    assert "every replica has everything" in daemon.log


def test_a_signal_right_at_the_start_is_a_clean_end(daemon: Replicator, path: Path, root: Path) -> None:
    """Before the first look: the final sync then does what there is to do."""
    daemon.start().stop_clean()
    assert image_of(root) == images.recovered_image(path, path.with_name("recovered"))


def test_data_left_behind_is_said_and_is_no_success(daemon: Replicator, path: Path, root: Path) -> None:
    patient = daemon.config.read_text()
    impatient(daemon).start().wait_head(2)
    root.parent.rename(root.parent.with_name("away"))
    with App(path) as app:
        app.write(insert(3))
        assert daemon.stop() == EXIT_LEFT_BEHIND
    assert "with data left behind: r0 lacks 1 TXIDs" in daemon.log
    root.parent.with_name("away").rename(root.parent)
    daemon.config.write_text(patient)
    daemon.start().stop_clean()
    assert image_of(root) == images.recovered_image(path, path.with_name("recovered"))


def test_a_replica_that_never_answered_is_data_left_behind(daemon: Replicator, root: Path) -> None:
    root.parent.rmdir()
    assert impatient(daemon).start().stop() == EXIT_LEFT_BEHIND
    assert "is the disk mounted" in daemon.log
    assert "no replica has its last commits" in daemon.log


def test_the_final_sync_waits_for_a_replica_that_comes_back(daemon: Replicator, path: Path, root: Path) -> None:
    daemon.start().wait_head(2)
    away = root.parent.with_name("away")
    root.parent.rename(away)
    with App(path) as app:
        app.write(insert(3))
    os.kill(daemon.pid, signal.SIGTERM)
    daemon.wait(lambda: "final sync" in daemon.log, "the final sync")
    away.rename(root.parent)
    assert daemon.wait_end() == EXIT_OK
    assert image_of(root) == images.recovered_image(path, path.with_name("recovered"))


def test_without_a_database_there_is_nothing_to_leave_behind(daemon: Replicator, path: Path, root: Path) -> None:
    path.unlink()
    daemon.start()
    daemon.wait(lambda: "waiting for the application" in daemon.log, "the line in the log")
    daemon.stop_clean()
    assert not root.exists()


def test_a_second_daemon_is_refused_with_the_pid_of_the_first(
    daemon: Replicator, path: Path, root: Path, tmp_path: Path
) -> None:
    daemon.start().wait_head(2)
    other = tmp_path / "other"
    other.mkdir()
    options = {"meta-path": str(other)}
    with Replicator(OURS, other, [Protected(path, (tmp_path / "elsewhere",), options)]) as second:
        second.start()
        assert second.wait_end() == EXIT_BUSY
        assert f"already replicated by process {daemon.pid}" in second.log
    assert not (tmp_path / "elsewhere").exists()
    with App(path) as app:
        app.write(insert(1))
        daemon.wait_head(3)
        assert image_of(root) == app.image()
    daemon.stop_clean()


def test_one_refused_database_does_not_stop_the_others(daemon: Replicator, path: Path, tmp_path: Path) -> None:
    daemon.start().wait_head(2)
    other, free = tmp_path / "other", tmp_path / "free.db"
    other.mkdir()
    create(free)
    both = [
        Protected(path, (other / "r1",), {"meta-path": str(other / "s1")}),
        Protected(free, (other / "r2",), {"meta-path": str(other / "s2")}),
    ]
    with Replicator(OURS, other, both) as second:
        second.start()
        second.wait(lambda: folder_listing.head(other / "r2") >= 2, "the free one is replicated")
        second.wait(lambda: "already replicated" in second.log, "the other one is told off")
        assert second.running
        assert impatient(second).stop() == EXIT_LEFT_BEHIND
    daemon.stop_clean()


BUG = """
import sys
from litestreamd.cli.main import main
from litestreamd.jobs.replicate import Replication
looks, real = 0, Replication.run
def run(self, woken):
    global looks
    looks += 1
    if looks > 3:
        raise ZeroDivisionError("a bug")
    return real(self, woken)
Replication.run = run
sys.exit(main(["replicate", "-config", sys.argv[1]]))
"""


def test_a_bug_in_a_task_ends_the_process_with_its_traceback(daemon: Replicator, path: Path) -> None:
    """Never a process that lives on and does not replicate."""
    command = [sys.executable, "-c", BUG, str(daemon.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert done.returncode not in (EXIT_OK, EXIT_LEFT_BEHIND)
    assert "ZeroDivisionError: a bug" in done.stderr
    assert "Traceback" in done.stderr


def test_an_idle_process_holds_at_most_six_descriptors_a_database(tmp_path: Path) -> None:
    """Three databases beside one; a few seconds after the last commit."""
    paths = [tmp_path / f"{number}.db" for number in range(4)]
    for path in paths:
        create(path)
    daemons = []
    with ExitStack() as stack:
        for folder, chosen in (("a", paths[:1]), ("b", paths[1:])):
            (tmp_path / folder).mkdir()
            protected = [Protected(path, (tmp_path / folder / path.stem,)) for path in chosen]
            daemon = stack.enter_context(Replicator(OURS, tmp_path / folder, protected)).start()
            daemon.wait_head(2)
            daemons.append(daemon)

        def for_two_more() -> int:
            one, three = (descriptors(daemon.pid) for daemon in daemons)
            return three - one

        until(lambda: for_two_more() <= 2 * 6, "spare descriptors are closed", 30)
