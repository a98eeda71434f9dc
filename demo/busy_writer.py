"""An application that commits as fast as it can, and writes down what the database acknowledged.

In: the paths of a database and of a log outside it. Out: rows (n, content), where the content follows from n, and one
log line with n for each commit that returned. Runs until it is killed; started again, it goes on after its last row.
It uses Python's own SQLite and knows nothing of litestreamd.
"""

import os
import random
import sqlite3
import sys
import time

PAUSE_S = 0.001


def content(number: int) -> bytes:
    """What row `number` holds: up to 2 KiB that do not compress away."""
    draw = random.Random(number)
    return draw.randbytes(draw.randint(1, 2048))


def main(database: str, log: str) -> None:
    """Commit one row after another, for ever."""
    connection = sqlite3.connect(database, timeout=10, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE IF NOT EXISTS event (n INTEGER PRIMARY KEY, content BLOB NOT NULL)")
    number = connection.execute("SELECT ifnull(max(n), 0) FROM event").fetchone()[0]
    acknowledged = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    while True:
        number += 1
        connection.execute("INSERT INTO event VALUES (?, ?)", (number, content(number)))
        os.write(acknowledged, b"%d\n" % number)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
