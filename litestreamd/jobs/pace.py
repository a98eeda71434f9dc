"""When a task wants to run again, and how often a database may send a file.

In: times of a monotonic clock in seconds. Out: waiting times.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Next:
    """Run again in `after` seconds at the latest (None: only when signalled), or at once on an event if `watch`."""

    after: float | None
    watch: bool = True


@dataclass(slots=True)
class Backoff:
    """Waiting times after failures: doubling from `first` to `longest` seconds, back to the start on success; each a
    little shorter by chance, so that all who wait for one store do not come at once."""

    first: float
    longest: float
    failures: int = 0

    def failed(self) -> float:
        """Seconds to wait now."""
        self.failures += 1
        return min(self.longest, self.first * 2.0 ** min(self.failures - 1, 30)) * random.uniform(0.75, 1.0)

    def worked(self) -> bool:
        """Forget the failures; True if there were any."""
        failed, self.failures = self.failures > 0, 0
        return failed


SLOW_LOOK_S, SLOWEST_LOOK_S = 1.0, 5.0
"""The safety net under inotify: how often a quiet database is looked at; less and less often the longer it is quiet."""

AFTER_EVENT_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""An event comes when frames are written, before the commit is visible (an fsync may lie between): look again."""

CHECKPOINTER_S, CHECKPOINTER_LOOK_S, LIVELY_S = 0.01, 0.02, 0.5
"""While the application waits in a checkpoint of its own for our guard to move, its writers wait with it: looked for
often as long as the database is lively, and answered fast."""


class Pace:
    """The pace of one database: the first file after a quiet spell at once, then one per interval.

    What a checkpoint brings along comes on top, and puts the next file off by no more than one interval: no commit
    waits longer, however many checkpoints there are.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_file = 0.0
        self._seen: object = None
        self._seen_at = 0.0
        self._looks = 0

    def notice(self, seen: object, now: float, woken: bool) -> None:
        """Remember when something last changed, and count the looks after an event that has shown nothing yet."""
        if seen != self._seen:
            self._seen, self._seen_at, self._looks = seen, now, 0
        elif woken:
            self._looks = 1

    def forget(self) -> None:
        """What is seen next is new."""
        self._seen = None

    def quiet(self, now: float) -> float:
        """Seconds since something changed."""
        return now - self._seen_at

    def may_send(self, now: float) -> bool:
        """Whether a file may be made now."""
        return now >= self._next_file

    def sent(self, now: float) -> None:
        """A file was made."""
        self._next_file = now + self._interval_s

    def next_look(self, now: float, checkpointer_waits: bool, idle: bool, guard_on_zero: bool) -> Next:
        """When to look again; `idle`: nothing waits to be captured."""
        if checkpointer_waits:
            return Next(CHECKPOINTER_S)
        lively = self.quiet(now) < LIVELY_S
        if not idle:
            # Events are of no use until the interval is over, unless the guard has to get off mark 0 quickly.
            look = CHECKPOINTER_LOOK_S if lively else SLOW_LOOK_S
            return Next(min(max(0.0, self._next_file - now), look), watch=guard_on_zero)
        if 0 < self._looks <= len(AFTER_EVENT_S):
            self._looks += 1
            return Next(AFTER_EVENT_S[self._looks - 2])
        if lively:
            return Next(CHECKPOINTER_LOOK_S)
        return Next(min(SLOWEST_LOOK_S, max(SLOW_LOOK_S, self.quiet(now) / 10)))
