"""Any listing: the plan is what the rules of LTX say, word by word, and every TXID it offers can be had."""

import re

from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.errors import NotAvailable
from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import AtTxid, Before, Latest, Target, plan_restore
from tests.support.layouts import START_MS, Entry, layouts

targets = st.one_of(
    st.just(Latest()),
    st.builds(AtTxid, st.integers(1, 15)),
    st.builds(Before, st.integers(0, 26).map(lambda half: START_MS + half / 2)),
)


def by_the_book(objects: list[Entry], target: Target) -> list[Entry] | None:
    """The rules as they are written, with no thought for speed; None when they refuse."""
    txid = target.txid if isinstance(target, AtTxid) else None
    time = target.ms if isinstance(target, Before) else None
    usable = [
        each
        for each in objects
        if (txid is None or each.name.max_txid <= txid) and (time is None or each.created_ms < time)
    ]
    plan, reached = [], 0
    snapshots = sorted((each for each in usable if each.name.level == SNAPSHOT_LEVEL), key=lambda each: each.name)
    if snapshots:
        plan, reached = [snapshots[-1]], snapshots[-1].name.max_txid
    while True:
        fitting = [
            each
            for each in usable
            if each.name.level < SNAPSHOT_LEVEL and each.name.min_txid <= reached + 1 and each.name.max_txid > reached
        ]
        if not fitting:
            break
        best = fitting[0]
        for each in fitting[1:]:
            ours, theirs = each.name, best.name
            better = (
                ours.max_txid > theirs.max_txid
                or (ours.max_txid == theirs.max_txid and ours.min_txid < theirs.min_txid)
                or (ours.max_txid == theirs.max_txid and ours.min_txid == theirs.min_txid and ours.level > theirs.level)
            )
            if better:
                best = each
        plan.append(best)
        reached = best.name.max_txid
    gap = any(each.name.level < SNAPSHOT_LEVEL and each.name.min_txid > reached + 1 for each in objects)
    if not plan or (txid is not None and reached < txid) or (isinstance(target, Latest) and gap):
        return None
    return plan


@given(layouts(), targets)
def test_the_plan_is_what_the_rules_say(objects: list[Entry], target: Target) -> None:
    expected = by_the_book(objects, target)
    try:
        found = list(plan_restore(objects, target).steps)
    except NotAvailable:
        assert expected is None
    else:
        assert found == expected


@given(layouts(), st.integers(1, 15))
def test_every_txid_that_a_refusal_offers_can_be_had(objects: list[Entry], txid: int) -> None:
    try:
        plan_restore(objects, AtTxid(txid))
    except NotAvailable as error:
        for offered in re.findall(r"-txid ([0-9a-f]{16})", str(error)):
            assert plan_restore(objects, AtTxid(int(offered, 16))).max_txid == int(offered, 16)


@given(layouts(), targets)
def test_each_step_continues_the_one_before(objects: list[Entry], target: Target) -> None:
    try:
        steps = plan_restore(objects, target).steps
    except NotAvailable:
        return
    reached = 0
    for step in steps:
        assert step.name.min_txid <= reached + 1 <= step.name.max_txid
        reached = step.name.max_txid
