"""`verify.checks`: what the operator wants to be true of every backup, as SQL.

In: a restored database that nobody uses, a query. Out: None when its first row begins with something true, else why
not. Promised: nothing is written, neither to this file (read-only, immutable) nor, by ATTACH, to any other; a query
that does not come to an end is broken off.
"""

import time
from pathlib import Path
from urllib.parse import quote

import apsw

LONGEST_S = 600.0
_STEPS = 100_000
"""Of SQLite's virtual machine between two looks at the clock."""

_FORBIDDEN = frozenset({apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH, apsw.SQLITE_PRAGMA})


def run_check(path: Path, sql: str, longest_s: float = LONGEST_S) -> str | None:
    """One query; out: None, or the complaint with the query in it."""
    uri = f"file:{quote(str(path))}?immutable=1"
    try:
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            end = time.monotonic() + longest_s
            connection.setprogresshandler(lambda: time.monotonic() > end, _STEPS)
            connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            connection.setauthorizer(_permit)
            row = next(iter(connection.cursor().execute(sql)), None)
        finally:
            connection.close(True)
    except apsw.InterruptError:
        return f"the check did not come to an end within {longest_s:g} s: {sql}"
    except (apsw.Error, apsw.ExecutionCompleteError) as error:
        return f"the check cannot be made ({error}): {sql}"
    if row is None:
        return f"the check gave no row: {sql}"
    return None if row[0] and row[0] != "0" else f"the check gave {row[0]!r}: {sql}"


def _permit(action: int, *_: object) -> int:
    return apsw.SQLITE_DENY if action in _FORBIDDEN else apsw.SQLITE_OK
