"""`litestreamd restore` as it is called: options, exit codes, what is printed, where the record goes."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from litestreamd.cli.main import main
from litestreamd.database.restored_from import load_restored_from
from litestreamd.database.state_paths import state_directory
from litestreamd.ltx.names import ObjectName
from tests.support.histories import History, damage, flip, object_path, sqlite_history
from tests.support.restoring import left_in

ROOT = os.geteuid() == 0
OK, FAILED, USAGE, DAMAGED, UNREACHABLE, CONFIG = 0, 1, 64, 65, 69, 78


@dataclass
class Outcome:
    """What one call did."""

    code: int
    out: str
    err: str


class Command:
    """Calls the command in this process, in a folder of its own."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: object) -> Outcome:
        code = main(["restore", *map(str, words)])
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LITESTREAM_CONFIG", raising=False)
    return Command(capsys)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica")


@pytest.fixture
def url(history: History, tmp_path: Path) -> str:
    return f"file://{tmp_path}/replica"


def config(folder: Path, *roots: Path, **settings: object) -> Path:
    """A configuration of home/app.db with these replicas."""
    replicas = [{"type": "file", "name": root.name, "path": str(root)} for root in roots]
    path = folder / "litestream.yml"
    path.write_text(json.dumps({"dbs": [{"path": str(folder / "home/app.db"), "replicas": replicas, **settings}]}))
    (folder / "home").mkdir(exist_ok=True)
    return path


# From a URL


def test_the_latest_state(call: Command, history: History, url: str, tmp_path: Path) -> None:
    done = call("-o", "out.db", url)
    assert (done.code, done.err) == (OK, "")
    assert re.fullmatch(
        rf"restored {tmp_path}/out.db to TXID {8:016x} from {url}: \S+ KiB in \S+, proven by the database checksum; "
        r"owner \w+:\w+.*, mode 0600 \(as on the replica\)\n",
        done.out,
    )
    assert (tmp_path / "out.db").read_bytes() == history.image(8)


@pytest.mark.parametrize("txid", ["0000000000000005", "5", "05"])
@pytest.mark.parametrize("spelling", ["-txid={}", "--txid={}"])
def test_a_txid_may_be_short(
    call: Command, history: History, url: str, tmp_path: Path, txid: str, spelling: str
) -> None:
    assert call(spelling.format(txid), "-o=out.db", url).code == OK
    assert (tmp_path / "out.db").read_bytes() == history.image(5)


@pytest.mark.parametrize(("time", "txid"), [("2025-06-15T15:06:46Z", 5), ("2025-06-15T17:06:46.001+02:00", 6)])
def test_a_time_means_strictly_before(
    call: Command, history: History, url: str, tmp_path: Path, time: str, txid: int
) -> None:
    assert history.time_ms(6) == 1_750_000_006_000
    assert call("-timestamp", time, "-o", "out.db", url).code == OK
    assert (tmp_path / "out.db").read_bytes() == history.image(txid)


def test_a_time_says_which_point_it_gives(call: Command, history: History, url: str) -> None:
    done = call("-timestamp", "2025-06-15T15:06:46.001Z", "-o", "exact.db", url)
    point = f"litestreamd: restore point: TXID {6:016x}, stored at 2025-06-15T15:06:46.000Z\n"
    assert (done.code, done.err) == (OK, point)
    done = call("-timestamp", "2025-06-15T15:06:47Z", "-o", "between.db", url)
    assert done.err == point + (
        f"litestreamd: the point before: TXID {5:016x}, stored at 2025-06-15T15:06:45.000Z "
        "(-timestamp 2025-06-15T15:06:45.001Z)\n"
        f"litestreamd: the point after: TXID {7:016x}, stored at 2025-06-15T15:06:47.000Z "
        "(-timestamp 2025-06-15T15:06:47.001Z)\n"
    )
    assert done.out.count("\n") == 1
    done = call("-timestamp", "1m ago", "-json", "-o", "late.db", url)
    assert done.err == ""
    point_fields = json.loads(done.out)["point"]
    assert (point_fields["txid"], point_fields["exact"], point_fields["after"]) == (f"{8:016x}", False, None)
    assert point_fields["before"]["argument"] == "-timestamp 2025-06-15T15:06:47.001Z"


@pytest.mark.parametrize("words", [["-latest"], ["-timestamp", "5m"], ["-timestamp", "1h 30m ago"]])
def test_the_newest_state_in_other_words(
    call: Command, history: History, url: str, tmp_path: Path, words: list[str]
) -> None:
    assert call(*words, "-o", "out.db", url).code == OK
    assert (tmp_path / "out.db").read_bytes() == history.image(8)


def test_a_while_that_is_too_long(call: Command, history: History, url: str) -> None:
    done = call("-timestamp", "36500d ago", "-o", "out.db", url)
    assert (done.code, "the earliest state was stored at" in done.err) == (FAILED, True)


def test_a_dry_run_names_the_point_too(call: Command, history: History, url: str) -> None:
    done = call("-dry-run", "-timestamp", "2025-06-15T15:06:46Z", "-o", "out.db", url)
    lines = done.out.splitlines()
    assert lines[5] == f"  restore point: TXID {5:016x}, stored at 2025-06-15T15:06:45.000Z"
    assert [line.split(":")[0] for line in lines[6:8]] == ["  the point before", "  the point after"]
    words = ["-dry-run", "-json", "-timestamp", "2025-06-15T15:06:46Z", "-o", "out.db", url]
    assert json.loads(call(*words).out)["point"]["txid"] == f"{5:016x}"


def test_a_dry_run_says_what_is_damaged(call: Command, history: History, url: str, tmp_path: Path) -> None:
    damage(object_path(tmp_path / "replica", ObjectName(0, 8, 8)), flip(0))
    done = call("-dry-run", "-json", "-o", "out.db", url)
    assert (done.code, json.loads(done.out)["fetch"]) == (OK, None)
    assert "warning: " in done.err
    assert "0/0000000000000008-0000000000000008.ltx" in done.err


def test_the_folder_of_a_replica_will_do(call: Command, history: History, tmp_path: Path) -> None:
    assert call("-o", "out.db", tmp_path / "replica").code == OK
    assert (tmp_path / "out.db").read_bytes() == history.image(8)


def test_json_has_litestreams_fields(call: Command, history: History, url: str, tmp_path: Path) -> None:
    done = call("-json", "-o", "out.db", url)
    result = json.loads(done.out)
    assert result.pop("duration_ms") >= 0
    assert result == {
        "db_path": str(tmp_path / "out.db"),
        "replica": "file",
        "txid": "0000000000000008",
        "integrity_check": "none",
        "size": len(history.image(8)),
        "proof": "database-checksum",
        "owner": tmp_path.owner(),
        "group": tmp_path.group(),
        "mode": "0600",
        "owner_reason": "as its folder" if ROOT else "who restored it",
        "group_reason": "as its folder" if ROOT else "who restored it",
        "mode_reason": "as on the replica",
        "label": None,
    }


def test_a_dry_run_prints_the_plan_and_writes_nothing(call: Command, url: str, tmp_path: Path) -> None:
    before = left_in(tmp_path)
    done = call("-dry-run", "-txid", "5", "-o", "out.db", url)
    assert done.code == OK
    lines = done.out.splitlines()
    assert lines[:5] == [
        "Restore plan:",
        f"  source: {url}",
        f"  target: {tmp_path}/out.db",
        "  replica: file",
        "  txid range: 0000000000000001 - 0000000000000005",
    ]
    assert lines[7].split() == ["level", "file", "min_txid", "max_txid", "size", "timestamp"]
    assert [line.split()[:2] for line in lines[8:]] == [
        ["9", "0000000000000001-0000000000000003.ltx"],
        ["1", "0000000000000001-0000000000000004.ltx"],
        ["0", "0000000000000005-0000000000000005.ltx"],
    ]
    assert left_in(tmp_path) == before


def test_a_dry_run_in_json_has_litestreams_fields(call: Command, url: str, tmp_path: Path) -> None:
    plan = json.loads(call("-dry-run", "-json", "-o", "out.db", url).out)
    assert list(plan) == ["source", "target_path", "replica", "min_txid", "max_txid", "order", "size", "fetch", "files"]
    assert plan["size"] == plan["fetch"] == sum(file["size"] for file in plan["files"])
    assert (plan["source"], plan["target_path"], plan["max_txid"]) == (url, str(tmp_path / "out.db"), f"{8:016x}")
    newest = plan["files"][-1]
    assert list(newest) == ["level", "name", "min_txid", "max_txid", "size", "timestamp", "fetch"]
    assert (newest["level"], newest["timestamp"]) == (0, "2025-06-15T15:06:48.000Z")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["-txid", "9"], FAILED, r"nearest that can: -txid 0000000000000008"),
        (["-txid", "xyz"], USAGE, "-txid: 'xyz' is not a TXID"),
        (["-timestamp", "yesterday"], USAGE, "-timestamp: 'yesterday' is not a time"),
        (["-timestamp", "2025-06-15T15:06:41Z"], FAILED, r"-timestamp 2025-06-15T15:06:43\.001Z restores"),
        (["-txid", "5", "-timestamp", "2025-06-15T15:06:41Z"], USAGE, "exclude each other"),
        (["-txid", "5", "-latest"], USAGE, "-txid and -latest exclude each other"),
        (["-latest", "-index", "1"], USAGE, "-latest and -index exclude each other"),
        (["-parallelism", "0"], USAGE, "-parallelism"),
        (["-integrity-check", "some"], USAGE, "auto, none, quick, full"),
        (["-config", "x.yml"], USAGE, "-config and a replica URL exclude each other"),
    ],
)
def test_refusals(call: Command, url: str, tmp_path: Path, words: list[str], code: int, text: str) -> None:
    done = call(*words, "-o", "out.db", url)
    assert done.code == code
    assert re.search(text, done.err), done.err
    assert done.err.startswith("litestreamd: error: ")
    assert not (tmp_path / "out.db").exists()


def test_the_output_must_be_named_for_a_url(call: Command, url: str) -> None:
    done = call(url)
    assert (done.code, "-o is needed" in done.err) == (USAGE, True)


def test_damage_has_its_own_exit_code(call: Command, history: History, url: str, tmp_path: Path) -> None:
    path = object_path(tmp_path / "replica", ObjectName(0, 8, 8))
    damage(path, flip(85))
    done = call("-o", "out.db", url)
    assert done.code == DAMAGED
    assert "0/0000000000000008-0000000000000008.ltx" in done.err
    assert not (tmp_path / "out.db").exists()


@pytest.mark.parametrize("workers", [1, 3, 20])
def test_any_parallelism_gives_the_same(
    call: Command, history: History, url: str, tmp_path: Path, workers: int
) -> None:
    assert call("-parallelism", workers, "-integrity-check", "full", "-o", "out.db", url).code == OK
    assert (tmp_path / "out.db").read_bytes() == history.image(8)


# Only if


def test_if_db_not_exists(call: Command, url: str, tmp_path: Path) -> None:
    (tmp_path / "out.db").write_bytes(b"")
    assert call("-o", "out.db", url).code == USAGE
    done = call("-if-db-not-exists", "-o", "out.db", url)
    assert (done.code, done.out) == (OK, "")
    assert "exists already" in done.err
    assert (tmp_path / "out.db").read_bytes() == b""
    assert call("-if-db-not-exists", "-o", "new.db", url).code == OK
    assert (tmp_path / "new.db").exists()


def test_if_replica_exists(call: Command, url: str, tmp_path: Path) -> None:
    empty = f"file://{tmp_path}/empty"
    assert call("-o", "out.db", empty).code == FAILED
    done = call("-if-replica-exists", "-o", "out.db", empty)
    assert (done.code, "nothing to restore" in done.err) == (OK, True)
    assert call("-if-replica-exists", "-o", "out.db", url).code == OK


def test_if_replica_exists_does_not_hide_an_unmounted_disk(call: Command, tmp_path: Path) -> None:
    done = call("-if-replica-exists", "-o", "out.db", f"file://{tmp_path}/unmounted/replica")
    assert (done.code, "is the disk mounted?" in done.err) == (UNREACHABLE, True)


def test_if_replica_exists_does_not_hide_a_hole(call: Command, history: History, url: str, tmp_path: Path) -> None:
    object_path(tmp_path / "replica", ObjectName(0, 6, 6)).unlink()
    assert call("-if-replica-exists", "-o", "out.db", url).code == FAILED


def test_if_replica_exists_does_not_hide_an_older_litestream(call: Command, tmp_path: Path) -> None:
    folder = tmp_path / "old/generations/0123456789abcdef/snapshots"
    folder.mkdir(parents=True)
    (folder / "00000000.snapshot.lz4").write_bytes(b"x")
    assert call("-if-replica-exists", "-o", "out.db", f"file://{tmp_path}/old").code == DAMAGED


def test_an_empty_replica_that_we_remember_is_an_error(call: Command, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "main")
    words = ["-if-replica-exists", "-config", file, tmp_path / "home/app.db"]
    assert call(*words).code == OK
    state = state_directory(tmp_path / "home/app.db", None, file)
    (state / "replicas").mkdir(parents=True)
    (state / "replicas/main.json").write_text("{}")
    done = call(*words)
    assert (done.code, "main.json says that there was one" in done.err) == (UNREACHABLE, True)


# From a configuration


def test_a_database_comes_back_to_its_place(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "replica")
    database = tmp_path / "home/app.db"
    done = call("-config", file, database)
    assert done.code == OK, done.err
    assert database.read_bytes() == history.image(8)
    record = load_restored_from(state_directory(database, None, file))
    assert record
    assert (record.root, record.txid, record.head.txid, record.epoch) == (f"file://{tmp_path}/replica", 8, 8, 0)


def test_elsewhere_nothing_is_noted(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "replica")
    assert call("-config", file, "-o", "copy.db", tmp_path / "home/app.db").code == OK
    assert left_in(tmp_path / "home") == set()


def test_the_meta_path_is_where_it_is_noted(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "replica", **{"meta-path": str(tmp_path / "meta")})
    assert call("-config", file, tmp_path / "home/app.db").code == OK
    assert left_in(tmp_path / "home") == {"app.db"}
    assert load_restored_from(state_directory(tmp_path / "home/app.db", tmp_path / "meta", file))


def test_the_configured_mode_is_given(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "replica", restore={"mode": "0604"})
    assert call("-config", file, tmp_path / "home/app.db").code == OK
    assert (tmp_path / "home/app.db").stat().st_mode & 0o777 == 0o604


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
def test_the_configured_owner_is_given(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "replica", restore={"owner": "nobody", "group": "0"})
    assert call("-config", file, tmp_path / "home/app.db").code == OK
    assert (tmp_path / "home/app.db").owner() == "nobody"
    assert (tmp_path / "home/app.db").stat().st_gid == 0
    state = state_directory(tmp_path / "home/app.db", None, file)
    assert {path.owner() for path in (state, state.parent, state / "restored-from.json")} == {"nobody"}


def test_an_owner_that_does_not_exist(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "replica", restore={"owner": "no-such-user"})
    done = call("-config", file, tmp_path / "home/app.db")
    assert (done.code, "no-such-user" in done.err) == (CONFIG, True)
    assert left_in(tmp_path / "home") == set()


def test_the_next_replica_helps_with_a_warning(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "unmounted/first", tmp_path / "replica")
    done = call("-config", file, tmp_path / "home/app.db")
    assert done.code == OK
    assert re.search("warning: replica first is passed over: .*mounted", done.err)
    assert (tmp_path / "home/app.db").read_bytes() == history.image(8)


def test_only_this_replica(call: Command, history: History, tmp_path: Path) -> None:
    file = config(tmp_path, tmp_path / "unmounted/first", tmp_path / "replica")
    assert call("-config", file, "-replica", "first", tmp_path / "home/app.db").code == UNREACHABLE
    assert call("-config", file, "-replica", "replica", tmp_path / "home/app.db").code == OK


def test_force_says_where_the_old_one_is(call: Command, history: History, url: str, tmp_path: Path) -> None:
    (tmp_path / "out.db").write_bytes(b"old")
    done = call("-force", "-o", "out.db", url)
    assert done.code == OK
    (kept,) = tmp_path.glob("out.db.before-*")
    assert f"warning: kept what was there before as {kept}" in done.err
    assert hashlib.sha256(kept.read_bytes()).digest() == hashlib.sha256(b"old").digest()


def test_a_symbolic_link_stays_one(call: Command, history: History, url: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "home/app.db")
    assert call("-o", "link.db", url).code == OK
    assert (tmp_path / "link.db").is_symlink()
    assert (tmp_path / "home/app.db").read_bytes() == history.image(8)
