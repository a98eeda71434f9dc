"""Ask SQLite whether a finished database file, which nobody uses yet, is sound.

In: the path of a file. Out: a finding. Promised: not a byte of it changes and nothing appears beside it (it is
opened read-only and immutable: "URI Filenames", section 3.3).
"""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import apsw

from litestreamd.basics.errors import DamagedData

STEPS = 100_000
"""Of SQLite's virtual machine, or pages that it checks: hundredths of a second."""


def check_integrity(path: Path, quick: bool, alive: Callable[[], object] | None = None) -> str | None:
    """Run quick_check or integrity_check; None, or why SQLite could not judge (an unknown collation, say).

    `alive` is called again and again while SQLite goes on (by 3.40 not while it follows a tree, a tenth of the time).
    Raises DamagedData with SQLite's first complaint.
    """
    name = "quick_check" if quick else "integrity_check"
    uri = f"file:{quote(str(path))}?immutable=1"
    try:
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            if alive is not None:
                connection.setprogresshandler(lambda: bool(alive() and False), STEPS)
            rows = connection.cursor().execute(f"PRAGMA {name}(1)").fetchall()
        finally:
            connection.close(True)
    except apsw.SQLError as error:
        return str(error)
    except apsw.Error as error:
        raise DamagedData(f"{name}: {error}") from error
    complaint = str(rows[0][0])
    if complaint != "ok":
        raise DamagedData(f"{name}: {' '.join(complaint.split())}")
    return None
