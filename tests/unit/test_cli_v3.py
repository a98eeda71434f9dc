"""`generations`, and `restore` of what Litestream 0.3 left: options, plan, result, what is told."""

import json
from pathlib import Path

import pytest

from litestreamd.basics.clock import format_time_ns
from litestreamd.basics.errors import ExitCode
from litestreamd.cli.main import main
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from tests.support import vectors
from tests.support.v3_writer import GENERATION, Backup, three_wals


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    return three_wals(tmp_path / "replica")


def test_generations(backup: Backup, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generations", f"file://{backup.root}"]) == ExitCode.OK
    size = sum(entry.path.stat().st_size for entry in backup.log)
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["replica", "generation", "snapshots", "segments", "indexes", "size", "start", "end"]
    first, last = (format_time_ns(backup.log[at].created_ns) for at in (0, -1))
    assert row.split() == ["file", GENERATION, "2", "5", "00000000-00000002", str(size), first, last]
    assert main(["generations", f"file://{tmp_path}/nothing"]) == ExitCode.OK
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_generations_as_json(backup: Backup, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generations", "-json", f"file://{backup.root}"]) == ExitCode.OK
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["replica"], found["generation"]) == ("file", GENERATION)
    assert [each["index"] for each in found["snapshots"]] == ["00000000", "00000001"]
    assert [(each["index"], each["offset"]) for each in found["wal"]][:2] == [("00000000", 0), ("00000000", 1640)]
    assert found["wal"][0]["timestamp"] == format_time_ns(backup.log[1].created_ns)
    assert found["wal"][0]["size"] == backup.log[1].path.stat().st_size


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    assert main(["generations", f"file://{tmp_path}/unmounted/replica"]) == ExitCode.UNREACHABLE


def test_several_generations_the_freshest_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = vectors.materialize("v3-multi-1024", tmp_path / "multi")
    main(["generations", f"file://{root}"])
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "5fcec2b0ae91f8d8", "679006de71a50f40",
    ]  # fmt: skip


def restore(*words: str) -> int:
    return main(["restore", *words])


def test_restoring_says_which_state(backup: Backup, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last = format_time_ns(backup.log[-1].created_ns)
    out = tmp_path / "out.db"
    assert restore("-integrity-check", "none", "-o", str(out), f"file://{backup.root}") == ExitCode.OK
    said = capsys.readouterr()
    assert f"to generation {GENERATION} of Litestream 0.3, index 00000002 ({last}) from file://" in said.out
    assert said.err == ""
    again = ("-integrity-check", "none", "-force", "-json", "-index", "1", "-o", str(out), f"file://{backup.root}")
    assert restore(*again) == ExitCode.OK
    result = json.loads(capsys.readouterr().out)
    assert (result["format"], result["generation"], result["index"]) == ("litestream-0.3", GENERATION, "00000001")
    assert result["timestamp"] == format_time_ns(backup.log[5].created_ns)
    assert "txid" not in result


def test_a_dry_run(backup: Backup, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("-dry-run", "-timestamp", format_time_ns(backup.log[4].created_ns), "-o", str(tmp_path / "out.db"))
    assert restore(*words, f"file://{backup.root}") == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Restore plan (Litestream 0.3):"
    assert f"  generation: {GENERATION}, index: 00000001" in lines
    assert [line.split()[:3] for line in lines[-2:]] == [["snapshot", "00000001", "0"], ["wal", "00000001", "0"]]
    assert restore(*words, "-json", f"file://{backup.root}") == ExitCode.OK
    plan = json.loads(capsys.readouterr().out)
    assert [file["name"] for file in plan["files"]] == [str(backup.log[3].name), str(backup.log[4].name)]
    assert not (tmp_path / "out.db").exists()


def test_the_choice_between_formats_is_told(backup: Backup, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    last_ms = backup.log[-1].created_ns // 1_000_000
    FolderReplica(backup.root, "file").create(ObjectName(9, 1, 1), [b"x"], last_ms - 1)
    assert restore("-dry-run", "-o", str(tmp_path / "out.db"), f"file://{backup.root}") == ExitCode.OK
    said = capsys.readouterr().err
    assert said.startswith(
        "litestreamd: replica file holds LTX and Litestream 0.3: Litestream 0.3 is taken, the newest"
    )
    assert "2026-11-23T01:11:27.000Z (Litestream 0.3) and 2026-11-23T01:11:26.999Z (LTX)" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-index", "1", "-timestamp", "2026-04-18T09:15:00Z"], "-index and -timestamp exclude each other"),
        (["-index", "1", "-txid", "1"], "-txid does not go with -generation or -index"),
        (["-generation", GENERATION, "-txid", "1"], "-txid does not go with -generation or -index"),
        (["-index", "xyz"], "-index: 'xyz' is not a WAL index"),
        (["-generation", "latest"], "-generation: 'latest' is not a generation"),
    ],
)
def test_what_excludes_each_other(
    words: list[str], sentence: str, backup: Backup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restore(*words, "-o", str(tmp_path / "out.db"), f"file://{backup.root}") == ExitCode.USAGE
    assert sentence in capsys.readouterr().err
