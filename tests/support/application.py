"""An application in a process of its own that does what a test tells it, one command at a time.

In (stdin): JSON lines {"sql", "values"}, {"image": path}, {"restore": path} or {"close"}.
Out (stdout): JSON lines {"rows"} or {"error"}.
Run as a script: `application.py LIBRARY DATABASE`, LIBRARY being `sqlite3` (Python's own) or `apsw`.
"""

import json
import sqlite3
import sys
from pathlib import Path


def stock(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=0)


def run(library: str, path: str) -> None:
    """Serve commands until stdin ends; leaving without closing is what a kill looks like to SQLite."""
    if library == "sqlite3":
        connection = stock(path)
        errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    else:
        import apsw  # noqa: PLC0415  only who asks for it: it doubles the time of a start

        connection = apsw.Connection(path)
        errors = (apsw.Error,)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if "image" in command:
                name = ("main",) if library != "sqlite3" else ()
                Path(command["image"]).write_bytes(connection.serialize(*name))
                answer = {"rows": []}
            elif "restore" in command:
                sqlite3.connect(command["restore"]).backup(connection)
                answer = {"rows": []}
            elif "close" in command:
                connection.close()
                answer = {"rows": []}
            else:
                cursor = connection.execute(command["sql"], command["values"])
                answer = {"rows": [[str(cell) if isinstance(cell, bytes) else cell for cell in row] for row in cursor]}
        except errors as error:
            answer = {"error": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run(sys.argv[1], sys.argv[2])
