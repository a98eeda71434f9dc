"""The two SQLite libraries a writer may use behind one small face.

In: `sqlite3` (Python's own, here the distribution's SQLite) or `apsw` (a new SQLite), a path.
Out: a connection with autocommit semantics; `Busy` for "somebody else has it", everything else goes through.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import apsw


class Busy(Exception):
    """Locked, busy, or a schema changed by somebody else meanwhile: roll back and go on."""


class Stock:
    """Python's sqlite3."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=0)

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as error:
            _raise_busy(error)
            raise

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        try:
            self._db.executemany(sql, values)
        except sqlite3.OperationalError as error:
            _raise_busy(error)
            raise

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def close(self) -> None:
        self._db.close()


class New:
    """apsw, which brings its own SQLite."""

    def __init__(self, path: str) -> None:
        self._db = apsw.Connection(path)

    def run(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        try:
            return list(self._db.cursor().execute(sql, tuple(values)))
        except (apsw.BusyError, apsw.LockedError, apsw.SQLError) as error:
            _raise_busy(error)
            raise

    def run_many(self, sql: str, values: Iterable[Sequence[Any]]) -> None:
        try:
            self._db.cursor().executemany(sql, values)
        except (apsw.BusyError, apsw.LockedError, apsw.SQLError) as error:
            _raise_busy(error)
            raise

    @property
    def in_transaction(self) -> bool:
        return bool(self._db.in_transaction)

    def close(self) -> None:
        self._db.close()


Library = Stock | New


HARMLESS = (
    "locked",
    "busy",
    "already exists",
    "no such table",
    "no such index",
    "no such column",
    "schema has changed",
    "statements in progress",
    "duplicate column",
)


def _raise_busy(error: Exception) -> None:
    """Contention, or a table that another writer made, dropped or altered a moment ago, is Busy; else return."""
    if any(words in str(error) for words in HARMLESS):
        raise Busy(str(error)) from error


def connect(library: str, path: str) -> Library:
    return New(path) if library == "apsw" else Stock(path)
