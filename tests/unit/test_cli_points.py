"""`litestreamd points` and `litestreamd verify` as they are called."""

import json
import shutil
from pathlib import Path

import pytest

from litestreamd.cli.main import main
from litestreamd.ltx.names import ObjectName
from tests.support.histories import History, damage, flip, object_path, sqlite_history
from tests.support.restoring import left_in

OK, DAMAGED, UNREACHABLE, FAILED = 0, 65, 69, 1


class Command:
    """Calls a command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.delenv("LITESTREAM_CONFIG", raising=False)
    return Command(capsys)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """9/1-3, 1/1-4, level 0 from 4 to 8; one second from one TXID to the next."""
    return sqlite_history(tmp_path, tmp_path / "replica")


def config(folder: Path, *roots: Path, **settings: object) -> Path:
    replicas = [{"type": "file", "name": root.name, "path": str(root)} for root in roots]
    path = folder / "litestream.yml"
    path.write_text(json.dumps({**settings, "dbs": [{"path": str(folder / "app.db"), "replicas": replicas}]}))
    return path


# points


def test_the_points_of_a_folder(call: Command, history: History, tmp_path: Path) -> None:
    code, out, err = call("points", tmp_path / "replica")
    assert code == OK
    header, *rows = [line.split() for line in out.splitlines()]
    assert header == ["time", "txid", "level", "size"]
    assert [(row[0], int(row[1], 16), row[2]) for row in rows] == [
        ("2025-06-15T15:06:43.000Z", 3, "9"),
        ("2025-06-15T15:06:44.000Z", 4, "1"),
        ("2025-06-15T15:06:45.000Z", 5, "0"),
        ("2025-06-15T15:06:46.000Z", 6, "0"),
        ("2025-06-15T15:06:47.000Z", 7, "0"),
        ("2025-06-15T15:06:48.000Z", 8, "0"),
    ]
    assert "-txid TXID" in err
    assert call("points", f"file://{tmp_path}/replica")[1] == out


def test_what_is_listed_can_be_restored(call: Command, history: History, tmp_path: Path) -> None:
    points = json.loads(call("points", "-json", tmp_path / "replica")[1])
    assert len(points) == 6
    for number, point in enumerate(points):
        for option, key in (("-txid", "txid"), ("-timestamp", "restore_timestamp")):
            out = tmp_path / f"{number}{option}.db"
            assert call("restore", option, point[key], "-o", out, tmp_path / "replica")[0] == OK
            assert out.read_bytes() == history.image(int(point["txid"], 16))


def test_what_retention_takes_next(call: Command, history: History, tmp_path: Path) -> None:
    """TXID 4 is old enough, and level 1 reaches its state; the rest is not compacted yet."""
    history.store(9, 1, 6)
    history.store(1, 5, 6)
    file = config(tmp_path, tmp_path / "replica", **{"l0-retention": "1s", "snapshot": {"retention": "100000h"}})
    code, _, err = call("points", "-config", file, tmp_path / "app.db")
    assert code == OK
    assert "retention takes TXID 0000000000000005 next, at 20" in err
    points = json.loads(call("points", "-json", "-config", file, tmp_path / "app.db")[1])
    assert [int(point["txid"], 16) for point in points if point["dropped"]] == [5]


def test_several_replicas_have_a_column(call: Command, history: History, tmp_path: Path) -> None:
    shutil.copytree(tmp_path / "replica", tmp_path / "copy", copy_function=shutil.copyfile)
    file = config(tmp_path, tmp_path / "replica", tmp_path / "copy")
    code, out, err = call("points", "-config", file, tmp_path / "app.db")
    rows = [line.split() for line in out.splitlines()]
    assert (code, rows[0][0]) == (OK, "replica")
    assert [row[1:] for row in rows if row[0] == "replica"][1:] == [row[1:] for row in rows if row[0] == "copy"]
    assert "replica copy: its files have lost their times" in err
    assert "replica replica: its files" not in err
    one = call("points", "-config", file, "-replica", "copy", tmp_path / "app.db")[1].splitlines()
    assert (one[0].split()[0], len(one)) == ("time", 7)


def test_the_window_of_each_replica(call: Command, history: History, tmp_path: Path) -> None:
    span = "6 restore points from 2025-06-15T15:06:43.000Z to 2025-06-15T15:06:48.000Z"
    assert f"litestreamd: {span}\n" in call("points", tmp_path / "replica")[2]
    shutil.copytree(tmp_path / "replica", tmp_path / "copy")
    file = config(tmp_path, tmp_path / "replica", tmp_path / "copy")
    err = call("points", "-config", file, tmp_path / "app.db")[2]
    assert f"replica copy: {span}\n" in err and f"replica replica: {span}\n" in err


def test_one_replica_that_cannot_be_listed(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "unmounted/first", tmp_path / "replica")
    code, out, err = call("points", "-config", file, tmp_path / "app.db")
    assert (code, len(out.splitlines())) == (UNREACHABLE, 7)
    assert "error: replica first: " in err
    code, out, err = call("points", "-json", "-config", file, tmp_path / "app.db")
    assert (code, {point["replica"] for point in json.loads(out)}) == (UNREACHABLE, {"replica"})
    code, out, err = call("points", "-config", file, "-replica", "first", tmp_path / "app.db")
    assert (code, out, err.count("error: replica first")) == (UNREACHABLE, "", 1)


def test_an_instance_with_several_databases_needs_a_word_more(call: Command, history: History, tmp_path: Path) -> None:
    file = tmp_path / "app.yml"
    root = {"path": str(tmp_path / "replica")}
    file.write_text(
        json.dumps(
            {
                "dbs": [
                    {"path": f"/data/{name}.db", "replica": root | {"path": f"{root['path']}/{name}"}} for name in "ab"
                ]
            }
        )
    )
    code, _, err = call("points", "-config", file, "app")
    assert (code, "say -db PATH, one of /data/a.db, /data/b.db" in err) == (64, True)
    file.write_text(json.dumps({"dbs": [{"path": "/data/a.db", "replica": root}]}))
    assert call("points", "-config", file, "app")[1] == call("points", tmp_path / "replica")[1]
    assert call("points", "-config", file, "-db", "/data/a.db", "app")[0] == OK


def test_an_empty_replica_has_no_points(call: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = call("points", tmp_path / "empty")
    assert (code, out.split(), "no restore point" in err) == (OK, ["time", "txid", "level", "size"], True)
    assert call("points", "-json", tmp_path / "empty")[1] == "[]\n"


# verify


def test_a_sound_replica(call: Command, history: History, tmp_path: Path) -> None:
    before = left_in(tmp_path)
    code, out, err = call("verify", tmp_path / "replica")
    assert (code, err) == (OK, "")
    assert out == "replica file: TXID 0000000000000008 is sound, 10.5 KiB, proven by the database checksum\n"
    assert "7 objects were read to their end" in call("verify", "-all", tmp_path / "replica")[1]
    assert left_in(tmp_path) == before


@pytest.mark.parametrize("proven", [True, False])
def test_a_damaged_object_of_the_newest_state(call: Command, tmp_path: Path, proven: bool) -> None:
    sqlite_history(tmp_path, tmp_path / "replica", proven=proven)
    damage(object_path(tmp_path / "replica", ObjectName(0, 7, 7)), flip(-30))
    code, out, _ = call("verify", tmp_path / "replica")
    assert code == DAMAGED
    assert "damaged: " in out
    assert "0/0000000000000007-0000000000000007.ltx" in out
    assert "2 restore points are lost with it: 0000000000000007, 0000000000000008" in out
    assert "is sound" not in out


def test_an_object_that_the_newest_state_does_not_need(call: Command, history: History, tmp_path: Path) -> None:
    damage(object_path(tmp_path / "replica", ObjectName(0, 4, 4)), flip(-1))
    assert call("verify", tmp_path / "replica")[0] == OK
    code, out, _ = call("verify", "-all", "-json", tmp_path / "replica")
    (answer,) = json.loads(out)
    (damaged,) = answer["damaged"]
    assert (code, answer["sound"], answer["txid"], answer["objects_read"]) == (DAMAGED, False, f"{8:016x}", 7)
    assert (damaged["name"], damaged["lost"]) == ("0/0000000000000004-0000000000000004.ltx", [])
    assert "the file checksum is wrong" in damaged["error"]


def test_every_damaged_object_is_named_once(call: Command, history: History, tmp_path: Path) -> None:
    for txid in (5, 6, 8):
        damage(object_path(tmp_path / "replica", ObjectName(0, txid, txid)), flip(0))
    code, out, _ = call("verify", "-all", "-json", tmp_path / "replica")
    names = [damaged["name"] for damaged in json.loads(out)[0]["damaged"]]
    assert (code, sorted(names)) == (DAMAGED, [f"0/{txid:016x}-{txid:016x}.ltx" for txid in (5, 6, 8)])


def test_a_name_that_is_not_what_the_object_holds(call: Command, history: History, tmp_path: Path) -> None:
    body = object_path(tmp_path / "replica", ObjectName(0, 4, 4)).read_bytes()
    history.replica.create(ObjectName(2, 3, 4), [body], history.time_ms(4))
    code, out, _ = call("verify", "-all", tmp_path / "replica")
    assert code == DAMAGED
    assert "it holds TXIDs 0000000000000004 to 0000000000000004" in out


def test_a_hole(call: Command, history: History, tmp_path: Path) -> None:
    history.replica.delete([ObjectName(0, 6, 6)])
    code, out, _ = call("verify", tmp_path / "replica")
    assert code == DAMAGED
    assert "TXID 0000000000000006 is missing" in out
    assert "the last state that can be restored is -txid 0000000000000005" in out


def test_one_replica_is_away(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "unmounted/first", tmp_path / "replica")
    code, out, err = call("verify", "-config", file, tmp_path / "app.db")
    assert code == UNREACHABLE
    assert out.startswith("replica replica: TXID 0000000000000008 is sound")
    assert "error: replica first: " in err
    damage(object_path(tmp_path / "replica", ObjectName(0, 8, 8)), flip(0))
    code, out, _ = call("verify", "-json", "-config", file, tmp_path / "app.db")
    assert code == DAMAGED
    assert [answer["sound"] for answer in json.loads(out)] == [False, None]


def test_nothing_to_verify(call: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, _, err = call("verify", tmp_path / "empty")
    assert (code, "there is no backup" in err) == (FAILED, True)
