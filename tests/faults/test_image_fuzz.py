"""A short fixed set of the image fuzz; `python -m tests.faults.image_fuzz` runs the long one."""

from pathlib import Path

import pytest

from tests.faults.image_fuzz import run_round
from tests.faults.image_fuzz_live import run_live_round


@pytest.mark.parametrize("seed", range(5000, 5010))
def test_random_round(seed: int, tmp_path: Path) -> None:
    assert run_round(seed, tmp_path)["images"]


@pytest.mark.parametrize("seed", [1, 2])
def test_beside_writers_in_a_hurry(seed: int, tmp_path: Path) -> None:
    assert run_live_round(seed, tmp_path)["images"]
