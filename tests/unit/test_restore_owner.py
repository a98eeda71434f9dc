"""Whose a restored database is: as configured, as the file before, as recorded, as the folder; and that it is said."""

import errno
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.main import main
from litestreamd.database import access_record, label
from litestreamd.database.access_record import EVERY_S, Access, AccessRecord, load_access, save_access
from litestreamd.database.state_paths import state_directory
from litestreamd.jobs import restore_owner
from litestreamd.jobs.restore_owner import Owner, Ownership, decide
from tests.support.daemons import Daemon
from tests.support.histories import History, sqlite_history
from tests.support.live import create
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator
from tests.support.restoring import restored

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")
APP, WWW = 1234, 2345


@pytest.fixture
def history(tmp_path: Path) -> History:
    return sqlite_history(tmp_path, tmp_path / "replica")


def facts(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, found.st_mode & 0o777


def home(folder: Path) -> Path:
    path = folder / "home"
    path.mkdir(mode=0o750)
    os.chown(path, APP, WWW)
    return path


# What the daemon records


def test_it_is_written_when_it_changes_and_only_then(tmp_path: Path) -> None:
    path, state = tmp_path / "app.db", tmp_path / "state"
    path.write_bytes(b"")
    path.chmod(0o640)
    record = AccessRecord(state)
    record.keep(path, 0.0)
    first = (state / "access.json").stat().st_ino
    assert load_access(state) == Access(os.geteuid(), os.getegid(), 0o640)
    path.chmod(0o600)
    record.keep(path, EVERY_S - 1)  # not looked at yet
    assert (state / "access.json").stat().st_ino == first
    record.keep(path, EVERY_S)
    assert load_access(state) == Access(os.geteuid(), os.getegid(), 0o600)
    again = (state / "access.json").stat().st_ino
    AccessRecord(state).keep(path, 0.0)  # a new daemon writes nothing that is there
    path.unlink()
    record.keep(path, 3 * EVERY_S)
    assert (state / "access.json").stat().st_ino == again
    assert load_access(state)


def test_a_damaged_record_is_written_anew_and_stops_no_restore(tmp_path: Path, history: History) -> None:
    state, path = tmp_path / "state", tmp_path / "app.db"
    state.mkdir()
    (state / "access.json").write_text("{")
    restored(history.replica, path, state_directory=state)
    path.chmod(0o604)
    AccessRecord(state).keep(path, 0.0)
    found = load_access(state)
    assert found and found.mode == 0o604


@needs_root
def test_a_lost_database_comes_back_to_its_owner(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A daemon as root, a folder of root: nothing but the record knows."""
    path = tmp_path / "app.db"
    create(path)
    with Replicator(OURS, tmp_path, [Protected(path, (tmp_path / "r0",))]) as replicator:
        daemon = Daemon(tmp_path, replicator)
        daemon.configure({"path": str(path), "replica": {"path": str(tmp_path / "r0")}})
        path.chmod(0o640)
        os.chown(path, APP, WWW)
        assert daemon.start().sync()[0] == 200
        replicator.stop_clean()
    for left in tmp_path.glob("app.db*"):
        left.unlink()
    assert main(["restore", "-config", str(replicator.config), str(path)]) == ExitCode.OK
    assert facts(path) == (APP, WWW, 0o640)
    assert capsys.readouterr().out.endswith(f"; owner {APP}:{WWW}, mode 0640, as recorded\n")


# The order


@needs_root
def test_each_comes_from_the_first_who_knows(tmp_path: Path) -> None:
    folder, state = home(tmp_path), tmp_path / "state"
    path = folder / "app.db"
    by_folder, configured = restore_owner.BY_FOLDER, restore_owner.CONFIGURED
    assert decide(Ownership(), path, state, 0o604) == Owner(
        APP, WWW, 0o604, None, (by_folder, by_folder, restore_owner.BY_REPLICA)
    )
    assert decide(Ownership(), path, state, None).why[2] == restore_owner.BY_UMASK
    save_access(state, Access(71, 72, 0o601))
    assert decide(Ownership(), path, state, 0o604) == Owner(71, 72, 0o601, None, (restore_owner.RECORDED,) * 3)
    assert decide(Ownership(gid=9), path, state, 0o604).why == (
        restore_owner.RECORDED, configured, restore_owner.RECORDED,
    )  # fmt: skip
    assert decide(Ownership(), path, None, 0o604).uid == APP  # restored elsewhere: not what was recorded
    path.write_bytes(b"")
    os.chown(path, 81, 82)
    path.chmod(0o660)
    assert decide(Ownership(), path, state, 0o604) == Owner(81, 82, 0o660, None, (restore_owner.REPLACED,) * 3)
    assert decide(Ownership(1, 2, 0o644), path, state, 0o604) == Owner(1, 2, 0o644, None, (configured,) * 3)


def test_who_is_not_root_gives_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of another owner is a wish that cannot be granted, and no reason to fail."""
    state = tmp_path / "state"
    save_access(state, Access(71, 72, 0o601))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getegid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [1000])
    ours = restore_owner.OURS
    found = decide(Ownership(), tmp_path / "app.db", state, None)
    assert found == Owner(-1, -1, 0o601, None, (ours, ours, restore_owner.RECORDED))
    monkeypatch.setattr(os, "getgroups", lambda: [1000, 72])
    assert decide(Ownership(), tmp_path / "app.db", state, None).gid == 72


@needs_root
def test_what_a_user_says_of_others_is_not_believed(tmp_path: Path) -> None:
    """The state directory may belong to the user of the service, who could write anything there."""
    state = tmp_path / "state"
    save_access(state, Access(71, 72, 0o601, "a:label"))
    os.chown(state, 99, 99)
    assert load_access(state) is None
    os.chown(state, 71, 99)
    assert load_access(state) == Access(71, 72, 0o601)
    os.chown(state, 0, 0)
    assert load_access(state) == Access(71, 72, 0o601, "a:label")


# Folders that a restore makes


@needs_root
def test_a_folder_that_root_makes_is_not_roots(
    tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home(tmp_path) / "new" / "deep" / "app.db"
    assert main(["restore", "-o", str(path), f"file://{tmp_path}/replica"]) == ExitCode.OK
    assert facts(path.parent) == facts(path.parent.parent) == (APP, WWW, 0o700)
    assert facts(path) == (APP, WWW, 0o600)
    assert f"; owner {APP}:{WWW} (as its folder), mode 0600 (as on the replica)\n" in capsys.readouterr().out


@needs_root
def test_the_owner_can_get_at_his_database(tmp_path: Path, history: History) -> None:
    """In a folder that had to be made below one of root."""
    path = tmp_path / "new" / "app.db"
    state = tmp_path / "meta" / "app"
    restored(history.replica, path, ownership=Ownership(uid=APP, gid=WWW), state_directory=state)
    assert facts(path.parent)[:2] == facts(path)[:2] == (APP, WWW)
    assert {facts(each)[0] for each in (state, state.parent, *state.iterdir())} == {APP}


# Labels, with an attribute that every user may set in the place of SELinux's


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(label, "ATTRIBUTE", "user.litestreamd-test")
    path = tmp_path / "app.db"
    path.write_bytes(b"")
    os.setxattr(path, label.ATTRIBUTE, b"system_u:object_r:app_t:s0\0")
    return path


def test_the_label_is_recorded_and_given(labelled: Path, tmp_path: Path, history: History) -> None:
    state = tmp_path / "state"
    AccessRecord(state).keep(labelled, 0.0)
    labelled.unlink()
    done = restored(history.replica, labelled, state_directory=state)
    assert (done.owner.label, done.label_refused) == ("system_u:object_r:app_t:s0", None)
    assert label.read_label(labelled) == "system_u:object_r:app_t:s0"


def test_the_label_of_the_file_before_is_kept(labelled: Path, history: History) -> None:
    restored(history.replica, labelled, force=True)
    assert label.read_label(labelled) == "system_u:object_r:app_t:s0"


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.EINVAL])
def test_a_label_that_cannot_be_given_is_told(
    labelled: Path, tmp_path: Path, history: History, number: int, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    config = tmp_path / "app.yml"
    config.write_text(json.dumps({"dbs": [{"path": str(labelled), "replica": {"path": str(tmp_path / "replica")}}]}))
    save_access(state_directory(labelled, None, config), Access(os.geteuid(), os.getegid(), 0o600, "app_t"))
    labelled.unlink()
    monkeypatch.setattr(os, "setxattr", refuse)
    assert main(["restore", "-json", "-config", str(config), str(labelled)]) == ExitCode.OK
    told = capsys.readouterr()
    assert re.search(rf"warning: the security label app_t could not be given to .*: {os.strerror(number)}", told.err)
    assert json.loads(told.out)["label"] is None
    assert labelled.read_bytes() == history.image(8)


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.ENODATA, errno.EPERM])
def test_no_label_is_the_usual_case(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "getxattr", refuse)
    (tmp_path / "app.db").write_bytes(b"")
    assert access_record.access_of(tmp_path / "app.db").label is None


# Which replica comes first


def test_a_dry_run_names_the_order(tmp_path: Path, history: History, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(tmp_path / "replica", tmp_path / "older")
    next((tmp_path / "older").rglob("*8.ltx")).unlink()
    config = tmp_path / "app.yml"
    replicas = [{"name": name, "path": str(tmp_path / name)} for name in ("older", "replica")]
    config.write_text(json.dumps({"dbs": [{"path": str(tmp_path / "app.db"), "replicas": replicas}]}))
    words = ["restore", "-dry-run", "-config", str(config), str(tmp_path / "app.db")]
    assert main(words) == ExitCode.OK
    assert capsys.readouterr().out.endswith(
        "\nReplicas, in the order in which they are tried:\n"
        "  1. replica: TXID 0000000000000008, stored at 2025-06-15T15:06:48.000Z\n"
        "  2. older: TXID 0000000000000007, stored at 2025-06-15T15:06:47.000Z\n"
    )
    main([*words, "-json"])
    assert [each["replica"] for each in json.loads(capsys.readouterr().out)["order"]] == ["replica", "older"]


@pytest.mark.parametrize("spelling", [["-output", "{}"], ["--output={}"], ["-o={}"]])
def test_output_has_two_names(tmp_path: Path, history: History, spelling: list[str]) -> None:
    out = tmp_path / "out.db"
    words = [word.format(out) for word in spelling]
    assert main(["restore", *words, f"file://{tmp_path}/replica"]) == ExitCode.OK
    assert out.read_bytes() == history.image(8)
