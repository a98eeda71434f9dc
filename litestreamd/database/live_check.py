"""Whether the structure of a live database is sound, before pages are believed that nobody saw being written.

In: a connection to it. Out: None, or SQLite's first complaint about the structure.
What `PRAGMA quick_check` says of contents (a NULL where there should be none, a CHECK that fails) is the application's
business. A database that SQLite cannot judge (a virtual table of an unknown module) is not called rotten.
"""

import apsw

from litestreamd.basics.errors import DamagedData
from litestreamd.basics.pulse import beat

_STRUCTURE = "*** in database"
_MOST = 100
_STEPS = 100_000
"""Of SQLite's virtual machine between two signs of life: hundredths of a second."""


class RottenDatabase(DamagedData):
    """The live database is damaged; what differs from its last captured state is not captured."""


def structural_complaint(connection: apsw.Connection) -> str | None:
    """Ask SQLite. Takes about as long as reading the whole file."""
    connection.setprogresshandler(_show_life, _STEPS)
    try:
        rows = connection.cursor().execute(f"PRAGMA quick_check({_MOST})").fetchall()
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return str(error)
    except apsw.SQLError:
        return None
    finally:
        connection.setprogresshandler(None)
    return next((" ".join(str(row[0]).split()) for row in rows if str(row[0]).startswith(_STRUCTURE)), None)


def _show_life() -> bool:
    """False: go on."""
    beat()
    return False
