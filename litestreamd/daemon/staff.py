"""Who does what in the daemon: threads for captures, and for each service that keeps replicas threads that send to it
and threads for what takes long there.

In: tasks, with the service that a replica's tasks depend on. Out: each runs when it is due (daemon/scheduler.py).
Promise: a store that hangs holds up what goes to it, and nothing else: no capture, no replica elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from litestreamd.daemon.scheduler import Scheduler, Task

MOST = 8
"""Threads of one kind. A store that takes hours for an image holds up one of them."""


class Staff:
    """`prepare` as in Scheduler, for captures only; `crashed` is told of a bug in any task."""

    def __init__(
        self,
        databases: int,
        services: Iterable[str],
        prepare: Callable[[Task], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        """`services`: that of each replica, as often as it has one."""
        self._captures = Scheduler(min(MOST, databases), prepare, crashed)
        replicas = Counter(services)
        self._senders = {name: Scheduler(min(MOST, count), _nothing, crashed) for name, count in replicas.items()}
        self._long = {name: Scheduler(min(MOST, count), _nothing, crashed) for name, count in replicas.items()}
        self._all = [self._captures, *self._senders.values(), *self._long.values()]

    def add_capture(self, task: Task) -> None:
        """A database."""
        self._captures.add(task)

    def add_line(self, task: Task, service: str) -> None:
        """What ships commits to a replica: soon and short."""
        self._senders[service].add(task)

    def add_history(self, task: Task, service: str) -> None:
        """Images, merges and deletions on a replica: they must not keep a commit waiting."""
        self._long[service].add(task)

    def signal(self, task: object) -> None:
        """Run a task as soon as possible, whoever has it."""
        for scheduler in self._all:
            scheduler.signal(task)

    def start(self) -> None:
        """Start all threads."""
        for scheduler in self._all:
            scheduler.start()

    def end(self) -> None:
        """Start no task any more; returns when the captures have ended. What goes to a store that hangs may take its
        time: see `join`."""
        for scheduler in self._all:
            scheduler.end()
        self._captures.join()

    def join(self, service: str) -> None:
        """After `end`: returns when nothing runs any more that depends on this service."""
        self._senders[service].join()
        self._long[service].join()


def _nothing(_: Task) -> None:
    """Only captures have files to be watched."""
