"""Who runs when: no signal is lost, no task runs twice at a time, and a bug in a task is never silent."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from litestreamd.daemon.progress import Progress
from litestreamd.daemon.scheduler import Scheduler, Task
from litestreamd.jobs.pace import Next
from tests.support.waiting import until

NEVER = Next(None)


class Errand:
    """A task that does as it is told and counts; it notices being run twice at a time."""

    def __init__(self, deed: Callable[["Errand", bool], Next]) -> None:
        self._deed = deed
        self.runs: list[bool] = []
        self.overlapped = False
        self._busy = threading.Lock()

    def run(self, woken: bool) -> Next:
        if not self._busy.acquire(blocking=False):
            self.overlapped = True
            return NEVER
        try:
            self.runs.append(woken)
            return self._deed(self, woken)
        finally:
            self._busy.release()


@contextmanager
def scheduler(workers: int = 2, prepare: Callable[[Task], None] = lambda _: None) -> Iterator[Scheduler]:
    crashes: list[BaseException] = []
    found = Scheduler("worker", workers, prepare, crashes.append, Progress())
    try:
        yield found
    finally:
        found.end()
        found.join()
    assert crashes == []


def test_a_task_runs_when_it_is_added_and_when_it_is_signalled() -> None:
    errand = Errand(lambda *_: NEVER)
    with scheduler() as found:
        found.add(errand)
        until(lambda: errand.runs == [False], "the first run")
        found.signal(errand)
        until(lambda: errand.runs == [False, True], "the run after the signal")


def test_a_task_runs_again_in_time() -> None:
    errand = Errand(lambda *_: Next(0.01))
    with scheduler() as found:
        found.add(errand)
        until(lambda: len(errand.runs) > 5, "runs by the clock")
    assert not any(errand.runs)


def test_a_signal_while_a_task_runs_makes_it_run_again() -> None:
    entered, leave = threading.Event(), threading.Event()

    def wait(*_: object) -> Next:
        entered.set()
        leave.wait(10)
        return NEVER

    errand = Errand(wait)
    with scheduler() as found:
        found.add(errand)
        entered.wait(10)
        found.signal(errand)
        leave.set()
        until(lambda: errand.runs == [False, True], "the second run")


def test_a_signal_between_the_decision_to_run_and_the_run_is_a_waking(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task looks at the world after it; it must also know that it was woken, to look once more soon."""
    found: Scheduler

    def prepare(task: Task) -> None:
        if len(errand.runs) == 1:
            found.signal(task)

    errand = Errand(lambda errand, _: NEVER if len(errand.runs) > 1 else Next(0.0))
    with scheduler(1, prepare) as found:
        found.add(errand)
        until(lambda: len(errand.runs) >= 3, "one more run for the signal")
    assert errand.runs[2]


def test_a_deaf_task_is_left_alone_until_its_time() -> None:
    times = []

    def note(errand: Errand, _: bool) -> Next:
        times.append(time.monotonic())
        return Next(0.2, watch=False) if len(errand.runs) == 1 else NEVER

    errand = Errand(note)
    with scheduler() as found:
        found.add(errand)
        until(lambda: errand.runs, "the first run")

        def signalled_in_vain() -> bool:
            found.signal(errand)
            return len(times) > 1

        until(signalled_in_vain, "the run at its time")
        assert times[1] - times[0] >= 0.2
        count = len(times)
        found.signal(errand)
        until(lambda: len(times) > count, "it hears again")


def test_a_signal_for_nobody_is_nothing() -> None:
    with scheduler() as found:
        found.signal(object())


def test_two_tasks_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2)
    errands = [Errand(lambda *_: (meeting.wait(10), NEVER)[1]) for _ in range(2)]
    with scheduler(2) as found:
        for errand in errands:
            found.add(errand)
        until(lambda: all(errand.runs for errand in errands), "both have met")


def test_stopping_lets_a_running_task_end() -> None:
    entered, done = threading.Event(), threading.Event()

    def work(*_: object) -> Next:
        entered.set()
        time.sleep(0.05)
        done.set()
        return Next(0.0)

    errand = Errand(work)
    with scheduler(1) as found:
        found.add(errand)
        entered.wait(10)
    assert done.is_set()
    count = len(errand.runs)
    time.sleep(0.02)
    assert len(errand.runs) == count


def test_every_signal_is_followed_by_a_run_and_no_task_runs_twice_at_a_time() -> None:
    """Producers put numbers down and signal; whoever has been signalled has looked at the last one in the end."""
    latest = [0] * 20
    looked = [0] * 20
    chances = random.Random(1)

    def look_at(number: int) -> Callable[[Errand, bool], Next]:
        def look(*_: object) -> Next:
            looked[number] = latest[number]
            return NEVER

        return look

    errands = [Errand(look_at(number)) for number in range(20)]
    with scheduler(4) as found:
        for errand in errands:
            found.add(errand)

        def produce(numbers: list[int]) -> None:
            for value, number in enumerate(numbers, 1):
                latest[number] = value
                found.signal(errands[number])

        producers = [
            threading.Thread(target=produce, args=([chances.randrange(start, start + 5) for _ in range(3000)],))
            for start in (0, 5, 10, 15)
        ]
        for producer in producers:
            producer.start()
        for producer in producers:
            producer.join()
        until(lambda: looked == latest, "every last number was looked at")
    assert not any(errand.overlapped for errand in errands)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_in_a_task_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[BaseException] = []

    def fail(*_: object) -> Next:
        raise KeyError("a bug")

    found = Scheduler("worker", 2, lambda _: None, told.append, Progress())
    other = Errand(lambda *_: Next(0.01))
    found.add(other)
    found.add(Errand(fail))
    until(lambda: told, "the bug")
    assert isinstance(told[0], KeyError)
    found.end()
    found.join()


def test_a_task_that_was_removed_runs_no_more() -> None:
    errand, other = Errand(lambda *_: Next(0.001)), Errand(lambda *_: Next(0.001))
    with scheduler() as found:
        found.add(errand)
        found.add(other)
        until(lambda: errand.runs, "it runs")
        found.remove(errand)
        count, others = len(errand.runs), len(other.runs)
        found.signal(errand)
        until(lambda: len(other.runs) > others + 10, "the other goes on")
        assert len(errand.runs) == count
        found.remove(object())


def test_removing_waits_for_the_run_that_has_begun() -> None:
    entered, leave, removed = threading.Event(), threading.Event(), threading.Event()

    def work(*_: object) -> Next:
        entered.set()
        assert leave.wait(10)
        return Next(0.0)

    errand = Errand(work)
    with scheduler(1) as found:
        found.add(errand)
        assert entered.wait(10)
        remover = threading.Thread(target=lambda: (found.remove(errand), removed.set()))
        remover.start()
        assert not removed.wait(0.05)
        leave.set()
        assert removed.wait(10)
        remover.join()
    assert errand.runs == [False]
