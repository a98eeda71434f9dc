"""`status -remote`: what replicas say of themselves, held against what this machine has captured; without a daemon."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.main import main
from litestreamd.jobs.inquiry import inquire
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Times
from tests.support import folder_listing
from tests.support.daemons import Daemon
from tests.support.histories import START_MS, sqlite_history
from tests.support.live import App, create, insert
from tests.support.programs import OURS, TREE
from tests.support.replicator import Protected, Replicator


class Stage:
    """A database that was protected for a while: replica r0 has everything, r1 lies on a disk that is not mounted, so
    that all is in the spool as well. The daemon was killed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.path, self.r0, self.r1 = folder / "app.db", folder / "r0", folder / "away" / "r1"
        create(self.path)
        with Replicator(OURS, folder, [Protected(self.path, (self.r0, self.r1))]) as replicator:
            daemon = Daemon(folder, replicator)
            daemon.configure({
                "path": str(self.path),
                "replicas": [{"name": "r0", "path": str(self.r0)}, {"name": "r1", "path": str(self.r1)}],
            })  # fmt: skip
            daemon.start()
            with App(self.path) as app:
                for _ in range(3):
                    app.write(insert(2))
                    ask = {"db": None, "timeout_s": 30}
                    assert daemon.post("/sync", ask)[0] == 200
                app.close()
            self.head = daemon.status()["databases"][0]["txid"]
            replicator.wait(lambda: folder_listing.head(self.r0) == self.head, "r0 has everything")
            replicator.kill()
        self.config = replicator.config

    def call(self, *words: str) -> tuple[int, str, str]:
        code = main(["status", "-remote", "-config", str(self.config), *words, str(self.path)])
        told = self._capsys.readouterr()
        return code, told.out, told.err

    def replicas(self, code: int) -> dict[str, dict[str, Any]]:
        found, text, _ = self.call("-json")
        assert found == code
        (database,) = json.loads(text)
        assert (database["path"], database["txid"]) == (str(self.path), self.head)
        return {each["name"]: each for each in database["replicas"]}


def test_from_unmounted_to_caught_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tmp_path, capsys)
    code, text, _ = stage.call()
    assert code == ExitCode.FAILING
    assert f"{stage.path}: captured TXID {stage.head:016x} " in text
    assert re.search(rf"\n  r0 +{stage.head:016x}  .* ago  none  .* litestreamd on .*, epoch 1  20", text), text
    (line,) = [line for line in text.splitlines() if line.startswith("  r1")]
    assert line.startswith("  r1: cannot be asked: ")
    found = stage.replicas(ExitCode.FAILING)
    assert found["r1"]["error"] and "txid" not in found["r1"]
    assert found["r0"]["objects"] == len(list(FolderReplica(stage.r0, "r0").list()))
    assert found["r0"]["window"]["newest_txid"] == stage.head

    # Mounted, and empty: it lacks everything, and how long so is told by what waits in the spool.
    stage.r1.parent.mkdir()
    empty = stage.replicas(ExitCode.OK)["r1"]
    assert (empty["txid"], empty["lag_txids"], empty["objects"], empty["window"]) == (None, stage.head, 0, None)
    assert empty["lag_bytes"] > 0
    monkeypatch.setattr(time, "time_ns", lambda real=time.time_ns: real() + 100 * 10**9)
    assert 100 < stage.replicas(ExitCode.STALE)["r1"]["lag_s"] < 160

    # A copy that lacks the newest file, of which the machine knows bytes and age.
    shutil.copytree(stage.r0, stage.r1)
    last = ObjectName(0, stage.head, stage.head)
    FolderReplica(stage.r1, "r1").delete([last])
    found = stage.replicas(ExitCode.STALE)
    (stored,) = [each for each in FolderReplica(stage.r0, "r0").list() if each.name == last]
    assert (found["r1"]["lag_txids"], found["r1"]["lag_bytes"]) == (1, stored.size)
    assert (found["r0"]["lag_s"], found["r0"]["lag_txids"]) == (0, 0)

    # Whoever may not look into the state still hears what the replicas hold.
    shutil.rmtree(next(tmp_path.glob(".app.db-litestreamd")))
    code, text, _ = stage.call()
    assert (code, "nothing is known to be captured on this machine" in text) == (ExitCode.OK, True)


def test_holes_and_strangers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = sqlite_history(tmp_path, tmp_path / "replica")
    url = f"file://{tmp_path}/replica"
    assert main(["status", "-remote", url]) == ExitCode.OK
    assert "nobody of litestreamd" in capsys.readouterr().out
    history.replica.delete([ObjectName(0, 6, 6)])
    assert main(["status", "-remote", url]) == ExitCode.FAILING
    assert "  file: TXID 0000000000000006 is missing before " in capsys.readouterr().out


def test_times_that_a_copy_has_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sqlite_history(tmp_path, tmp_path / "replica")
    shutil.copytree(tmp_path / "replica", tmp_path / "copy", copy_function=shutil.copyfile)
    main(["status", "-remote", "-json", f"file://{tmp_path}/copy"])
    ((found,),) = (each["replicas"] for each in json.loads(capsys.readouterr().out))
    assert (found["window"]["oldest_ms"], found["window"]["newest_ms"]) == (START_MS + 3000, START_MS + 8000)
    assert (found["window"]["oldest_txid"], found["newest_ms"]) == (3, START_MS + 8000)


def test_no_socket_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "-remote", "-socket", "/x", "app"]) == ExitCode.USAGE
    assert "-socket and -remote exclude each other" in capsys.readouterr().err


def test_the_documentation_shows_every_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = Stage(tmp_path, capsys)
    text = re.findall(r"```json\n(.*?)```", (TREE / "docs" / "status.md").read_text(), re.DOTALL)[1]
    (documented,) = json.loads(text)
    found = stage.replicas(ExitCode.FAILING)
    (shown,) = documented["replicas"]
    assert shown.keys() == found["r0"].keys() >= found["r1"].keys()
    for part in ("window", "writer"):
        assert shown[part].keys() == found["r0"][part].keys()


class Unasked(FolderReplica):
    """A place whose listing shows when objects came, as S3's does; reads are counted."""

    times = Times.STORE_UNASKED
    reads: ClassVar[list[ObjectName]] = []

    def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
        self.reads.append(name)
        return super().read_at(name, offset, length)


def test_where_a_time_costs_a_request_one_is_made(tmp_path: Path) -> None:
    """A snapshot is stored long after the state it holds, and dates the beginning of the window."""
    sqlite_history(tmp_path, tmp_path / "replica")
    shutil.copytree(tmp_path / "replica", tmp_path / "copy", copy_function=shutil.copyfile)
    answer = inquire(Unasked(tmp_path / "copy", "s3"), lambda: None, 0)
    assert answer.window and answer.window.oldest.created_ms == START_MS + 3000
    assert Unasked.reads == [ObjectName(9, 1, 3)]
