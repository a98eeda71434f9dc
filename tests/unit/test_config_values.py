"""A good configuration becomes the values it says, with Litestream's defaults for all else."""

from pathlib import Path

import pytest

from litestreamd.config.check import check_config
from litestreamd.config.model import Config, DatabaseSettings, LoggingSettings, RestoreSettings, SocketSettings
from litestreamd.plan.spool_quota import Quota
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import ReplicaSpec

SOURCE = Path("/etc/litestream.yml")
ENVIRONMENT = {"HOME": "/home/app", "BACKUP": "/backup: {x}", "EMPTY": "", "N": "7"}

SMALL = "dbs: [{path: /data/app.db, replica: {path: /backup/app}}]\n"

WHOLE = """\
addr: ":9090"
sync-interval: 2s
shutdown-sync-timeout: 1m
journal-mode: require
restore: {owner: app, mode: 0640}
logging: {level: DEBUG, type: json, stderr: true}
x-defaults: &unused
dbs:
  - path: sqlite3:///data/a.db
    meta-path: ~/state
    checkpoint-interval: 0
    min-checkpoint-page-count: 10
    truncate-page-n: -1
    busy-timeout: 250ms
    max-sync-wal-bytes: 1MiB
    replica: {type: file, name: main, url: "file:///backup/a%20b", sync-interval: 1d}
  - path: ../data/b.db
    truncate-page-n: 0
    journal-mode: wal
    restore: {group: 33, mode: "0o600"}
    replicas:
      - path: ${BACKUP}/b$$
      - {name: second, url: /backup/b2}
"""


def read(text: str) -> Config:
    return check_config(text.encode(), SOURCE, ENVIRONMENT)


def test_every_default_is_litestreams() -> None:
    spec = ReplicaSpec("file", FolderSettings(Path("/backup/app")), 1.0)
    assert read(SMALL) == Config(
        databases=(
            DatabaseSettings(
                path=Path("/data/app.db"),
                replicas=(spec,),
                meta_path=None,
                checkpoint_interval_s=60.0,
                min_checkpoint_pages=1000,
                truncate_pages=121359,
                busy_timeout_s=1.0,
                max_sync_wal_bytes=64 * 1024 * 1024,
                journal_mode="wal",
                restore=RestoreSettings(None, None, None),
                wal_limit=128 * 1024 * 1024,
                spool_quota=Quota(size=None, share=0.25),
            ),
        ),
        source=SOURCE,
        logging=LoggingSettings("info", "text"),
        shutdown_sync_timeout_s=30.0,
        warnings=(),
    )


def test_every_key_reaches_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    config = read(WHOLE.replace("x-defaults: &unused\n", ""))
    first, second = config.databases
    assert first == DatabaseSettings(
        path=Path("/data/a.db"),
        replicas=(ReplicaSpec("main", FolderSettings(Path("/backup/a b")), 86400.0),),
        meta_path=Path("/home/app/state"),
        checkpoint_interval_s=0.0,
        min_checkpoint_pages=10,
        truncate_pages=0,
        busy_timeout_s=0.25,
        max_sync_wal_bytes=1 << 20,
        journal_mode="require",
        restore=RestoreSettings("app", None, 0o640),
    )
    assert second == DatabaseSettings(
        path=Path("/data/b.db"),
        replicas=(
            ReplicaSpec("file", FolderSettings(Path("/backup: {x}/b$")), 2.0),
            ReplicaSpec("second", FolderSettings(Path("/backup/b2")), 2.0),
        ),
        journal_mode="wal",
        restore=RestoreSettings("app", "33", 0o600),
    )
    assert config.logging == LoggingSettings("debug", "json")
    assert config.shutdown_sync_timeout_s == 60.0
    assert (config.addr, config.socket, config.folders) == (("", 9090), SocketSettings(), ())
    assert config.warnings == (
        "/etc/litestream.yml:6:37: logging.stderr has no effect in this version: logs always go to stderr",
    )


def test_null_is_the_same_as_leaving_a_key_out() -> None:
    text = """\
sync-interval: ~
logging:
restore: null
dbs:
  - {path: /data/app.db, meta-path: , busy-timeout: Null, replicas: ~, replica: {path: /backup/app, name: }}
"""
    assert read(text) == read(SMALL)


def test_anchors_aliases_and_merge_keys_work() -> None:
    text = """\
dbs:
  - &one
    path: /data/a.db
    busy-timeout: &long 9s
    journal-mode: require
    replica: &there {path: /backup/a, sync-interval: 3s}
  - <<: *one
    path: /data/b.db
    replica: {<<: [{sync-interval: 4s}, *there], path: /backup/b}
  - path: /data/c.db
    busy-timeout: *long
    replica: {path: /backup/c}
"""
    first, second, third = read(text).databases
    assert second.busy_timeout_s == third.busy_timeout_s == first.busy_timeout_s == 9.0
    assert (second.journal_mode, third.journal_mode) == ("require", "wal")
    assert second.replicas == (ReplicaSpec("file", FolderSettings(Path("/backup/b")), 4.0),)


@pytest.mark.parametrize("start", ["", "\ufeff", "---\n", "%YAML 1.1\n---\n", "# comment\n\n"])
@pytest.mark.parametrize("end", ["", "...\n", "# comment"])
def test_the_edges_of_a_document_do_not_matter(start: str, end: str) -> None:
    assert read(start + SMALL + end) == read(SMALL)


def test_a_variable_never_changes_the_structure() -> None:
    text = "dbs: [{path: '/data/${BACKUP}', replica: {path: /b}}]"
    assert read(text).databases[0].path == Path("/data/backup: {x}")


def test_without_expansion_dollars_stay() -> None:
    text = "dbs: [{path: '/data/${GONE}$x$$', replica: {path: /b}}]"
    config = check_config(text.encode(), SOURCE, ENVIRONMENT, expand_env=False)
    assert config.databases[0].path == Path("/data/${GONE}$x$$")


def test_a_variable_can_be_a_number() -> None:
    text = SMALL.replace("path: /data/app.db", "path: /data/app.db, busy-timeout: '${N}s', truncate-page-n: '${N}'")
    database = read(text).databases[0]
    assert (database.busy_timeout_s, database.truncate_pages) == (7.0, 7)


@pytest.mark.parametrize(
    ("environment", "configured", "level"),
    [
        ({}, "", "info"),
        ({}, "logging: {level: warn}", "warn"),
        ({}, "logging: {level: TRACE}", "debug"),
        ({"LOG_LEVEL": "error"}, "logging: {level: warn}", "error"),
        ({"LOG_LEVEL": "DEBUG"}, "", "debug"),
        ({"LOG_LEVEL": ""}, "logging: {level: warn}", "warn"),
    ],
)
def test_the_log_level_of_the_environment_wins(environment: dict[str, str], configured: str, level: str) -> None:
    assert check_config((SMALL + configured).encode(), SOURCE, environment).logging.level == level


def test_a_thousand_databases_are_read() -> None:
    entries = "\n".join(f"  - {{path: /data/{n}.db, replica: {{path: /backup/{n}}}}}" for n in range(1000))
    assert len(read("dbs:\n" + entries).databases) == 1000
