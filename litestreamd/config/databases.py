"""The entries of `dbs`, as DatabaseSettings values.

In: the list of entries and the defaults from the top of the file. Out: settings with their places.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import UsageError
from litestreamd.config import nodes
from litestreamd.config.identities import identities
from litestreamd.config.keys import Place
from litestreamd.config.model import DatabaseFolder, DatabaseSettings, JournalMode, RestoreSettings
from litestreamd.config.nodes import Mark, Node, kind_of
from litestreamd.config.places import absolute, database_path
from litestreamd.config.reading import SMALLEST_ROOM, Reading
from litestreamd.config.replicas import PlacedReplica, ReplicaReader
from litestreamd.config.rules import PlacedRules, read_rules
from litestreamd.config.s3 import S3Reader
from litestreamd.config.section import Section
from litestreamd.config.sql_checks import sql_checks
from litestreamd.plan.spool_quota import Quota

_JOURNAL_MODES: Mapping[str, JournalMode] = {"wal": "wal", "require": "require"}
_DEFAULTS = DatabaseSettings(path=Path("/"), replicas=())


@dataclass(frozen=True, slots=True)
class PlacedDatabase:
    """A database, where its path is named, and its replicas with their places. `folder`: it stands for all databases of
    a folder, whose template its settings are."""

    settings: DatabaseSettings
    mark: Mark
    replicas: tuple[PlacedReplica, ...]
    folder: DatabaseFolder | None = None


class DatabaseReader:
    """Reads entries of `dbs`; what they leave out comes from the top of the file."""

    def __init__(self, reading: Reading, home: Mapping[str, str], top: Section) -> None:
        """`home` is the environment for `~`."""
        self._reading = reading
        self._home = home
        self._journal_mode = top.choice("journal-mode", _JOURNAL_MODES, "wal")
        self._restore = _restore_settings(top.section("restore"), RestoreSettings())
        interval_s = top.duration("sync-interval", 1.0, positive=True)
        self._rules = read_rules(top, reading, PlacedRules())
        self._checks = sql_checks(top, reading, ())
        self._wal_limit, self._spool_quota = _room(top, _DEFAULTS.wal_limit, _DEFAULTS.spool_quota)
        self._replicas = ReplicaReader(
            reading, home, interval_s, S3Reader(reading, home, top), identities(top, reading, ())
        )

    def read_all(self, top: Section) -> list[PlacedDatabase]:
        """Every entry that can be used."""
        dbs = top.node("dbs")
        if dbs is None:
            self._reading.faults.add(top.mark, "no database is configured: add dbs, a list with path and replica")
            return []
        if not isinstance(dbs, nodes.Sequence):
            self._reading.faults.add(dbs.mark, f"dbs takes a list (- path: ...), not {kind_of(dbs)}")
            return []
        if not dbs.items:
            self._reading.faults.add(dbs.mark, "dbs is empty: name at least one database")
        databases = (self._read(node) for node in dbs.items)
        return [database for database in databases if database is not None]

    def _read(self, node: Node) -> PlacedDatabase | None:
        if not isinstance(node, nodes.Mapping):
            self._reading.faults.add(node.mark, f"a database takes keys such as path and replica, not {kind_of(node)}")
            return None
        entry = Section(node, Place.DATABASE, self._reading)
        is_folder = entry.node("dir") is not None
        path = self._folder(entry) if is_folder else self._path(entry)
        meta_path = self._meta_path(entry)
        rules = read_rules(entry, self._reading, self._rules)
        replicas = tuple(self._replicas.read(entry, rules))
        wal_limit, spool_quota = _room(entry, self._wal_limit, self._spool_quota)
        settings = DatabaseSettings(
            path=path or _DEFAULTS.path,
            replicas=tuple(replica.spec for replica in replicas),
            meta_path=meta_path,
            checkpoint_interval_s=entry.duration("checkpoint-interval", _DEFAULTS.checkpoint_interval_s),
            min_checkpoint_pages=entry.number("min-checkpoint-page-count", _DEFAULTS.min_checkpoint_pages, at_least=1),
            truncate_pages=_truncate_pages(entry),
            busy_timeout_s=entry.duration("busy-timeout", _DEFAULTS.busy_timeout_s),
            max_sync_wal_bytes=entry.size("max-sync-wal-bytes", _DEFAULTS.max_sync_wal_bytes),
            journal_mode=entry.choice("journal-mode", _JOURNAL_MODES, self._journal_mode),
            restore=_restore_settings(entry.section("restore"), self._restore),
            wal_limit=wal_limit,
            spool_quota=spool_quota,
            restore_if_missing=entry.flag("restore-if-db-not-exists", False),
            checks=sql_checks(entry, self._reading, self._checks),
        )
        if path is None:
            return None
        if not is_folder:
            return PlacedDatabase(settings, entry.place_of("path"), replicas)
        folder = DatabaseFolder(
            path, _pattern(entry), settings, entry.flag("recursive", False), entry.flag("watch", False)
        )
        return PlacedDatabase(settings, entry.place_of("dir"), replicas, folder)

    def _folder(self, entry: Section) -> Path | None:
        """The folder of databases."""
        if entry.node("path") is not None:
            entry.fault("path", "path and dir exclude each other: an entry is one database, or a folder of them")
        return self._absolute(entry, "dir", absolute)

    def _path(self, entry: Section) -> Path | None:
        """The database's file."""
        for key in ("pattern", "recursive", "watch", "meta-dir"):
            if entry.node(key) is not None:
                entry.fault(key, f"{key} belongs to an entry with dir")
        if entry.node("path") is None:
            entry.fault("path", "this entry of dbs has neither path nor dir")
            return None
        return self._absolute(entry, "path", database_path)

    def _meta_path(self, entry: Section) -> Path | None:
        if entry.node("meta-path") is not None and entry.node("meta-dir") is not None:
            entry.fault("meta-dir", "meta-path and meta-dir exclude each other")
        key = "meta-dir" if entry.node("meta-dir") is not None else "meta-path"
        return None if entry.node(key) is None else self._absolute(entry, key, absolute)

    def _absolute(self, entry: Section, key: str, read: Callable[[str, Mapping[str, str]], Path]) -> Path | None:
        text = entry.text(key)
        try:
            return None if text is None else read(text, self._home)
        except UsageError as error:
            entry.fault(key, str(error))
            return None


def _pattern(entry: Section) -> str:
    """Which names in a folder are databases'."""
    pattern = entry.text("pattern")
    if pattern is None:
        entry.fault("pattern", "an entry with dir needs a pattern for the names of its databases, such as '*.db'")
        return "*"
    if "/" in pattern or "**" in pattern:
        entry.fault("pattern", "pattern is for names, not for paths: write '*.db', and recursive: true for all below")
    return pattern


def _truncate_pages(entry: Section) -> int:
    """Litestream's meaning: 0 keeps the default, a negative number is never (0 in the model)."""
    number = entry.number("truncate-page-n", _DEFAULTS.truncate_pages)
    return max(number, 0) if number else _DEFAULTS.truncate_pages


def _room(section: Section, wal_limit: int, spool_quota: Quota) -> tuple[int, Quota]:
    """`snapshot.wal-limit` and `spool-quota` of one place; the defaults are of the place around it."""
    limit = section.section("snapshot").size("wal-limit", wal_limit, at_least=SMALLEST_ROOM)
    return limit, section.quota("spool-quota", spool_quota)


def _restore_settings(section: Section, default: RestoreSettings) -> RestoreSettings:
    return RestoreSettings(
        owner=section.text("owner") or default.owner,
        group=section.text("group") or default.group,
        mode=section.mode("mode", default.mode),
    )
