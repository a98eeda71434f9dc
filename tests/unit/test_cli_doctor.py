"""The doctor: each thing made wrong is seen as wrong, with the way out; what is well is said to be well."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli import doctor
from litestreamd.cli.doctor_finding import Verdict
from litestreamd.cli.doctor_machine import examine_units
from litestreamd.cli.doctor_replica import Probe
from litestreamd.cli.doctor_user import READ, WRITE, User, user_of
from litestreamd.cli.main import main
from litestreamd.cli.options import Arguments
from litestreamd.daemon.units import Units
from litestreamd.database import examine
from litestreamd.database.state_paths import state_directory
from tests.support.waiting import until

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="owners are changed, which only root may")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A database and its replica, all well but for lying on one disk."""
    with closing(sqlite3.connect(tmp_path / "app.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE t (a)")
    (tmp_path / "replica").mkdir()
    configured(tmp_path, f"path: {tmp_path}/replica")
    return tmp_path


def configured(place: Path, replica: str, more: str = "") -> None:
    text = (
        f"socket: {{enabled: true, path: {place}/s}}\ndbs: [{{path: {place}/app.db, {more}replica: {{{replica}}}}}]\n"
    )
    (place / "c.yml").write_text(text)


def told(place: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, list[dict[str, object]]]]:
    """Exit code, and by check what is said."""
    capsys.readouterr()
    code = main(["doctor", "-json", "-config", str(place / "c.yml"), str(place / "app.db")])
    found: dict[str, list[dict[str, object]]] = {}
    for each in json.loads(capsys.readouterr().out):
        assert each.keys() == {"check", "verdict", "text", "fix", "code"}
        assert (each["code"] is not None) == (each["verdict"] == "error")
        found.setdefault(each["check"], []).append(each)
    return code, found


def verdicts(found: dict[str, list[dict[str, object]]]) -> dict[str, str]:
    """The worst of each check."""
    order = [verdict.value for verdict in Verdict]
    return {check: max((str(each["verdict"]) for each in all_), key=order.index) for check, all_ in found.items()}


def test_all_is_well(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told(place, capsys)
    assert code == ExitCode.OK
    assert verdicts(found) == {
        "configuration": "ok", "rights": "ok", "side files": "ok", "journal mode": "ok", "file system": "ok",
        "sqlite": "ok", "other replicators": "ok", "room": "ok", "replica file": "warning", "clock": "ok",
        "units": "ok", "daemon": "warning",
    }  # fmt: skip
    assert "is on the disk of the database" in str(found["replica file"][0]["text"])
    steps = str(found["replica file"][1]["text"])
    assert all(step in steps for step in ("put ", "read ", "listed ", "deleted ", "gone "))
    assert not list((place / "replica").rglob("*.json")), "the probe is gone"


def test_no_right_to_delete_matters_where_retention_deletes() -> None:
    probe = Probe("s3://b/app", "strong", (("put", 3),), "deleted", "access is denied", ExitCode.RIGHTS)
    denied, unwanted = (probe.finding("replica s3", deletes) for deletes in (True, False))
    assert (denied.verdict, denied.code) == (Verdict.ERROR, ExitCode.RIGHTS)
    assert (unwanted.verdict, unwanted.sentence) == (
        Verdict.WARNING, "s3://b/app: put 3ms; nothing may be deleted there, and retention is off",
    )  # fmt: skip


def test_as_text_it_is_a_line_each(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "-config", str(place / "c.yml"), str(place / "app.db")]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ok       configuration      {place}/c.yml can be read"
    assert f"warning  daemon             none listens on {place}/s -> start it" in lines


def test_a_configuration_that_cannot_be_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "c.yml").write_text(f"dbs: [{{path: {place}/app.db, replica: {{pathh: 1}}}}]\n")
    code, found = told(place, capsys)
    assert code == ExitCode.CONFIG
    assert list(found) == ["configuration"]
    assert any("pathh" in str(each["text"]) for each in found["configuration"])


def test_keys_that_everybody_may_read(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "type: s3, bucket: b, endpoint: 'http://127.0.0.1:9', access-key-id: AKIA, secret-access-key: hush"
    configured(place, secret)
    (place / "c.yml").chmod(0o644)
    code, found = told(place, capsys)
    assert found["configuration"][1]["fix"] == f"chmod o-r {place}/c.yml"
    assert code == ExitCode.RIGHTS
    assert found["replica s3"][0]["code"] == ExitCode.UNREACHABLE
    assert "hush" not in json.dumps(found)
    (place / "c.yml").chmod(0o640)
    assert len(told(place, capsys)[1]["configuration"]) == 1


def test_journal_modes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(place / "app.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=DELETE")
    assert verdicts(told(place, capsys)[1])["journal mode"] == "warning"
    configured(place, f"path: {place}/replica", "journal-mode: require, ")
    code, found = told(place, capsys)
    assert code == ExitCode.CONFIG
    assert found["journal mode"][0]["fix"] == f"sqlite3 {place}/app.db 'PRAGMA journal_mode=WAL'"


def test_what_is_no_database_and_what_is_missing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "app.db").write_bytes(b"text" * 100)
    code, found = told(place, capsys)
    assert code == ExitCode.DAMAGED
    assert "is not an SQLite database" in str(found["journal mode"][0]["text"])
    (place / "app.db").unlink()
    code, found = told(place, capsys)
    assert code == ExitCode.OK
    assert "does not exist" in str(found["database"][0]["text"])


@root_only
def test_side_files_of_somebody_else(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wal = place / "app.db-wal"
    wal.write_bytes(b"")
    os.chown(wal, 65534, 65534)
    code, found = told(place, capsys)
    assert code == ExitCode.RIGHTS
    assert found["side files"][0]["fix"] == f"chown --reference={place}/app.db {wal}"


def test_another_replicator(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(place / "app.db", isolation_level=None)) as db:
        db.execute("CREATE TABLE _litestream_seq (id)")
    assert "DROP TABLE _litestream_seq" in str(told(place, capsys)[1]["other replicators"][0]["fix"])
    program = place / "litestream"
    shutil.copy(sys.executable, program)
    held = f"import sqlite3; db = sqlite3.connect({str(place / 'app.db')!r}); db.execute('SELECT * FROM t')"
    held += "; print(1, flush=True); input()"
    # Called by another name: what counts is what the process is.
    with subprocess.Popen([program, "-c", held], stdin=-1, stdout=-1, env={"PYTHONHOME": sys.base_prefix}) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        code, found = told(place, capsys)
        other.kill()
    assert code == ExitCode.BUSY
    assert found["other replicators"][0]["fix"] == "systemctl disable --now litestream"


def test_the_place_of_a_replica(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configured(place, f"path: {place}/unmounted/replica")
    code, found = told(place, capsys)
    assert code == ExitCode.FAILED
    assert found["replica file"][-1]["fix"] == f"mount it, or mkdir -p {place}/unmounted"
    configured(place, f"path: {place}/new")
    code, found = told(place, capsys)
    assert (code, found["replica file"][-1]["verdict"]) == (ExitCode.OK, "ok")
    assert not (place / "new").exists()


def test_a_stopped_retention(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = state_directory(place / "app.db", None, place / "c.yml")
    state.mkdir(parents=True)
    (state / "retention-stopped.json").write_text("{}")
    code, found = told(place, capsys)
    assert code == ExitCode.DAMAGED
    assert "retention" in found


def test_rights_are_computed_and_not_tried(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"")
    nobody = User("nobody", 65534, frozenset({65534}))
    for mode, may in ((0o600, False), (0o606, True), (0o604, False)):
        file.chmod(mode)
        assert nobody.may(file, READ | WRITE) is may
    assert User("root", 0, frozenset({0})).may(file, READ | WRITE)
    member = User("member", 65534, frozenset({file.stat().st_gid}))
    file.chmod(0o060)
    assert member.may(file, READ | WRITE)
    tmp_path.chmod(stat.S_IRWXU)
    assert nobody.barred(file) is not None
    assert user_of(str(os.geteuid())).uid == os.geteuid()


@root_only
def test_the_probe_is_made_as_the_user_of_the_service(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = user_of("65534")
    monkeypatch.setattr(doctor, "service_user", lambda *_: nobody)
    for folder in (place, *place.parents[:3]):
        folder.chmod(0o755)
    _, found = told(place, capsys)
    assert "Permission denied" in str(found["replica file"][-1]["text"]) or "may not" in str(
        found["replica file"][-1]["text"]
    )
    os.chown(place / "replica", nobody.uid, 65534)
    _, found = told(place, capsys)
    assert found["replica file"][-1]["verdict"] == "ok"
    assert "nobody may not read and write" in str(found["rights"][0]["text"])
    assert {path.stat().st_uid for path in (place / "replica").rglob("*")} <= {nobody.uid}


@pytest.mark.parametrize(
    ("text", "reset", "chain"),
    [
        ("3.40.1", True, True), ("3.44.6", False, True), ("3.50.3", True, True), ("3.50.4", True, False),
        ("3.50.7", False, False), ("3.51.2", True, False), ("3.51.3", False, False), ("3.53.0", False, False),
    ],
)  # fmt: skip
def test_which_bugs_a_version_has(text: str, reset: bool, chain: bool) -> None:
    version = examine.parse_version(text)
    assert examine.resets_wal_wrongly(version) is reset
    assert examine.breaks_wal_chain(version) is chain


def test_the_version_in_a_process_is_seen() -> None:
    program = "import sqlite3; print(sqlite3.sqlite_version, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        version = process.stdout.readline().strip()
        found = examine.library_version(process.pid)
        process.kill()
    if found is not None:  # None: this Python has SQLite in itself
        assert found == examine.parse_version(version)


class Told(Units):
    """A service manager that answers from a table; what is not in it is well."""

    def __init__(self, **answers: str) -> None:
        super().__init__()
        self._answers = {
            "litestreamd@app.service UnitFileState": "enabled",
            "app.service Requires": "litestreamd-restore@app.service",
            "app.service Wants": "litestreamd@app.service",
            "app.service User": "root",
        } | {name.replace("__", " ").replace("_AT_", "@").replace("_DOT_", "."): text for name, text in answers.items()}

    @property
    def there(self) -> bool:
        return True

    def show(self, unit: str, name: str) -> str:
        return self._answers.get(f"{unit} {name}", {"LoadState": "loaded", "ActiveState": "active"}.get(name, ""))


ROOT = User("root", 0, frozenset({0}))


def wrong(units: Units, user: User = ROOT, *paths: Path) -> list[str]:
    return [f"{each.sentence} -> {each.fix}" for each in examine_units("app", paths, user, units) if each.fix]


def test_units_that_are_well() -> None:
    assert wrong(Told()) == []


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            {"litestreamd_AT_app_DOT_service__LoadState": "not-found"},
            "there is no litestreamd@app.service -> make",
        ),
        ({"litestreamd_AT_app_DOT_service__UnitFileState": "disabled"}, "it is gone after a boot -> systemctl enable"),
        (
            {"litestreamd_AT_app_DOT_service__ActiveState": "inactive"},
            "does not run -> systemctl start",
        ),
        ({"app_DOT_service__LoadState": "not-found"}, "there is no app.service: nothing is ordered"),
        ({"app_DOT_service__Requires": ""}, "starts without litestreamd-restore@app.service -> systemctl enable"),
        ({"litestreamd-verify_AT_app_DOT_timer__ActiveState": "inactive"}, "nothing proves the backup"),
        ({"litestreamd-verify_AT_app_DOT_service__ActiveState": "failed"}, "litestreamd-verify@app.service has failed"),
    ],
)
def test_units_that_are_not(answer: dict[str, str], told: str) -> None:
    assert any(told in each for each in wrong(Told(**answer))), wrong(Told(**answer))


@root_only
def test_whose_service_and_whose_database(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    path.write_bytes(b"")
    os.chown(path, 65534, 65534)
    found = wrong(Told(), ROOT, path)
    assert any("the service runs as root" in each and "litestreamd init app" in each for each in found)
    assert any("app.service runs as root" in each for each in found)


def test_a_daemon_that_runs_says_how_it_is(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "litestreamd", "replicate", "-config", str(place / "c.yml")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as daemon:
        try:
            until((place / "s").exists, "the daemon listens")
            until(lambda: list((place / "replica").rglob("*.ltx")), "it replicates")
            code, found = told(place, capsys)
        finally:
            daemon.terminate()
    assert code == ExitCode.OK
    assert found["daemon"][0]["text"] == f"process {daemon.pid} says ok"
    assert f"litestreamd is at work (process {daemon.pid})" in str(found["other replicators"][0]["text"])


def test_what_a_command_line_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.COMMAND.run(Arguments({}, ("no-such-instance",))) == ExitCode.USAGE
    assert "is no instance" in capsys.readouterr().out
