"""A few lives among network faults; `python -m tests.faults.s3_schedules --rounds 300` lives more of them."""

import pytest

from tests.faults.s3_schedules import run_all, summary


@pytest.mark.timeout(900)
def test_no_fault_of_network_or_store_loses_or_doubles_anything() -> None:
    outcomes, wrong = run_all(range(1, 41))
    print(summary(outcomes))
    assert wrong == []
    assert sum(sum(outcome.faults.values()) for outcome in outcomes) > 300
