"""A configuration as frozen values: everything read, checked and in seconds, bytes and absolute paths.

Made by `config.load`, never by hand outside tests; the defaults are Litestream's.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from litestreamd.plan.spool_quota import Quota
from litestreamd.replica.port import ReplicaSpec

JournalMode = Literal["wal", "require"]
LogLevel = Literal["debug", "info", "warn", "error"]
LogType = Literal["text", "json"]


@dataclass(frozen=True, slots=True)
class RestoreSettings:
    """Whose a restored database is: user and group as names or numbers, mode as permission bits.

    None: as the replica or the folder says (see the restore command).
    """

    owner: str | None = None
    group: str | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """One database. `path` and `meta_path` are absolute; `replicas` has at least one, names are unique.

    checkpoint_interval_s: 0 = no checkpoint by time. truncate_pages: WAL length in pages that calls for
    a TRUNCATE checkpoint, 0 = never. max_sync_wal_bytes: WAL taken into one file, 0 = no limit.
    journal_mode: "wal" switches a rollback-journal database to WAL once, "require" refuses it.
    wal_limit: bytes that the WAL may grow to while a full image is read. spool_quota: room for what replicas lack.
    restore_if_missing: the daemon restores it before it begins, if there is something to restore. checks: SQL that a
    drill asks the restored database.
    """

    path: Path
    replicas: tuple[ReplicaSpec, ...]
    meta_path: Path | None = None
    checkpoint_interval_s: float = 60.0
    min_checkpoint_pages: int = 1000
    truncate_pages: int = 121359
    busy_timeout_s: float = 1.0
    max_sync_wal_bytes: int = 64 << 20
    journal_mode: JournalMode = "wal"
    restore: RestoreSettings = field(default_factory=RestoreSettings)
    wal_limit: int = 128 << 20
    spool_quota: Quota = field(default_factory=Quota)
    restore_if_missing: bool = False
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatabaseFolder:
    """A folder of databases. `directory` is absolute, `pattern` fits their names. recursive: also in folders below.
    watch: those that come later are protected too, and those that go are let go. `template`: what holds for each of
    them; its path is the folder, and the places of its replicas are those that the databases' own lie below."""

    directory: Path
    pattern: str
    template: DatabaseSettings
    recursive: bool = False
    watch: bool = False


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """How much is logged, and in which form; always on stderr."""

    level: LogLevel = "info"
    type: LogType = "text"


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """The control socket: where it is, and who may use it (permission bits). path None: there is none."""

    path: Path | None = None
    mode: int = 0o660


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration. `source` is its absolute path, None when it came from the command line.

    shutdown_sync_timeout_s: how long the final sync may try, 0 = one try. `warnings` are sentences for
    the log: keys that are accepted and do nothing. addr: host and port for metrics. litestream_names: metrics have
    Litestream's names too. command: what replicate starts as a child once all is watched.
    """

    databases: tuple[DatabaseSettings, ...]
    source: Path | None = None
    logging: LoggingSettings = field(default_factory=LoggingSettings)
    shutdown_sync_timeout_s: float = 30.0
    warnings: tuple[str, ...] = ()
    folders: tuple[DatabaseFolder, ...] = ()
    socket: SocketSettings = field(default_factory=SocketSettings)
    addr: tuple[str, int] | None = None
    litestream_names: bool = False
    command: str | None = None
