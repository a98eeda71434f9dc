"""Every long phase tells how far it is: the restore, SQLite's check, the comparison, reading every object."""

from collections import defaultdict
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli import verify as command
from litestreamd.cli.main import main
from litestreamd.database import integrity
from litestreamd.jobs.verify import Checks, verify
from tests.support.daemons import Daemon
from tests.support.histories import sqlite_history
from tests.support.live import create
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator


class Recorder:
    """Stands for the progress of a command; `told`: (done, total) by the work."""

    told: defaultdict[str, list[tuple[int, int]]]

    def __init__(self) -> None:
        type(self).told = defaultdict(list)

    def __call__(self, done: int, total: int, work: str = "") -> None:
        self.told[work].append((done, total))

    def clear(self) -> None:
        pass


def test_a_drill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "app.db"
    create(path, rows=200)
    with Replicator(OURS, tmp_path, [Protected(path, (tmp_path / "r0",))]) as replicator:
        daemon = Daemon(tmp_path, replicator)
        daemon.configure({"path": str(path), "replica": {"path": str(tmp_path / "r0")}})
        assert daemon.start().sync()[0] == 200
        monkeypatch.setattr(command, "Progress", Recorder)
        monkeypatch.setattr(integrity, "STEPS", 10)
        assert main(["verify", "-config", str(replicator.config), str(path)]) == ExitCode.OK
        size = path.stat().st_size
    works = ["", "SQLite checks it", "reading its objects", "comparing with the live database"]
    assert list(Recorder.told) == works
    assert Recorder.told[""][-1] == (size, size)
    assert set(Recorder.told["SQLite checks it"]) == {(0, 0)}
    assert Recorder.told["comparing with the live database"][-1] == (size, size)


def test_reading_every_object(tmp_path: Path) -> None:
    history = sqlite_history(tmp_path, tmp_path / "replica")
    recorder = Recorder()
    verify(history.replica, Checks(everything=True, progress=recorder), lambda _: None)
    sizes = [stored.size for stored in history.replica.list()]
    told = recorder.told["reading every object"]
    assert told == [(sum(sizes[: number + 1]), sum(sizes)) for number in range(len(sizes))]


def test_a_check_can_be_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a signal raises while SQLite works gets out, and at once."""
    create(tmp_path / "app.db", rows=200)
    monkeypatch.setattr(integrity, "STEPS", 10)

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        integrity.check_integrity(tmp_path / "app.db", quick=False, alive=interrupt)
