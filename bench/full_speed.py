"""An application that commits one row after another as fast as it can: python -m bench.full_speed DATABASE SECONDS.

Out on stdout: commits per second, and the 99th percentile of a commit's time in ms.
"""

import sqlite3
import sys
import time
from contextlib import closing


def main() -> None:
    path, seconds = sys.argv[1], float(sys.argv[2])
    times = []
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as db:
        db.execute("PRAGMA synchronous=NORMAL")
        began = now = time.monotonic()
        while now < began + seconds:
            db.execute("INSERT INTO t(a, b) VALUES('a row of an application', randomblob(100))")
            before, now = now, time.monotonic()
            times.append(now - before)
    times.sort()
    print(len(times) / (now - began), times[len(times) * 99 // 100] * 1000)


if __name__ == "__main__":
    main()
