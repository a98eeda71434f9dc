"""A database that is not there, with a real daemon: nobody who mistyped its path is told that all is well."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.main import main
from tests.support.daemons import Daemon
from tests.support.live import create
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator
from tests.support.waiting import until


def test_nothing_is_in_sync_until_it_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = tmp_path / "mistyped.db"
    (tmp_path / "backup").mkdir()

    def told(*words: str) -> str:
        assert main([*words, "-socket", str(daemon.socket), str(database)]) == ExitCode.OK
        return capsys.readouterr().out

    with Replicator(OURS, tmp_path, [Protected(database, (tmp_path / "backup",))]) as replicator:
        daemon = Daemon(tmp_path, replicator)
        replica = {"name": "live", "path": str(tmp_path / "backup")}
        daemon.configure({"path": str(database), "replicas": [replica]})
        daemon.start()
        until(lambda: "starting" not in told("status"), "it was looked at")
        shown = told("status")
        assert "there is no such file, and nothing is protected yet" in shown
        assert "nothing yet" in shown and "in sync" not in shown
        assert "nothing captured, there is no database yet or an empty one" in told("sync", "-wait")

        create(database)
        assert "captured TXID" in told("sync", "-wait")
        until(lambda: "in sync" in told("status"), "all of it is on the replica")
        shown = told("status")
        assert "nothing yet" not in shown
