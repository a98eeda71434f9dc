"""Who does what in the daemon: threads for captures, and for each service that keeps replicas threads that send to it
and threads for what takes long there.

In: tasks, with the service that a replica's tasks depend on. Out: each runs when it is due (daemon/scheduler.py).
Promise: a store that hangs holds up what goes to it, and nothing else: no capture, no replica elsewhere.
"""

import threading
from collections.abc import Callable

from litestreamd.daemon.progress import Progress
from litestreamd.daemon.scheduler import Scheduler, Task

MOST = 8
"""Threads of one kind. A store that takes hours for an image holds up one of them."""


class Staff:
    """`prepare` as in Scheduler, for captures only; `crashed` is told of a bug in any task."""

    def __init__(
        self, prepare: Callable[[Task], None], crashed: Callable[[BaseException], None], progress: Progress
    ) -> None:
        self._crashed = crashed
        self._progress = progress
        self._turn = threading.Lock()
        self._captures = Scheduler("capture", MOST, prepare, crashed, progress)
        self._folders = Scheduler("folders", 1, prepare, crashed, progress)
        self._senders: dict[str, Scheduler] = {}
        self._long: dict[str, Scheduler] = {}

    def add_capture(self, task: Task) -> None:
        """A database."""
        self._captures.add(task)

    def add_folder(self, task: Task) -> None:
        """A folder in which databases come and go."""
        self._folders.add(task)

    def add_line(self, task: Task, service: str) -> None:
        """What ships commits to a replica: soon and short."""
        self._of(self._senders, "send", service).add(task)

    def add_history(self, task: Task, service: str) -> None:
        """Images, merges and deletions on a replica: they must not keep a commit waiting."""
        self._of(self._long, "history", service).add(task)

    def signal(self, task: object) -> None:
        """Run a task as soon as possible, whoever has it."""
        for scheduler in self._all():
            scheduler.signal(task)

    def wake(self, task: object) -> None:
        """Run a task now, whatever it waits for."""
        for scheduler in self._all():
            scheduler.wake(task)

    def remove(self, task: object) -> None:
        """Run a task no more; returns when it does not run: what hangs takes until its deadline."""
        for scheduler in self._all():
            scheduler.remove(task)

    def end(self) -> None:
        """Start no task any more."""
        for scheduler in self._all():
            scheduler.end()

    def _all(self) -> list[Scheduler]:
        with self._turn:
            return [self._captures, self._folders, *self._senders.values(), *self._long.values()]

    def _of(self, schedulers: dict[str, Scheduler], kind: str, service: str) -> Scheduler:
        with self._turn:
            if service not in schedulers:
                schedulers[service] = Scheduler(kind, MOST, _nothing, self._crashed, self._progress)
            return schedulers[service]


def _nothing(_: Task) -> None:
    """Only captures and folders have files to be watched."""
