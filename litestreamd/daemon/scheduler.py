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
    """A heap of due times and a fixed set of threads. Before each run `prepare(task)` is called, so that an event after
    the task's look at the world signals it again."""

    def __init__(self, workers: int, prepare: Callable[[Task], None], crashed: Callable[[BaseException], None]) -> None:
        self._changed = threading.Condition()
        self._slots: dict[int, _Slot] = {}
        self._heap: list[tuple[float, int, int]] = []
        self._prepare = prepare
        self._crashed = crashed
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"worker-{n}", daemon=True) for n in range(workers)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Start no task any more; those that run may end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self) -> None:
        """After `end`: returns when all threads have ended."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Both."""
        self.end()
        self.join()

    def add(self, task: Task) -> None:
        """Run a task from now on, first at once."""
        with self._changed:
            slot = self._slots[id(task)] = _Slot(task)
            self._schedule(slot, time.monotonic())

    def signal(self, task: object) -> None:
        """Run a task as soon as possible (a no-op for one that was not added)."""
        with self._changed:
            slot = self._slots.get(id(task))
            if slot is None or slot.deaf:
                return
            slot.signalled = True
            if not slot.running:
                self._schedule(slot, time.monotonic())

    def _schedule(self, slot: _Slot, due: float) -> None:
        """Put the slot on the heap; what is there of it already becomes stale by its old turn."""
        slot.turn += 1
        heapq.heappush(self._heap, (due, id(slot.task), slot.turn))
        self._changed.notify()

    def _work(self) -> None:
        try:
            while (turn := self._next()) is not None:
                slot, woken = turn
                self._prepare(slot.task)
                self._done(slot, slot.task.run(woken))
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
            if slot.signalled and wish.watch:
                self._schedule(slot, now)
            elif wish.after is not None:
                self._schedule(slot, now + wish.after)
