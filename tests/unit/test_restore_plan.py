"""Restore plans case by case, and what is said when there is none."""

from collections.abc import Iterable

import pytest

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import NotAvailable
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import AtTxid, Before, Latest, Target, plan_restore
from tests.support.layouts import START_MS, Entry


def listing(*texts: str) -> list[Entry]:
    """`9:1-5@30` is a snapshot 1-5 stored 30 ms after the start."""
    found = []
    for text in texts:
        place, _, time = text.partition("@")
        level, _, span = place.partition(":")
        low, _, high = span.partition("-")
        found.append(Entry(ObjectName(int(level), int(low), int(high or low)), START_MS + int(time or 0)))
    return sorted(found, key=lambda each: each.name)


def chosen(objects: Iterable[Entry], target: Target) -> list[str]:
    plan = plan_restore(list(objects), target)
    return [f"{step.name.level}:{step.name.min_txid}-{step.name.max_txid}" for step in plan.steps]


CASES = [
    (["0:1", "0:2", "0:3"], Latest(), ["0:1-1", "0:2-2", "0:3-3"]),
    (["0:1", "0:2", "9:1-2", "0:3"], Latest(), ["9:1-2", "0:3-3"]),
    (["9:1-2", "9:1-4", "0:5"], Latest(), ["9:1-4", "0:5-5"]),
    (["9:1-2", "0:3", "0:4", "1:3-4"], Latest(), ["9:1-2", "1:3-4"]),
    (["9:1-2", "1:1-4", "2:3-4"], Latest(), ["9:1-2", "1:1-4"]),
    (["1:3-4", "2:3-4", "9:1-2"], Latest(), ["9:1-2", "2:3-4"]),
    (["9:1-2", "1:2-6", "0:3", "0:7"], Latest(), ["9:1-2", "1:2-6", "0:7-7"]),
    (["9:1-9"], Latest(), ["9:1-9"]),
    (["8:1-3", "0:4"], Latest(), ["8:1-3", "0:4-4"]),
    (["9:1-2", "9:1-9", "0:3"], AtTxid(3), ["9:1-2", "0:3-3"]),
    (["9:1-2", "9:1-9", "0:3"], AtTxid(9), ["9:1-9"]),
    (["0:1", "0:2", "0:5"], AtTxid(2), ["0:1-1", "0:2-2"]),
    (["0:1@10", "0:2@20", "0:3@30"], Before(START_MS + 30), ["0:1-1", "0:2-2"]),
    (["0:1@10", "0:2@20", "0:3@30"], Before(START_MS + 30.001), ["0:1-1", "0:2-2", "0:3-3"]),
    (["9:1-2@50", "0:1@10", "0:2@20", "0:3@60"], Before(START_MS + 40), ["0:1-1", "0:2-2"]),
    (["0:1@10", "0:3@20"], Before(START_MS + 99), ["0:1-1"]),
]


@pytest.mark.parametrize(("objects", "target", "expected"), CASES)
def test_plan(objects: list[str], target: Target, expected: list[str]) -> None:
    assert chosen(listing(*objects), target) == expected


def test_the_order_of_the_listing_does_not_matter() -> None:
    objects = listing("9:1-2", "1:3-4", "0:3", "0:4", "0:5")
    assert chosen(reversed(objects), Latest()) == chosen(objects, Latest())


def test_a_plan_knows_its_range_and_size() -> None:
    plan = plan_restore(listing("9:1-2", "0:3"), Latest())
    assert (plan.min_txid, plan.max_txid, plan.size) == (1, 3, 200)


REFUSED = [
    ([], Latest(), "the replica is empty"),
    (["0:3", "0:4"], AtTxid(4), "begin at TXID 0000000000000003"),
    (["0:1", "0:3"], Latest(), r"0000000000000002 to 0000000000000002 are missing.*-txid 0000000000000001"),
    (["0:2"], Latest(), r"without them nothing can be restored"),
    (["9:1-2", "1:5-6"], Latest(), r"0000000000000003 to 0000000000000004 are missing before 1/"),
    (["9:1-2", "1:3-9"], AtTxid(5), r"-txid 0000000000000002, -txid 0000000000000009"),
    (["9:1-9"], AtTxid(3), r"nearest that can: -txid 0000000000000009$"),
    (["9:1-2"], AtTxid(3), r"nearest that can: -txid 0000000000000002$"),
    (
        ["0:1@10"],
        Before(START_MS + 10),
        rf"earliest.*{format_time(START_MS + 10)}.*-timestamp {format_time(START_MS + 11)}",
    ),
    (["0:1@10", "9:1-1@5"], Before(START_MS), rf"-timestamp {format_time(START_MS + 6)}"),
]


@pytest.mark.parametrize(("objects", "target", "message"), REFUSED)
def test_refused(objects: list[str], target: Target, message: str) -> None:
    with pytest.raises(NotAvailable, match=message):
        plan_restore(listing(*objects), target)


def test_the_advice_given_for_a_time_works() -> None:
    objects = listing("0:1@10", "0:2@20")
    assert chosen(objects, Before(START_MS + 11)) == ["0:1-1"]


def test_a_hundred_thousand_objects_are_planned_at_once() -> None:
    objects = listing(*(f"0:{txid}" for txid in range(1, 100_001)))
    assert plan_restore(objects, Latest()).max_txid == 100_000
