"""An application that changes random pages at a steady rate: python -m bench.steady_writer DATABASE LOG PAGES COMMITS.

In: pages and commits per second (0 commits: as fast as it can, PAGES a commit). Out: in LOG a line "time seconds" for
each commit (monotonic clock). It ends at SIGTERM. Its autocheckpoint is SQLite's default.
"""

import random
import signal
import sqlite3
import sys
import time
from contextlib import closing


def main() -> None:
    path, log, pages, commits = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    each = max(1, round(pages / commits)) if commits else round(pages)
    chance = random.Random(1)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db, open(log, "w") as lines:
        db.execute("PRAGMA synchronous=NORMAL")
        last = db.execute("SELECT max(id) FROM t").fetchone()[0]
        due = time.monotonic()
        while True:
            rows = [(chance.randrange(last),) for _ in range(each)]
            began = time.monotonic()
            db.execute("BEGIN IMMEDIATE")
            db.executemany("UPDATE t SET b = randomblob(100) WHERE id = ?", rows)
            db.execute("COMMIT")
            now = time.monotonic()
            lines.write(f"{now:.6f} {now - began:.6f}\n")
            lines.flush()
            if commits:
                due = max(due + 1 / commits, now - 1)
                time.sleep(max(0.0, due - now))


if __name__ == "__main__":
    main()
