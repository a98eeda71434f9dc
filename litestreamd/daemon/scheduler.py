"""Who runs when: many tasks, few threads, never one task twice at a time.

In: tasks (`run(woken)` says when to run again) and signals. Out: calls, in order of due time.
Promise: a signal is never lost: one that comes while its task runs makes it run again, unless the task said that it
does not want to be woken before its time.
"""

import heapq
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from litestreamd.daemon.progress import Progress
from litestreamd.jobs.pace import Next


class Task(Protocol):
    """Something that is run again and again."""

    def run(self, woken: bool) -> Next:
        """Do what is due; `woken` by a signal or by time."""


@dataclass(slots=True)
class _Slot:
    task: Task
    turn: int = 0
    running: bool = False
    signalled: bool = False
    deaf: bool = False


class Scheduler:
    """A heap of due times and as many threads as there are tasks, up to `most`. Before each run `prepare(task)` is
    called, so that an event after the task's look at the world signals it again. `progress` is told who works."""

    def __init__(
        self,
        kind: str,
        most: int,
        prepare: Callable[[Task], None],
        crashed: Callable[[BaseException], None],
        progress: Progress,
    ) -> None:
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._ended = threading.Condition(lock)
        self._slots: dict[int, _Slot] = {}
        self._heap: list[tuple[float, int, int]] = []
        self._kind = kind
        self._most = most
        self._prepare = prepare
        self._crashed = crashed
        self._progress = progress
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def end(self) -> None:
        """Start no task any more; those that run may end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self) -> None:
        """After `end`: returns when all threads have ended."""
        for thread in self._threads:
            thread.join()

    def add(self, task: Task) -> None:
        """Run a task from now on, first at once."""
        with self._changed:
            slot = self._slots[id(task)] = _Slot(task)
            self._schedule(slot, time.monotonic())
            if len(self._threads) < min(self._most, len(self._slots)):
                name = f"{self._kind} {len(self._threads) + 1}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
                self._threads[-1].start()

    def remove(self, task: object) -> None:
        """Do not run it any more (a no-op for one that was not added); returns when it does not run."""
        with self._ended:
            slot = self._slots.pop(id(task), None)
            while slot is not None and slot.running:
                self._ended.wait()

    def signal(self, task: object) -> None:
        """Run a task as soon as possible (a no-op for one that was not added)."""
        with self._changed:
            slot = self._slots.get(id(task))
            if slot is None or slot.deaf:
                return
            slot.signalled = True
            if not slot.running:
                self._schedule(slot, time.monotonic())

    def wake(self, task: object) -> None:
        """As `signal`, also for a task that does not want to be woken: somebody waits for it."""
        with self._changed:
            slot = self._slots.get(id(task))
            if slot is not None:
                slot.deaf = False
        self.signal(task)

    def _schedule(self, slot: _Slot, due: float) -> None:
        """Put the slot on the heap; what is there of it already becomes stale by its old turn."""
        slot.turn += 1
        heapq.heappush(self._heap, (due, id(slot.task), slot.turn))
        self._changed.notify()

    def _work(self) -> None:
        try:
            while (turn := self._next()) is not None:
                slot, woken = turn
                with self._progress.at_work(str(slot.task)):
                    self._prepare(slot.task)
                    wish = slot.task.run(woken)
                self._done(slot, wish)
        except BaseException as error:  # a bug in a task: the process must not live on with a hole in it
            self._crashed(error)
            raise

    def _next(self) -> tuple[_Slot, bool] | None:
        """The slot to run now and whether a signal woke it; None at the end."""
        with self._changed:
            while not self._stopping:
                slot, wait = self._due()
                if slot is not None:
                    woken, slot.running, slot.signalled, slot.deaf = slot.signalled, True, False, False
                    return slot, woken
                self._changed.wait(wait)
        return None

    def _due(self) -> tuple[_Slot | None, float | None]:
        """The slot to run now, or how long to wait (None: until notified)."""
        while self._heap:
            due, key, turn = self._heap[0]
            slot = self._slots.get(key)
            if slot is None or slot.turn != turn or slot.running:
                heapq.heappop(self._heap)
                continue
            wait = due - time.monotonic()
            if wait > 0:
                return None, wait
            heapq.heappop(self._heap)
            return slot, None
        return None, None

    def _done(self, slot: _Slot, wish: Next) -> None:
        with self._changed:
            slot.running, slot.deaf = False, not wish.watch
            now = time.monotonic()
            if self._slots.get(id(slot.task)) is not slot:
                self._ended.notify_all()
            elif slot.signalled and wish.watch:
                self._schedule(slot, now)
            elif wish.after is not None:
                self._schedule(slot, now + wish.after)
