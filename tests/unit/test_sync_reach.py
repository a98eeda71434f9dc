"""`sync` with a real daemon, one replica that works and one that does not: how far it waits, and what it says."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.main import main
from tests.support import folder_listing
from tests.support.daemons import Daemon
from tests.support.live import App, create, insert
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator


class Stage:
    """Databases a.db (replicas "live" and "dead") and b.db ("live" only), an application that writes, a daemon."""

    def __init__(self, folder: Path, daemon: Daemon, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.daemon, self._capsys = folder, daemon, capsys
        self.a, self.b = folder / "a.db", folder / "b.db"

    def write(self) -> None:
        with App(self.a) as app:
            app.write(insert(3))
            app.close()

    def sync(self, *words: str) -> tuple[int, str, str]:
        code = main(["sync", "-socket", str(self.daemon.socket), *words, str(self.a)])
        told = self._capsys.readouterr()
        return code, told.out, told.err


@pytest.fixture
def stage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Stage]:
    for name in "ab":
        create(tmp_path / f"{name}.db")
    (tmp_path / "live").mkdir()
    with Replicator(OURS, tmp_path, [Protected(tmp_path / "a.db", (tmp_path / "live" / "a",))]) as replicator:
        daemon = Daemon(tmp_path, replicator)
        live = [{"name": "live", "path": str(tmp_path / "live" / name)} for name in "ab"]
        dead = {"name": "dead", "path": str(tmp_path / "unmounted" / "a")}
        daemon.configure(
            {"path": str(tmp_path / "a.db"), "replicas": [dead, live[0]]},
            {"path": str(tmp_path / "b.db"), "replicas": [live[1]]},
        )
        yield Stage(tmp_path, daemon.start(), capsys)


@pytest.mark.parametrize("reach", [("-any",), ("-replica", "live"), ("-wait", "-replica", "live")])
def test_the_live_replica_is_enough(stage: Stage, reach: tuple[str, ...]) -> None:
    stage.write()
    code, out, _ = stage.sync("-json", *reach)
    (answer,) = json.loads(out)["databases"]
    assert code == ExitCode.OK
    assert (answer["complete"], answer["reached"]) == (True, ["live"])
    assert folder_listing.head(stage.folder / "live" / "a") == answer["txid"]


@pytest.mark.parametrize(("reach", "where"), [
    (("-replica", "dead"), "on replica dead"), (("-wait",), "on every replica"),
])  # fmt: skip
def test_the_dead_one_is_waited_for_in_vain(stage: Stage, reach: tuple[str, ...], where: str) -> None:
    stage.write()
    assert stage.sync("-any")[0] == ExitCode.OK
    code, out, err = stage.sync("-timeout", "300ms", *reach)
    assert code == ExitCode.UNREACHABLE
    assert "dead has nothing, live has " in out
    assert f"not everything is {where} within 0.3 s" in err


def test_the_dead_one_comes_back(stage: Stage) -> None:
    stage.write()
    (stage.folder / "unmounted").mkdir()
    assert stage.sync("-replica", "dead")[0] == ExitCode.OK
    assert folder_listing.head(stage.folder / "unmounted" / "a") == folder_listing.head(stage.folder / "live" / "a")


def test_a_replica_that_a_database_does_not_have(stage: Stage) -> None:
    code, _, err = stage.sync("-replica", "nas")
    assert code == ExitCode.USAGE
    assert f"{stage.a} has no replica nas; it has: dead, live" in err
    body = {"replica": "dead"}
    status, answer = stage.daemon.post("/sync", body)  # all databases: b.db would be called safe there
    assert (status, answer["error"]) == (404, f"{stage.b} has no replica dead; it has: live")
    code, _, err = stage.sync("-replica", "live", "-any")
    assert (code, "-replica and -any exclude each other" in err) == (ExitCode.USAGE, True)
