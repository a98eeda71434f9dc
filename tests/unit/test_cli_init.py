"""`init`: the drop-ins that run an instance as the owner of its databases."""

import grp
import os
import pwd
from pathlib import Path

import pytest

from litestreamd.basics.errors import EnvironmentFault, ExitCode, UsageError
from litestreamd.cli import init, init_owner, selection
from litestreamd.cli.main import main
from litestreamd.config import used_folders as folders_module
from litestreamd.config.check import check_config
from litestreamd.config.model import Config
from litestreamd.config.owner_dropin import Folders, Owner, is_ours, owner_dropin
from litestreamd.config.unit_values import check_instance, path_value, paths_value
from litestreamd.config.used_folders import used_folders

OWNER = Owner("app", "app")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="root only: files of other owners are made")


def config(text: str) -> Config:
    return check_config(text.encode(), Path("/etc/litestreamd/app.yml"), {})


# --- values of unit files


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/var/lib/app", "/var/lib/app"),
        ("/srv/100%", "/srv/100%%"),
        ("/srv/my app", '"/srv/my app"'),
        ("/srv/a:b", '"/srv/a:b"'),
        ('/srv/a"b\\c', '"/srv/a\\"b\\\\c"'),
        ("/srv/$HOME", '"/srv/$HOME"'),
        ("/srv/größe", '"/srv/größe"'),
    ],
)
def test_a_path_survives_the_parser(path: str, written: str) -> None:
    assert path_value(Path(path)) == written


@pytest.mark.parametrize("path", ["/srv/a\nUser=root", "/srv/a\tb", "/srv/\udcff"])
def test_what_no_unit_file_can_hold_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="a unit file cannot name it"):
        path_value(Path(path))


def test_a_path_is_named_once() -> None:
    assert paths_value([Path("/b"), Path("/a"), Path("/b")]) == "/b /a"


@pytest.mark.parametrize("instance", ["app", "web@7", "a.b_c:d-e", "x\\x2dy"])
def test_names_of_instances(instance: str) -> None:
    check_instance(instance, "litestreamd@.service")


@pytest.mark.parametrize("instance", ["", "a b", "a/b", "a%b", "ä", "a" * 250])
def test_what_is_no_instance(instance: str) -> None:
    with pytest.raises(UsageError):
        check_instance(instance, "litestreamd@.service")


# --- the text


def test_the_text() -> None:
    folders = Folders((Path("/data/app"),), (Path("/mnt/backup"),), mounts=(Path("/var/lib/app"),))
    assert owner_dropin("app", OWNER, folders, may_chown=False, firm=True).splitlines()[2:] == [
        "[Unit]",
        "RequiresMountsFor=/var/lib/app /data/app /mnt/backup",
        "",
        "[Service]",
        "User=app",
        "Group=app",
        "CapabilityBoundingSet=",
        "SystemCallFilter=~@chown",
        "ProtectSystem=strict",
        "ReadWritePaths=/data/app -/mnt/backup",
        "ProtectHome=yes",
    ]


def test_what_is_missing_keeps_only_the_daemon_from_starting() -> None:
    folders = Folders((Path("/data/my app"),), (Path("/mnt/backup"),))
    text = owner_dropin("app", OWNER, folders, may_chown=False, firm=False)
    assert '\nReadWritePaths="-/data/my app" -/mnt/backup\n' in text


def test_a_restore_for_another_owner_may_chown() -> None:
    assert "@chown" not in owner_dropin("app", OWNER, Folders((Path("/a"),)), may_chown=True, firm=True)


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (Folders((Path("/srv/homes/x"),)), ["ProtectHome=yes"]),
        (Folders((Path("/home/x/data"), Path("/srv/b"))), ["ProtectHome=tmpfs", "BindPaths=/home/x/data"]),
        (Folders((Path("/srv/b"),), (Path("/home/x/b"),)), ["ProtectHome=tmpfs", "BindPaths=-/home/x/b"]),
        (Folders((Path("/srv/b"),), read=(Path("/root/ca"),)), ["ProtectHome=tmpfs", "BindReadOnlyPaths=-/root/ca"]),
        (Folders((Path("/home/x/data"),), reads_home=True), ["ProtectHome=read-only"]),
    ],
)
def test_homes_are_hidden_except_for_what_is_used(folders: Folders, expected: list[str]) -> None:
    lines = owner_dropin("app", OWNER, folders, may_chown=False, firm=True).splitlines()
    assert lines[lines.index("ProtectSystem=strict") + 2 :] == expected


# --- what is used


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that does not count as temporary, although it is."""
    monkeypatch.setattr(folders_module, "_TEMPORARY", (Path("/nowhere"),))
    for name in ("data", "backup", "state", "real"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_every_folder_that_is_written_in(place: Path) -> None:
    (place / "link").symlink_to("real")
    (place / "data" / "b.db").symlink_to(place / "real" / "b.db")
    (place / "real" / "b.db").touch()
    found = used_folders(
        config(f"""
        dbs:
          - {{path: {place}/data/a.db, meta-path: {place}/state, replica: {{path: {place}/backup}}}}
          - {{path: {place}/data/b.db, replicas: [{{type: s3, bucket: b, ca-bundle: {place}/ca.pem}}]}}
          - {{path: {place}/link/c.db, replica: {{type: s3, bucket: c}}}}
        """),
        OWNER,
    )
    assert found.written == (place / "data", place / "state", place / "real")
    assert found.replicas == (place / "backup",)
    assert place / "link" in found.mounts
    assert found.read == (place / "ca.pem",)
    assert not found.reads_home


def test_folders_of_databases(place: Path) -> None:
    text = f"""
    dbs: [{{dir: {place}/data, pattern: "*.db", meta-path: {place}/state, replica: {{path: {place}/backup}}}}]
    socket: {{path: {place}/real/x.sock}}
    """
    found = used_folders(config(text), OWNER)
    assert found.written == (place / "data", place / "state", place / "real")
    assert found.replicas == (place / "backup",)


def test_a_profile_is_below_the_home_of_the_user(place: Path) -> None:
    text = f"dbs: [{{path: {place}/data/a.db, replica: {{type: s3, bucket: b, profile: p}}}}]"
    assert used_folders(config(text), OWNER).reads_home


def test_each_missing_folder_is_named_with_the_way_to_make_it(place: Path) -> None:
    (place / "file").touch()
    text = f"""
    dbs:
      - {{path: {place}/gone/a.db, replica: {{path: {place}/b1}}}}
      - {{path: {place}/file/a.db, replica: {{path: {place}/backup}}}}
    """
    with pytest.raises(EnvironmentFault) as caught:
        used_folders(config(text), OWNER)
    assert str(caught.value).splitlines() == [
        f"the folder {place}/gone does not exist: mount its disk, or make it with"
        f" install -d -o app -g app {place}/gone",
        f"{place}/file is no folder",
        f"the folder {place}/b1 does not exist: mount its disk, or make it with install -d -o app -g app {place}/b1",
    ]


def test_what_the_service_does_not_see_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="PrivateTmp="):
        used_folders(config("dbs: [{path: /tmp/a.db, replica: {type: s3, bucket: b}}]"), OWNER)


# --- whose they are


def databases(place: Path, *names: str) -> Config:
    return config("dbs:\n" + "".join(f"  - {{path: {place}/{name}, replica: {{path: /b/{name}}}}}\n" for name in names))


@root_only
def test_the_owner_of_the_file_or_of_its_folder(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    (place / "data" / "a.db").touch()
    os.chown(place / "data" / "a.db", nobody.pw_uid, nobody.pw_gid)
    os.chown(place / "backup", nobody.pw_uid, nobody.pw_gid)
    expected = Owner("nobody", grp.getgrgid(nobody.pw_gid).gr_name)
    assert init_owner.find_owner(databases(place, "data/a.db"), None, None) == expected
    assert init_owner.find_owner(databases(place, "backup/a.db"), None, None) == expected
    assert init_owner.find_owner(databases(place, "backup/a.db"), None, "daemon") == Owner("nobody", "daemon")


@root_only
def test_the_owner_of_a_folder_of_databases_is_that_of_its_databases(place: Path) -> None:
    text = f"dbs: [{{dir: {place}/data, pattern: '*.db', replica: {{path: /b}}}}]"
    os.chown(place / "data", 54321, 54321)
    assert init_owner.find_owner(config(text), None, None) == Owner("54321", "54321")
    (place / "data" / "a.db").write_bytes(b"SQLite format 3\0")
    os.chown(place / "data" / "a.db", 54322, 54322)
    assert init_owner.find_owner(config(text), None, None) == Owner("54322", "54322")


@root_only
def test_users_without_a_name_are_numbers(place: Path) -> None:
    os.chown(place / "data", 54321, 54322)
    assert init_owner.find_owner(databases(place, "data/a.db"), None, None) == Owner("54321", "54322")
    assert init_owner.group_number(Owner("54321", "54322")) == 54322


@root_only
def test_who_is_asked_for_counts_more(place: Path) -> None:
    assert init_owner.find_owner(databases(place, "data/a.db"), "daemon", None) == Owner("daemon", "daemon")
    number = str(pwd.getpwnam("daemon").pw_uid)
    assert init_owner.find_owner(databases(place, "data/a.db"), number, "games") == Owner("daemon", "games")


@root_only
def test_nobody_root_and_two_owners_are_refused(place: Path) -> None:
    assert init_owner.find_owner(databases(place, "data/a.db"), None, None).user == "root"
    os.chown(place / "data", 54321, 54321)
    with pytest.raises(UsageError, match=r"do not belong to one user and group .*54321:54321"):
        init_owner.find_owner(databases(place, "data/a.db", "backup/b.db"), None, None)
    with pytest.raises(EnvironmentFault, match=r"neither .* nor its folder exists"):
        init_owner.find_owner(databases(place, "gone/a.db"), None, None)
    with pytest.raises(UsageError, match="-user: there is no user no-such-user"):
        init_owner.find_owner(databases(place, "data/a.db"), "no-such-user", None)
    with pytest.raises(UsageError, match="-group: there is no group no-such-group"):
        init_owner.find_owner(databases(place, "data/a.db"), None, "no-such-group")


# --- the command


@pytest.fixture
def machine(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration of the instance web@7, whose database belongs to `daemon`."""
    monkeypatch.setattr(init, "UNIT_DIRECTORY", place / "units")
    monkeypatch.setattr(selection, "CONFIGURATION_DIRECTORY", place)
    text = f"dbs: [{{path: {place}/data/a.db, replica: {{path: {place}/backup}}}}]"
    (place / "web@7.yml").write_text(text)
    (place / "web@7.yml").chmod(0o644)
    os.chown(place / "data", 1, 1)
    return place


def written(machine: Path) -> dict[str, str]:
    return {str(path.relative_to(machine / "units")): path.read_text() for path in (machine / "units").rglob("*.conf")}


@root_only
def test_what_is_written(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "web@7"]) == ExitCode.OK
    files = written(machine)
    assert sorted(files) == [
        "litestreamd-restore@web@7.service.d/owner.conf",
        "litestreamd-verify-all@web@7.service.d/owner.conf",
        "litestreamd-verify@web@7.service.d/owner.conf",
        "litestreamd@web@7.service.d/owner.conf",
    ]
    for name, text in files.items():
        assert is_ours(text)
        assert "User=daemon\nGroup=daemon\n" in text
        mark = "" if name.startswith("litestreamd@") else "-"
        assert f"ReadWritePaths={mark}{machine}/data -{machine}/backup\n" in text
    status = (machine / "web@7.yml").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 1, 0o640)
    out = capsys.readouterr().out
    assert f"{machine}/web@7.yml: is now root:daemon 0640\n" in out
    assert out.count(": written\n") == 4
    assert "systemctl daemon-reload" in out
    assert f"chown -R daemon:daemon {machine}/backup " in out, "it belongs to root"


@root_only
def test_what_is_theirs_needs_no_chown(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "backup" / "ltx").mkdir()
    os.chown(machine / "backup", 1, 1)
    main(["init", "web@7"])
    assert "chown" in capsys.readouterr().out
    os.chown(machine / "backup" / "ltx", 1, 1)
    main(["init", "web@7"])
    assert "chown" not in capsys.readouterr().out


@root_only
def test_again_changes_nothing_and_a_new_configuration_does(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", "web@7"])
    before = written(machine)
    capsys.readouterr()
    assert main(["init", "web@7"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert out.count(": right already\n") == 4
    assert "0640" not in out
    assert written(machine) == before
    (machine / "web@7.yml").write_text(
        f"dbs: [{{path: {machine}/data/a.db, meta-path: {machine}/state, replica: {{path: {machine}/backup}}}}]"
    )
    assert main(["init", "web@7"]) == ExitCode.OK
    assert capsys.readouterr().out.count(": replaced\n") == 4
    assert all(f"{machine}/state" in text for text in written(machine).values())


@root_only
def test_a_dry_run_touches_nothing(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "-dry-run", "web@7"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert out.count(": would be written\n") == 4
    assert "would be root:daemon 0640" in out
    assert "User=daemon\n" in out
    assert not (machine / "units").exists()
    assert (machine / "web@7.yml").stat().st_mode & 0o7777 == 0o644


@root_only
@pytest.mark.parametrize("unit", init.UNITS)
def test_what_somebody_else_wrote_stays(unit: str, machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = machine / "units" / f"{unit}@web@7.service.d" / "owner.conf"
    path.parent.mkdir(parents=True)
    path.write_text("[Service]\nUser=me\n")
    assert main(["init", "web@7"]) == ExitCode.FAILED
    assert f"{path} was not written by litestreamd init" in capsys.readouterr().err
    assert list(written(machine).values()) == ["[Service]\nUser=me\n"]
    assert (machine / "web@7.yml").stat().st_mode & 0o7777 == 0o644


@root_only
@pytest.mark.parametrize(
    ("mode", "gid", "right"),
    [(0o640, 1, True), (0o440, 1, True), (0o600, 1, False), (0o644, 1, False), (0o660, 1, False), (0o640, 0, False)],
)
def test_the_rights_of_a_configuration(
    mode: int, gid: int, right: bool, machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chown(machine / "web@7.yml", 0, gid)
    (machine / "web@7.yml").chmod(mode)
    main(["init", "web@7"])
    assert ("is now root:daemon 0640" in capsys.readouterr().out) is not right


def test_an_instance_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "a b"]) == ExitCode.USAGE
    assert "cannot be an instance" in capsys.readouterr().err
