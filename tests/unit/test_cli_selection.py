"""What an argument means: a replica URL, the path of a database, or an instance."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError, UsageError
from litestreamd.cli import selection
from litestreamd.cli.options import Arguments, parse_arguments
from litestreamd.cli.selection import SELECTION, Target, configuration, select, select_one, select_replicas
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import ReplicaSpec
from litestreamd.replica.s3.settings import S3Settings


def given(*words: str) -> Arguments:
    return parse_arguments(words, SELECTION)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of instances, and a current folder with a database."""
    monkeypatch.setattr(selection, "CONFIGURATION_DIRECTORY", tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.db").touch()
    (tmp_path / "link.db").symlink_to("app.db")
    (tmp_path / "one.yml").write_text(
        f"dbs: [{{path: {tmp_path}/app.db, replicas: [{{path: /b/1}}, {{path: /b/2, name: nas}}]}}]"
    )
    (tmp_path / "two.yml").write_text(
        "dbs: [{path: /data/a.db, replica: {path: /b/a}}, {path: /data/b.db, replica: {path: '/b/${B}'}}]"
    )
    return tmp_path


def test_a_url_needs_no_configuration(folder: Path) -> None:
    assert select_one("file:///b/x", given(), {}) == Target((ReplicaSpec("file", FolderSettings(Path("/b/x"))),))


def test_a_url_may_name_a_bucket(folder: Path) -> None:
    expected = Target((ReplicaSpec("s3", S3Settings("b", "x", region="r")),))
    assert select_one("s3://b/x?region=r", given(), {}) == expected
    assert select_replicas("s3://b/x?region=r", given(), {}) == expected
    with pytest.raises(UsageError, match="the replica URL cannot be used: an S3 URL has no place for credentials"):
        select("s3://key:hunter2@b/x", given(), {})


@pytest.mark.parametrize("option", ["-config", "-db", "-replica"])
def test_a_url_and_what_belongs_to_a_configuration_exclude_each_other(option: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=f"{option} and a replica URL exclude each other"):
        select("file:///b/x", given(option, "one.yml"), {})


@pytest.mark.parametrize("word", ["./app.db", "{folder}/app.db", "{folder}/x/../app.db", "./link.db", "~/app.db"])
def test_a_path_is_a_database_of_the_configuration(word: str, folder: Path) -> None:
    target = select_one(word.format(folder=folder), given("-config", "one.yml"), {"HOME": str(folder)})
    assert target.database is not None
    assert target.database.path == folder / "app.db"
    assert [spec.name for spec in target.replicas] == ["file", "nas"]
    assert target.source == folder / "one.yml"


def test_a_path_that_is_not_in_the_configuration(folder: Path) -> None:
    with pytest.raises(UsageError, match=rf"the database {folder}/ap.db is not in {folder}/one.yml \(did you mean "):
        select(f"{folder}/ap.db", given("-config", "one.yml"), {})
    with pytest.raises(UsageError, match="-db and the path of a database exclude each other"):
        select("./app.db", given("-config", "one.yml", "-db", "/x"), {})


def test_an_instance_is_its_configuration(folder: Path) -> None:
    target = select_one("one", given("-replica", "nas"), {})
    assert [spec.store.url for spec in target.replicas] == ["file:///b/2"]
    assert target.database is not None
    assert target.database.replicas == target.replicas
    with pytest.raises(UsageError, match=r"-replica: the database .* has no replica 'x'; it has file, nas"):
        select_one("one", given("-replica", "x"), {})


def test_an_instance_with_several_databases_wants_to_know_which(folder: Path) -> None:
    environment = {"B": "bb"}
    assert len(select("two", given(), environment)) == 2
    with pytest.raises(UsageError, match=r"say -db PATH, one of /data/a.db, /data/b.db"):
        select_one("two", given(), environment)
    target = select_one("two", given("-db", "/data/b.db"), environment)
    assert [spec.store.url for spec in target.replicas] == ["file:///b/bb"]
    with pytest.raises(ConfigError, match="the environment variable B is not set"):
        select("two", given(), {})
    assert select("two", given("-no-expand-env"), {})[1].replicas[0].store.url == "file:///b/${B}"


def test_a_word_that_is_no_instance_is_perhaps_a_path(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"app.db is no instance: .*\(the path of a database has a slash: ./app.db\)"):
        select("app.db", given(), {})


def test_which_configuration_is_read(folder: Path) -> None:
    environment = {"LITESTREAM_CONFIG": str(folder / "two.yml"), "B": "x"}
    assert configuration(given(), None, environment).source == folder / "two.yml"
    assert configuration(given(), "one", environment).source == folder / "one.yml"
    assert configuration(given("-config", "two.yml"), "one", environment).source == folder / "two.yml"
    with pytest.raises(UsageError, match="a/b is a path, not the name of an instance"):
        configuration(given(), "a/b", environment)


def test_without_any_word_it_is_litestreams_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "DEFAULT_CONFIG", str(folder / "one.yml"))
    assert configuration(given(), None, {}).source == folder / "one.yml"
