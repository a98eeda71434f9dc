"""What leaves a full spool: examples."""

import pytest

from litestreamd.plan.spool_quota import Leaving, Quota, leaving

TEN = [(txid, 10) for txid in range(1, 11)]


@pytest.mark.parametrize(
    ("room", "through"),
    [(1000, 0), (100, 0), (99, 3), (80, 4), (41, 7), (40, 7), (13, 9), (0, 9)],
)
def test_the_oldest_go_down_to_three_quarters(room: int, through: int) -> None:
    assert leaving(TEN, {"a": 10}, room) == Leaving(through, {})


def test_who_lacks_what_goes_is_owed_it() -> None:
    found = leaving(TEN, {"far": 0, "near": 3, "just": 4, "there": 10}, 80)
    assert found == Leaving(4, {"far": 0, "near": 3})


def test_one_entry_that_is_too_large_stays() -> None:
    assert leaving([(7, 1000)], {"a": 0}, 10) == Leaving()
    assert leaving([(6, 1), (7, 1000)], {"a": 0}, 10) == Leaving(6, {"a": 0})
    assert leaving([], {"a": 0}, 0) == Leaving()


def test_a_share_does_not_shrink_with_the_spool() -> None:
    assert Quota(share=0.25).room(free=800, stored=0) == Quota(share=0.25).room(free=600, stored=200) == 200
    assert Quota(size=77).room(free=1, stored=1 << 40) == 77


def test_a_reserve_is_left_to_the_application() -> None:
    """Whatever was configured: 32 MiB, on a small disk a quarter."""
    mib = 1 << 20
    assert Quota(size=1 << 50).room(free=900 * mib, stored=100 * mib) == 968 * mib
    assert Quota(share=1.0).room(free=60 * mib, stored=20 * mib) == 60 * mib
    assert Quota(size=50 * mib).room(free=900 * mib, stored=0) == 50 * mib


def test_the_spool_and_old_pages_share_one_quota() -> None:
    quota = Quota(size=100)
    assert quota.spool_room(free=1 << 40, spooled=70, kept=0) == 100
    assert quota.spool_room(free=1 << 40, spooled=70, kept=30) == 70
    assert quota.spool_room(free=1 << 40, spooled=70, kept=90) == 50
    assert Quota(share=0.25).spool_room(free=300, spooled=60, kept=40) == 60
