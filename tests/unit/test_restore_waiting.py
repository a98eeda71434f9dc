"""A restore that others wait for: it goes on while time could help, and no longer."""

import pytest

from litestreamd.basics.errors import DamagedData, LitestreamdError, RightsError, StoreError, StoreMissing
from litestreamd.cli import restore_waiting as module
from litestreamd.cli.restore_waiting import Waiting


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_800_000_000 + self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    return found


def failing(*errors: LitestreamdError) -> tuple[list[int], object]:
    tries: list[int] = []
    waiting = iter(errors)

    def restore() -> None:
        tries.append(1)
        for error in waiting:
            raise error

    return tries, restore


@pytest.mark.parametrize("error", [StoreError("away"), StoreMissing("no bucket"), RightsError("no key")])
def test_it_works_once_the_store_answers(
    clock: Clock, error: LitestreamdError, capsys: pytest.CaptureFixture[str]
) -> None:
    tries, restore = failing(*[error] * 6)
    Waiting("/app.db", 900, clock.monotonic).run(restore)  # type: ignore[arg-type]
    assert len(tries) == 7
    assert clock.slept == [1, 2, 4, 8, 15, 15]
    said = capsys.readouterr().err
    assert said.count("/app.db is missing and cannot be restored yet") == 1, "the same is not said each time"


def test_the_time_is_over(clock: Clock) -> None:
    tries, restore = failing(*[StoreError("away")] * 1000)
    with pytest.raises(StoreError, match="away"):
        Waiting("/app.db", 60, clock.monotonic).run(restore)  # type: ignore[arg-type]
    assert clock.now == 60
    assert len(tries) > 5


def test_without_a_time_there_is_one_try(clock: Clock) -> None:
    tries, restore = failing(StoreError("away"), StoreError("away"))
    with pytest.raises(StoreError):
        Waiting("/app.db", 0, clock.monotonic).run(restore)  # type: ignore[arg-type]
    assert (len(tries), clock.slept) == (1, [])


def test_what_time_does_not_mend_is_not_tried_again(clock: Clock) -> None:
    tries, restore = failing(DamagedData("rot"), DamagedData("rot"))
    with pytest.raises(DamagedData):
        Waiting("/app.db", 900, clock.monotonic).run(restore)  # type: ignore[arg-type]
    assert len(tries) == 1


def test_it_says_so_again_when_it_lasts(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    _, restore = failing(*[StoreError("away")] * 30)
    Waiting("/app.db", 3600, clock.monotonic).run(restore)  # type: ignore[arg-type]
    said = capsys.readouterr().err.count("cannot be restored yet")
    assert 5 <= said <= 10
