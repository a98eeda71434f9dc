"""`ltx` on real folders: what is listed, in which order, and what an unreachable place is."""

import json
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.main import main
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica

MOMENT_MS = 1_767_225_600_250
HEADER = "level  min_txid          max_txid          size  created\n"
SNAPSHOT = "9      0000000000000001  0000000000000001  8     2026-01-01T00:00:00.250Z\n"
CHANGE = "0      0000000000000002  000000000000000a  3     2026-01-01T00:00:00.250Z\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A replica with a snapshot and a change, and a configuration with it and an empty one."""
    replica = FolderReplica(tmp_path / "one", "one")
    replica.create(ObjectName(9, 1, 1), [b"snapshot"], MOMENT_MS)
    replica.create(ObjectName(0, 2, 10), [b"one"], MOMENT_MS)
    (tmp_path / "app.yml").write_text(
        f"dbs: [{{path: {tmp_path}/app.db, replicas:"
        f" [{{path: {tmp_path}/one, name: one}}, {{path: {tmp_path}/two, name: two}}]}}]"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("level", "lines"), [("0", CHANGE), ("9", SNAPSHOT), ("5", ""), ("all", CHANGE + SNAPSHOT), (None, CHANGE)]
)
def test_a_level_of_a_url(level: str | None, lines: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [] if level is None else ["-level", level]
    assert main(["ltx", *options, f"file://{folder}/one"]) == ExitCode.OK
    heading = HEADER if lines else "level  min_txid  max_txid  size  created\n"
    assert capsys.readouterr().out == heading + lines


def test_several_replicas_are_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["ltx", f"{folder}/app.db", "-config", f"{folder}/app.yml"]
    assert main(words) == ExitCode.OK
    assert capsys.readouterr().out == f"replica  {HEADER}one      {CHANGE}"
    assert main([*words, "-replica", "one"]) == ExitCode.OK
    assert capsys.readouterr().out == HEADER + CHANGE


def test_json_has_litestreams_fields(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ltx", "-json", f"file://{folder}/one"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == [
        {
            "replica": "file",
            "level": 0,
            "min_txid": "0000000000000002",
            "max_txid": "000000000000000a",
            "size": 3,
            "timestamp": "2026-01-01T00:00:00.250Z",
        }
    ]
    assert main(["ltx", "-json", f"file://{folder}/two"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == []


def test_a_place_that_is_not_there_is_no_empty_list(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ltx", f"file://{folder}/gone/app"]) == ExitCode.UNREACHABLE
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("litestreamd: error: ")
