"""Ten days of life on two replicas with different rules: any promised moment comes back, and nothing piles up."""

from pathlib import Path

import pytest

from tests.faults.soak import lived


@pytest.mark.timeout(900)
def test_ten_days_on_two_replicas(tmp_path: Path) -> None:
    soak = lived(tmp_path, seed=1, days=10, points=100)
    assert len(soak.states) > 300
