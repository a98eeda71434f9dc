"""Who works and makes no progress is found out, who works for long or waits for a deadline is not."""

import threading
from collections.abc import Iterator

import pytest

from litestreamd.basics import pulse
from litestreamd.daemon import progress as module
from litestreamd.daemon.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


@pytest.fixture
def progress() -> Iterator[Progress]:
    found = Progress()
    pulse.listen(found.told)
    yield found
    pulse.listen(None)


def test_nobody_at_work_is_no_silence(progress: Progress, clock: Clock) -> None:
    clock.now += 1000
    pulse.beat()
    assert progress.silence().seconds == 0


def test_a_silent_worker_is_named(progress: Progress, clock: Clock) -> None:
    with progress.at_work("capture of /app.db"):
        clock.now += 70
        found = progress.silence()
        assert (found.seconds, found.work, found.thread) == (70, "capture of /app.db", threading.current_thread().name)
    assert progress.silence().seconds == 0


def test_signs_of_life_break_the_silence(progress: Progress, clock: Clock) -> None:
    with progress.at_work("an image"):
        for _ in range(10):
            clock.now += 50
            pulse.beat()
        clock.now += 5
        assert progress.silence().seconds == 5


def test_a_promise_is_trusted_until_it_is_over(progress: Progress, clock: Clock) -> None:
    with progress.at_work("a request"):
        pulse.promise(600)
        clock.now += 599
        assert progress.silence().seconds == 0
        clock.now += 31
        assert progress.silence().seconds == 30


def test_another_thread_does_not_speak_for_the_silent_one(progress: Progress, clock: Clock) -> None:
    with progress.at_work("the silent one"):
        clock.now += 20
        with_another = threading.Thread(target=_work, args=(progress,))
        with_another.start()
        with_another.join()
        assert progress.silence().work == "the silent one"
        assert progress.silence().seconds == 20


def _work(progress: Progress) -> None:
    with progress.at_work("another"):
        pulse.beat()


def test_work_within_work_gives_back(progress: Progress, clock: Clock) -> None:
    with progress.at_work("outer"):
        clock.now += 10
        with progress.at_work("inner"):
            clock.now += 7
            assert (progress.silence().seconds, progress.silence().work) == (7, "inner")
        clock.now += 3
        assert (progress.silence().seconds, progress.silence().work) == (3, "outer")
