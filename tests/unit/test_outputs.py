"""What every command prints, as text and as JSON, is what it printed before (tests/golden, tests/support/golden.py).

Scripts read it, and people learn to. A change here is a change for both: it belongs into CHANGELOG.md.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from litestreamd.cli.main import COMMANDS, main
from litestreamd.ltx.names import ObjectName
from tests.support import folder_listing
from tests.support.daemons import Daemon
from tests.support.golden import COLUMN_SIZES, FOLDER, SIZES, Golden
from tests.support.histories import damage, flip, object_path, sqlite_history
from tests.support.live import App, create, insert
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator
from tests.support.v3_writer import three_wals

Make = Callable[..., Golden]

OTHERS = {"accept", "replicate", "logs", "metrics", "init", "failure", "doctor", "migrate-config"}
"""They print nothing, what the journal has, or files and advice for one machine; each has tests of its own."""


@pytest.fixture
def golden(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.delenv("LITESTREAM_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "120")

    def call(words: Sequence[str]) -> tuple[int, str, str]:
        code = main(words)
        told = capsys.readouterr()
        return code, told.out, told.err

    return lambda name, *more: Golden(name, tmp_path, call, *more)


class Stage:
    """A made history of app.db on two replicas: "main", and "old", a copy that lacks the newest TXID; a third, "away",
    lies on a disk that is not mounted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = sqlite_history(folder, folder / "main")
        shutil.copytree(folder / "main", folder / "old")
        object_path(folder / "old", ObjectName(0, 8, 8)).unlink()
        self.path, self.url = folder / "app.db", f"file://{folder}/main"
        self.two, self.three = self._config("main", "old"), self._config("main", "old", "away")
        self.forgetful = self._config("main", l0="1s")

    def _config(self, *names: str, l0: str = "0s") -> Path:
        places = {"main": "main", "old": "old", "away": "unmounted/away"}
        replicas = [{"name": name, "path": str(self.folder / places[name])} for name in names]
        config = self.folder / f"{len(names)}.yml"
        # What is kept for ever is lost at no time: the made history is years old.
        keep = {"l0-retention": l0, "snapshot": {"retention": "876000h"}}
        config.write_text(json.dumps({**keep, "dbs": [{"path": str(self.path), "replicas": replicas}]}))
        return config


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_points(stage: Stage, golden: Make) -> None:
    found = golden("points", COLUMN_SIZES)
    found.text("points", stage.url)
    found.text("points", "-config", stage.three, stage.path)
    stage.history.store(9, 1, 6)  # TXID 5 is not needed any more, and older than level 0 is kept here
    stage.history.store(1, 5, 6)
    found.text("points", "-config", stage.forgetful, stage.path)
    found.json("points", "-json", "-config", stage.two, stage.path)
    found.check()


def test_databases(stage: Stage, golden: Make) -> None:
    found = golden("databases")
    found.text("databases", "-config", stage.two)
    found.json("databases", "-json", "-config", stage.two)
    found.check()


def test_ltx(stage: Stage, golden: Make) -> None:
    found = golden("ltx", COLUMN_SIZES)
    found.text("ltx", stage.url)
    found.text("ltx", "-level", "all", "-config", stage.two, stage.path)
    found.json("ltx", "-json", stage.url)
    found.check()


def test_generations(tmp_path: Path, golden: Make) -> None:
    backup = three_wals(tmp_path / "replica")
    found = golden("generations", COLUMN_SIZES)
    found.text("generations", f"file://{backup.root}")
    found.json("generations", "-json", f"file://{backup.root}")
    found.check()


def test_restore(stage: Stage, golden: Make, tmp_path: Path) -> None:
    found = golden("restore", COLUMN_SIZES, SIZES)
    target = ("-config", stage.three, stage.path)
    found.text("restore", "-dry-run", *target)
    found.text("restore", "-dry-run", "-timestamp", "2025-06-15T15:06:46.500Z", *target)
    found.json("restore", "-dry-run", "-json", *target)
    found.text("restore", "-timestamp", "2025-06-15T15:06:46.500Z", "-o", tmp_path / "then.db", *target)
    found.json("restore", "-json", "-timestamp", "2025-06-15T15:06:46.500Z", "-o", tmp_path / "json.db", *target)
    (tmp_path / "app.db-wal").write_bytes(b"of an older life")
    found.text("restore", *target)
    backup = three_wals(tmp_path / "litestream-0.3")
    found.text("restore", "-dry-run", "-o", tmp_path / "v3.db", f"file://{backup.root}")
    found.json("restore", "-dry-run", "-json", "-o", tmp_path / "v3.db", f"file://{backup.root}")
    found.check()


def test_verify(stage: Stage, golden: Make) -> None:
    found = golden("verify")
    found.text("verify", "-all", stage.url)
    found.text("verify", "-config", stage.three, stage.path)
    found.json("verify", "-json", "-config", stage.three, stage.path)
    damage(object_path(stage.folder / "main", ObjectName(0, 7, 7)), flip(0))
    found.text("verify", stage.url)
    found.json("verify", "-json", stage.url)
    found.check()


def test_version(golden: Make) -> None:
    libraries = (r"(?m)^(\w+:) .*$", r"\1 SOMETHING")
    found = golden("version", libraries)
    found.text("version")
    found.text("version", "-verbose")
    found.check()


def test_a_daemon(tmp_path: Path, golden: Make) -> None:
    """`status`, `sync` and a drill with a real daemon; of its two replicas one is not mounted."""
    path = tmp_path / "app.db"
    create(path)
    with Replicator(OURS, tmp_path, [Protected(path, (tmp_path / "r0",))]) as replicator:
        daemon = Daemon(tmp_path, replicator)
        live = {"name": "live", "path": str(tmp_path / "live")}
        dead = {"name": "dead", "path": str(tmp_path / "unmounted" / "dead")}
        daemon.configure({"path": str(path), "replicas": [live, dead]})
        daemon.start()
        replicator.wait(lambda: folder_listing.head(tmp_path / "live") > 0, "the first image")
        with App(path) as app:
            app.write(insert(3))
            app.close()
        called = ("-config", replicator.config, path)
        lines = (r"\b[0-9a-f]{16}\b", "NUMBER")
        sync = golden("sync", lines, SIZES)
        sync.text("sync", "-any", *called)
        sync.text("sync", "-replica", "dead", "-timeout", "200ms", *called)
        sync.text("sync", "-replica", "nas", *called)
        sync.json("sync", "-any", "-json", *called)
        sync.check()
        replicator.wait(lambda: _failing(daemon), "the trouble is told")
        drill = golden("verify-drill", lines, SIZES)
        drill.text("verify", "-replica", "live", *called)
        drill.json("verify", "-json", "-replica", "live", *called)
        drill.check()
        lags = (r"\b(?:\d+(?:\.\d+)?(?:ms|s|m))+, SIZE\b|\bnone\b", "LAG")
        status = golden("status", lines, SIZES, lags, (r"\b\d+ files?\b", "FILES"), (r"  \d+  SIZE", "  COUNT  SIZE"))
        status.text("status", *called)
        status.text("status", "-remote", *called)
        status.json("status", "-json", *called)
        status.json("status", "-remote", "-json", *called)
        replicator.kill()
        status.text("status", *called)
        status.check()


def _failing(daemon: Daemon) -> bool:
    live, dead = daemon.status()["databases"][0]["replicas"]
    return dead["state"] == "failing" and live["window"] is not None


def test_every_command_that_prints_has_its_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} - {"verify-drill"} == COMMANDS.keys() - OTHERS
