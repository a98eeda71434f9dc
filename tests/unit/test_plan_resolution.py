"""What a time resolves to, and that every option that is named restores exactly what it stands beside."""

from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.clock import parse_time_ms
from litestreamd.basics.errors import NotAvailable
from litestreamd.basics.txid import parse_txid
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.points import restore_points
from litestreamd.plan.resolution import Named, resolve
from litestreamd.plan.restore import AtTxid, Before, Target, plan_restore
from tests.support.layouts import START_MS, Entry, entries, layouts


def target_of(argument: str) -> Target:
    option, value = argument.split()
    return AtTxid(parse_txid(value)) if option == "-txid" else Before(parse_time_ms(value))


def resolved(objects: list[Entry], ms: float) -> tuple[int, bool, int | None, int | None]:
    target = Before(START_MS + ms)
    found = resolve(objects, plan_restore(objects, target), target)
    before, after = (side.txid if side else None for side in (found.before, found.after))
    return found.point.txid, found.exact, before, after


LINE = entries([ObjectName(0, txid, txid) for txid in (1, 2, 3)], [0, 1000, 2000])


def test_only_the_time_right_after_a_point_is_exact() -> None:
    assert resolved(LINE, 1001) == (2, True, 1, 3)
    assert resolved(LINE, 1000.5) == (2, True, 1, 3)
    assert resolved(LINE, 1002) == (2, False, 1, 3)
    assert resolved(LINE, 1000) == (1, False, None, 2)
    assert resolved(LINE, 2001) == (3, True, 2, None)
    assert resolved(LINE, 10**9) == (3, False, 2, None)


def test_a_point_has_the_time_it_was_first_stored_at() -> None:
    objects = [*LINE, *entries([ObjectName(9, 1, 2)], [5000])]
    target = Before(START_MS + 1500)
    found = resolve(objects, plan_restore(objects, target), target)
    assert found.point == Named(2, START_MS + 1000, "-timestamp 2025-06-15T15:06:41.001Z")
    late = Before(START_MS + 9000)
    found = resolve(objects, plan_restore(objects, late), late)
    assert found.point.txid == 3


def test_where_clocks_went_back_the_txid_is_named() -> None:
    objects = entries([ObjectName(0, txid, txid) for txid in (1, 2, 3)], [0, 5000, 1000])
    target = Before(START_MS + 100)
    found = resolve(objects, plan_restore(objects, target), target)
    assert found.after
    assert found.after.argument == "-txid 0000000000000002"


@given(layouts(), st.integers(-1, 14))
def test_every_argument_restores_its_point(objects: list[Entry], ms: int) -> None:
    target = Before(START_MS + ms)
    try:
        plan = plan_restore(objects, target)
    except NotAvailable:
        return
    found = resolve(objects, plan, target)
    assert found.point.txid == plan.max_txid
    known = [point.txid for point in restore_points(objects)]
    at = known.index(plan.max_txid)
    assert (found.before.txid if found.before else 0) == (known[at - 1] if at else 0)
    assert (found.after.txid if found.after else 0) == ([*known, 0][at + 1])
    for named in (found.point, found.before, found.after):
        if named:
            assert plan_restore(objects, target_of(named.argument)).max_txid == named.txid
