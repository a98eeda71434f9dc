"""Where a configuration comes from: a file that may be missing or unreadable, or a command line."""

import os
from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError, RightsError, UsageError
from litestreamd.config.load import config_from_urls, load_config, replica_from_url
from litestreamd.config.model import Config, DatabaseSettings, LoggingSettings
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import ReplicaSpec

SMALL = "dbs: [{path: /data/app.db, replica: {path: '/backup/${NAME}'}}]\n"


def test_a_file_is_read_with_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.yml").write_text(SMALL)
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("app.yml"), {"NAME": "x"})
    assert config.source == tmp_path / "app.yml"
    assert config.databases[0].replicas[0].store.url == "file:///backup/x"
    assert load_config(Path("app.yml"), {}, expand_env=False).databases[0].replicas[0].store == FolderSettings(
        Path("/backup/${NAME}")
    )


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"there is no configuration file {tmp_path}/x.yml "):
        load_config(tmp_path / "x.yml", {})
    with pytest.raises(ConfigError, match=f"the configuration {tmp_path} cannot be read: Is a directory"):
        load_config(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_a_matter_of_rights(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    path.write_text(SMALL)
    path.chmod(0)
    with pytest.raises(RightsError, match="may not be read by this user"):
        load_config(path, {})


def test_the_command_line_is_a_configuration_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    config = config_from_urls("app.db", ["file:///backup/a", "backup"], {"HOME": "/root", "LOG_LEVEL": "debug"})
    replicas = (
        ReplicaSpec("file", FolderSettings(Path("/backup/a"))),
        ReplicaSpec("file-2", FolderSettings(Path("/usr/backup"))),
    )
    assert config == Config(
        databases=(DatabaseSettings(path=Path("/usr/app.db"), replicas=replicas),),
        logging=LoggingSettings(level="debug"),
    )


@pytest.mark.parametrize(
    ("database", "url", "sentence"),
    [
        ("/a", "s3://key:hunter2@bucket/x", "the replica URL cannot be used: an S3 URL has no place for credentials"),
        ("/a", "gcs://bucket", "is now gs"),
        ("/a", "file://x", "three slashes"),
        ("/a", "", "the path is empty"),
        ("", "file:///x", "the path is empty"),
        ("/a\0", "file:///x", "zero byte"),
        ("~/a", "file:///x", "[$]HOME, which is not set"),
    ],
)
def test_a_bad_command_line_is_a_usage_error(database: str, url: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        config_from_urls(database, [url], {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("urls", "sentence"),
    [
        (["/b", "file:///b/"], "another replica of this database has the folder /b too"),
        (["/b", "/b/c"], "the replica folder /b/c lies inside the replica folder /b"),
        (["/data/app.db"], "the replica folder /data/app.db is, or lies in, the database file /data/app.db"),
    ],
)
def test_places_that_meet_on_the_command_line(urls: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        config_from_urls("/data/app.db", urls, {})
    assert str(caught.value) == sentence


def test_a_bad_log_level_in_the_environment_is_told() -> None:
    with pytest.raises(UsageError, match="LOG_LEVEL in the environment: 'loud' is not one of debug"):
        config_from_urls("/a", ["/b"], {"LOG_LEVEL": "loud"})


def test_a_replica_url_is_a_replica() -> None:
    assert replica_from_url("FILE:///b/../c%2Fd", {}) == ReplicaSpec("file", FolderSettings(Path("/c/d")))
