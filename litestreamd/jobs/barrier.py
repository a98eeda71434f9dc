"""The barrier: everything committed before it was asked for is captured when it is reached.

In: `ask` from any thread. Out: the TXID that holds the last of those commits, durable in the spool.
How: the capture takes the barriers before it reads the WAL index header. A commit is visible to others once that header
names it (SQLite WAL format, section 4), so what had been committed before the question is in what is read then.
"""

import threading
from collections import deque

from litestreamd.basics.errors import LitestreamdError


class Barrier:
    """One question. `txid` and `error` are set by the time that `wait` returns True."""

    def __init__(self) -> None:
        self.txid: int | None = None
        self.error: LitestreamdError | None = None
        self._answered = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Whether it is answered within so many seconds."""
        return self._answered.wait(max(0.0, seconds))

    def reached(self, txid: int) -> None:
        """All of it is captured; 0: there is nothing to capture."""
        self.txid = txid
        self._answered.set()

    def failed(self, error: LitestreamdError) -> None:
        """It could not be captured."""
        self.error = error
        self._answered.set()


class Barriers:
    """Those of one database that are not answered yet."""

    def __init__(self) -> None:
        self._asked: deque[Barrier] = deque()

    def ask(self) -> Barrier:
        """A new one."""
        self._asked.append(Barrier())
        return self._asked[-1]

    def asked(self) -> list[Barrier]:
        """All that were asked for by now; they stay until they are answered."""
        return list(self._asked)

    def reached(self, asked: list[Barrier], txid: int) -> None:
        """Answer these."""
        for barrier in asked:
            self._asked.remove(barrier)
            barrier.reached(txid)

    def failed(self, error: LitestreamdError) -> None:
        """Answer all."""
        while self._asked:
            self._asked.popleft().failed(error)
