"""A short fixed set of the fuzz, and every crash point once; `make fuzz` runs the long one."""

from pathlib import Path

import pytest

from tests.faults.fuzz_plan import DAEMON_POINTS, crash_plan, random_plan
from tests.faults.fuzz_round import run_round


@pytest.mark.parametrize("seed", range(1, 13))
def test_random_round(seed: int, tmp_path: Path) -> None:
    result = run_round(random_plan(seed, DAEMON_POINTS), tmp_path)
    assert result.commits > 0


@pytest.mark.parametrize("name", DAEMON_POINTS)
def test_daemon_dies_at_a_crash_point(name: str, tmp_path: Path) -> None:
    """The place is really reached, and nothing is lost by dying there."""
    result = run_round(crash_plan(name, 1, seed=len(name)), tmp_path)
    assert result.crash_points == [f"{name}:1"]
