"""`init` of a new instance: the configuration from a command line, keys as credentials, and what is to be
considered."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.errors import ExitCode
from litestreamd.cli import init, init_concerns, selection
from litestreamd.cli.main import main
from litestreamd.config import used_folders as folders_module
from litestreamd.config.check import check_config
from litestreamd.config.load import config_from_urls
from litestreamd.config.new_configuration import new_configuration, scalar

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="root only: files of other owners are made")
SOURCE = Path("/etc/litestreamd/app.yml")
URLS = (
    "/mnt/backup/app",
    "file:///mnt/with%20space/app",
    "s3://bucket",
    "s3://bucket/",
    "s3://bucket/a/path",
    "s3://bucket/app?endpoint=https://s3.example.com&region=eu-west-1&forcePathStyle=true",
    "s3://bucket.s3.eu-central-003.backblazeb2.com/app",
    "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/app",
    "s3://bucket/app?sign-payload=true&storage-class=STANDARD_IA",
)


PATHS = ("/var/lib/app/app.db", "/srv/my app/größe $5 #1.db", "/srv/a: b/[x]", "/srv/'\"/x\\y")


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("path", PATHS)
def test_the_file_means_what_the_command_line_says(url: str, path: str) -> None:
    read = check_config(new_configuration("app", [Path(path)], [url], {}).encode(), SOURCE, {})
    wanted = config_from_urls(path, [url], {})
    (database,), (other,) = read.databases, wanted.databases
    assert database.path == other.path
    assert [spec.store for spec in database.replicas] == [spec.store for spec in other.replicas]
    assert read.warnings == ()


def test_several_databases_have_places_of_their_own() -> None:
    text = new_configuration("app", [Path("/a/x.db"), Path("/a/y.db")], ["/mnt/b", "s3://c/d?region=e", "s3://f"], {})
    read = check_config(text.encode(), SOURCE, {})
    assert [[(spec.name, spec.store.url) for spec in database.replicas] for database in read.databases] == [
        [("file", f"file:///mnt/b/{name}"), ("s3-1", f"s3://c/d/{name}"), ("s3-2", f"s3://f/{name}")]
        for name in ("x.db", "y.db")
    ]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_scalar_is_read_back(text: str) -> None:
    assert yaml.safe_load(f"a: {scalar(text)}") == {"a": text.replace("$", "$$")}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of daemon:daemon; configurations and units go below this folder."""
    monkeypatch.setattr(selection, "CONFIGURATION_DIRECTORY", tmp_path / "etc")
    monkeypatch.setattr(init, "UNIT_DIRECTORY", tmp_path / "units")
    monkeypatch.setattr(folders_module, "_TEMPORARY", ())
    monkeypatch.setattr(init_concerns, "same_disk", lambda one, other: "same" in str(one))
    (tmp_path / "etc").mkdir()
    for name in ("data", "backup", "same"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, 1, 1)
    (tmp_path / "data/app.db").write_bytes(b"")
    os.chown(tmp_path / "data/app.db", 1, 1)
    return tmp_path


def called(machine: Path, *more: str, replica: str = "backup") -> int:
    return main(["init", "-db", f"{machine}/data/app.db", "-replica", f"{machine}/{replica}", *more, "app"])


@root_only
def test_a_new_instance(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(machine) == ExitCode.OK
    told = capsys.readouterr()
    path = machine / "etc/app.yml"
    status = path.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (0, 1, 0o640)
    assert f"{path}: written\n" in told.out
    assert told.out.count(": written\n") == 1 + len(init.UNITS)
    *_, head, first, second = told.out.splitlines()
    assert head == "next:"
    assert first.startswith("  systemctl daemon-reload && systemctl enable 'litestreamd@app.service' && ")
    assert second == "  litestreamd doctor app"
    assert told.err == ""
    assert main(["databases", "-config", str(path)]) == ExitCode.OK
    assert f"{machine}/data/app.db" in capsys.readouterr().out
    # And again: nothing is left to do.
    assert called(machine) == ExitCode.OK
    assert capsys.readouterr().out.count(": right already\n") == 1 + len(init.UNITS)


@root_only
def test_what_is_there_is_not_overwritten_unasked(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called(machine)
    path = machine / "etc/app.yml"
    path.write_text(path.read_text().replace("retention: 7d", "retention: 30d"))
    mine = path.read_text()
    assert called(machine) == ExitCode.OK, "other keys are the owner's business"
    capsys.readouterr()
    assert called(machine, replica="same") == ExitCode.FAILED
    assert f"{path} is there and has no replica file://{machine}/same of" in capsys.readouterr().err
    assert path.read_text() == mine
    assert called(machine, "-force", replica="same") == ExitCode.OK
    told = capsys.readouterr()
    (kept,) = (machine / "etc").glob("app.yml.before-*")
    assert kept.read_text() == mine
    assert f"what was there is kept as {kept}" in told.out
    assert "does not survive the disk" in told.err


@root_only
def test_other_settings_of_a_store_are_a_difference(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(url: str, *more: str) -> int:
        return main(["init", "-db", f"{machine}/data/app.db", "-replica", url, *more, "app"])

    assert call("s3://bucket/app?region=eu-west-1") == ExitCode.OK
    assert call("s3://bucket/app?region=eu-west-1") == ExitCode.OK
    capsys.readouterr()
    assert call("s3://bucket/app?region=eu-west-2") == ExitCode.FAILED
    assert "has other settings for the replica s3://bucket/app" in capsys.readouterr().err
    (machine / "etc/app.yml").write_text("nonsense")
    assert call("s3://bucket/app?region=eu-west-2") == ExitCode.CONFIG
    assert call("s3://bucket/app?region=eu-west-2", "-force") == ExitCode.OK
    assert "region=eu-west-2" in (machine / "etc/app.yml").read_text()
    (kept,) = (machine / "etc").glob("app.yml.before-*")
    assert kept.read_text() == "nonsense"


@root_only
def test_a_dry_run_shows_all_and_writes_nothing(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(machine, "-dry-run") == ExitCode.OK
    out = capsys.readouterr().out
    assert f"{machine}/etc/app.yml: would be written\n" in out
    assert f"  - path: {machine}/data/app.db\n" in out
    assert "User=daemon\n" in out
    assert not list((machine / "etc").iterdir())
    assert not (machine / "units").exists()


@root_only
def test_faults_come_before_the_first_file(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert called(machine, replica="missing") == ExitCode.FAILED
    assert f"install -d -o daemon -g daemon {machine}/missing" in capsys.readouterr().err
    assert main(["init", "-db", "/x.db", "app"]) == ExitCode.USAGE
    assert "-replica URL is missing" in capsys.readouterr().err
    assert called(machine, replica="../ftp://x") != ExitCode.OK
    assert not list((machine / "etc").iterdir())


@root_only
def test_a_database_of_root_needs_no_drop_in(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.chown(machine / "data/app.db", 0, 0)
    assert called(machine) == ExitCode.OK
    assert not (machine / "units").exists()
    assert (machine / "etc/app.yml").stat().st_mode & 0o777 == 0o640


@root_only
def test_keys_become_credentials(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["init", "-db", f"{machine}/data/app.db", "-replica", "s3://bucket/app"]
    assert main([*words, "app"]) == ExitCode.OK
    assert "no access key is configured" in capsys.readouterr().err
    keys = machine / "keys"
    keys.mkdir()
    assert main([*words, "-credentials", str(keys), "app"]) == ExitCode.USAGE
    assert f"{keys} has no key" in capsys.readouterr().err
    (keys / "s3-access-key-id").write_text("AKIA")
    (keys / "s3-access-key-id").chmod(0o600)
    assert main([*words, "-credentials", str(keys), "app"]) == ExitCode.USAGE
    assert "no s3-secret-access-key: a key has two halves" in capsys.readouterr().err
    (keys / "s3-access-key-id.cred").write_text("twice")
    assert main([*words, "-credentials", str(keys), "app"]) == ExitCode.USAGE
    assert "keep one of them" in capsys.readouterr().err
    (keys / "s3-access-key-id.cred").unlink()
    (keys / "s3-secret-access-key.cred").write_text("encrypted")
    (keys / "notes.txt").write_text("no key")
    (keys / "s3-access-key-id").chmod(0o644)
    assert main([*words, "-credentials", str(keys), "app"]) == ExitCode.RIGHTS
    assert f"chmod 600 {keys}/s3-access-key-id" in capsys.readouterr().err
    (keys / "s3-access-key-id").chmod(0o600)
    assert main([*words, "-credentials", str(keys), "app"]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.err == ""
    assert "AKIA" not in told.out
    for unit in init.UNITS:
        text = (machine / f"units/{unit}@app.service.d/credentials.conf").read_text()
        assert text.splitlines()[1:] == [
            "[Service]",
            f"LoadCredential=s3-access-key-id:{keys}/s3-access-key-id",
            f"LoadCredentialEncrypted=s3-secret-access-key:{keys}/s3-secret-access-key.cred",
        ]


@root_only
def test_the_keys_of_before_are_not_asked_for(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They may be gone: this is how they are replaced."""
    assert main(["init", "-db", f"{machine}/data/app.db", "-replica", "s3://bucket/app", "app"]) == ExitCode.OK
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(selection, "instance_of", lambda source: "app")
    monkeypatch.setattr(selection, "lend_credentials", lambda *_: pytest.fail("they were asked for"))
    assert main(["init", "app"]) == ExitCode.OK


@root_only
def test_a_folder_with_other_things_in_it_is_not_given_away(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = machine / "shared"
    shared.mkdir()
    (shared / "letters.txt").write_text("of somebody")
    words = ["init", "-db", f"{machine}/data/app.db", "-replica", str(shared), "app"]
    assert main(words) == ExitCode.USAGE
    assert "holds more than a replica (letters.txt)" in capsys.readouterr().err
    assert not (machine / "etc/app.yml").exists()
    (shared / "letters.txt").unlink()
    (shared / "ltx").mkdir()
    assert main(words) == ExitCode.OK
    assert f"chown -R daemon:daemon {shared}" in capsys.readouterr().out


@root_only
def test_a_misspelt_database_is_seen_beside_the_one_that_is_there(
    machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine / "data" / "shop.db").write_bytes(b"SQLite format 3\0" + bytes(84))
    main(["init", "-dry-run", "-db", f"{machine}/data/shp.db", "-replica", "s3://bucket/app", "app"])
    assert "shop.db; was one of these meant?" in capsys.readouterr().err.replace("app.db, ", "")


@root_only
def test_a_database_of_another_instance_is_seen(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "etc" / "broken.yml").write_text("dbs: [")
    (machine / "etc" / "shop.yml").write_text(
        f"dbs: [{{path: {machine}/data/app.db, replica: {{path: {machine}/same}}}}]\n"
    )
    assert called(machine) == ExitCode.OK
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{machine}/data/app.db is protected by the instance shop already: take it out of" in line
