"""Which generation, snapshot and segments: what 0.3.13 was seen to do, case by case, and where it would have failed."""

import pytest

from litestreamd.basics.errors import NotAvailable, UsageError
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.formats import choose_format
from litestreamd.plan.points_v3 import PointV3, points_v3
from litestreamd.plan.restore import AtTxid, Before, Latest
from litestreamd.plan.restore_v3 import PlanV3, TargetV3, plan_restore_v3
from litestreamd.replica.port import StoredObject, StoredV3
from litestreamd.v3.names import SegmentName, SnapshotName, parse_generation, parse_index

A, B, C = "a" * 16, "b" * 16, "c" * 16


def snapshot(index: int, time: int, generation: str = A) -> StoredV3:
    return StoredV3(SnapshotName(generation, index), 100, time)


def segment(index: int, offset: int, time: int, generation: str = A) -> StoredV3:
    return StoredV3(SegmentName(generation, index, offset), 10, time)


LONG = [snapshot(0, 10), segment(0, 0, 11), segment(0, 64, 12), segment(1, 0, 13), snapshot(1, 14), segment(1, 64, 15)]
LATE = [snapshot(0, 20, B), segment(0, 0, 22, B)]


def chosen(listing: list[StoredV3], went_on: bool = False, **target: object) -> tuple[str, int, list[int]]:
    plan: PlanV3 = plan_restore_v3(listing, TargetV3(**target), went_on)  # type: ignore[arg-type]
    return plan.generation[0], plan.snapshot.index, [each.created_ns for each in plan.segments]


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ({}, ("b", 0, [22])),
        ({"generation": A}, ("a", 1, [13, 15])),
        ({"generation": A, "index": 0}, ("a", 0, [11, 12])),
        ({"generation": A, "index": 1}, ("a", 1, [13, 15])),
        ({"generation": A, "index": 99}, ("a", 1, [13, 15])),
        ({"index": 0}, ("b", 0, [22])),
        ({"until_ns": 10}, ("a", 0, [])),
        ({"until_ns": 12}, ("a", 0, [11, 12])),
        ({"until_ns": 13}, ("a", 0, [11, 12, 13])),
        ({"until_ns": 14}, ("a", 1, [13])),
        ({"until_ns": 21}, ("b", 0, [])),
        ({"generation": A, "until_ns": 12}, ("a", 0, [11, 12])),
    ],
)
def test_the_choice(target: dict[str, object], found: tuple[str, int, list[int]]) -> None:
    assert chosen([*LATE, *reversed(LONG)], **target) == found


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ({"until_ns": 9}, r"nothing|the first one after it: -timestamp 1970-01-01T00:00:00\.000000010Z"),
        ({"until_ns": 17}, r"before it: -timestamp \S+15Z, the first one after it: -timestamp \S+20Z"),
        ({"until_ns": 23}, r"the last state before it: -timestamp \S+22Z$"),
        ({"generation": A, "until_ns": 21}, r"before it: -timestamp \S+15Z"),
        ({"generation": C}, f"there is no generation {C} of Litestream 0.3; there are {A}, {B}"),
    ],
)
def test_what_there_is_not(target: dict[str, object], sentence: str) -> None:
    with pytest.raises(NotAvailable, match=sentence):
        chosen([*LONG, *LATE], **target)


def test_of_generations_at_the_same_time_the_freshest_one_counts() -> None:
    """Not the one with the latest snapshot, which 0.5 would take."""
    overlapping = [snapshot(0, 12, B), segment(0, 0, 13, B)]
    assert chosen([*LONG, *overlapping], until_ns=13)[0] == "a"


def test_the_newest_generation_without_a_snapshot_is_no_reason_to_take_an_older_one_unasked() -> None:
    with pytest.raises(NotAvailable, match=f"generation {C} of Litestream 0.3 has no snapshot; restore another one"):
        chosen([*LONG, segment(0, 0, 30, C)])
    with pytest.raises(NotAvailable, match=r"no snapshot up to index 00000001; its oldest one is index 00000002 of"):
        chosen([snapshot(2, 3), segment(2, 0, 3)], index=1)
    with pytest.raises(NotAvailable, match=r"no snapshot from \S+ or before; its oldest one"):
        chosen([snapshot(0, 5), segment(0, 0, 3)], until_ns=4)


def test_what_follows_a_segment_that_is_too_late_is_not_taken() -> None:
    """0.5 passes over the late one and fails at the gap, or puts a WAL on top of another than its own."""
    odd = [snapshot(0, 1), segment(0, 0, 2), segment(0, 64, 9), segment(0, 96, 3), segment(1, 0, 4)]
    assert chosen(odd, until_ns=5) == ("a", 0, [2])


def test_a_late_segment_below_the_snapshot_does_not_count() -> None:
    """0.3.13 stops there too, and crashes."""
    assert chosen([segment(0, 0, 9), snapshot(1, 2), segment(1, 0, 3)], until_ns=5) == ("a", 1, [3])


def test_of_two_snapshots_the_later_one_counts_not_the_higher() -> None:
    assert chosen([snapshot(0, 5), snapshot(1, 4), segment(0, 0, 5), segment(1, 0, 5)]) == ("a", 0, [5, 5])
    assert chosen([snapshot(0, 5), snapshot(1, 5), segment(0, 0, 5), segment(1, 0, 5)]) == ("a", 1, [5])


def test_where_the_history_went_on_elsewhere_the_last_state_before_is_meant() -> None:
    for until, found in ((17, "a"), (99, "b"), (21, "b")):
        assert chosen([*LONG, *LATE], went_on=True, until_ns=until)[0] == found
    with pytest.raises(NotAvailable):
        chosen([*LONG, *LATE], went_on=True, until_ns=9)


@pytest.mark.parametrize("gone", [(0, 0), (1, 0)])
def test_a_hole_is_refused(gone: tuple[int, int]) -> None:
    listing = [
        each for each in LONG if not isinstance(each.name, SegmentName) or (each.name.index, each.name.offset) != gone
    ]
    with pytest.raises(NotAvailable, match=f"beginning of WAL index 0000000{gone[0]} is missing"):
        chosen(listing, index=gone[0], generation=A)


def test_points_are_every_state_there_is() -> None:
    points = points_v3([*LATE, *LONG])
    assert [(point.created_ns, point.generation[0], point.index, point.snapshot) for point in points] == [
        (10, "a", 0, True), (11, "a", 0, False), (12, "a", 0, False), (13, "a", 1, False), (14, "a", 1, False),
        (15, "a", 1, False), (20, "b", 0, True), (22, "b", 0, False),
    ]  # fmt: skip
    assert points[0] == PointV3(A, 0, 10, 100, snapshot=True)
    assert points_v3([]) == []


def ltx(level: int, last: int, ms: int) -> StoredObject:
    return StoredObject(ObjectName(level, 1 if level == 9 else last, last), 1, ms)


MS = 1_000_000
OLD = [snapshot(0, 10 * MS), segment(0, 0, 20 * MS), snapshot(1, 30 * MS), segment(1, 0, 40 * MS)]


@pytest.mark.parametrize(
    ("listing", "target", "v3", "why"),
    [
        ([ltx(0, 5, 39)], Latest(), True, r"newest object is of \S+040Z \(Litestream 0\.3\) and \S+039Z \(LTX\)"),
        ([ltx(0, 5, 40)], Latest(), False, "newest object"),
        ([ltx(9, 2, 1), ltx(0, 5, 41)], Latest(), False, "newest object"),
        ([ltx(0, 5, 39)], AtTxid(5), False, "a TXID"),
        ([ltx(9, 5, 5)], Before(9.0), False, "has no snapshot from that time or before"),
        ([ltx(9, 5, 50)], Before(15.0), True, "LTX has none before that time"),
        ([ltx(0, 1, 5)], Before(15.0), True, "LTX has none before that time"),
        ([ltx(9, 5, 15)], Before(15.0), True, "LTX has none before that time"),
        ([ltx(9, 5, 14)], Before(15.0), False, r"last snapshot before that time is of \S+010Z \(Litestream"),
        ([ltx(9, 5, 29)], Before(35.0), True, "last snapshot before that time"),
        ([ltx(9, 5, 30)], Before(35.0), False, "last snapshot before that time"),
        ([ltx(9, 5, 30)], Before(30.0), True, "LTX has none"),
        ([ltx(9, 5, 12), ltx(9, 9, 8)], Before(15.0), True, "last snapshot before that time"),
    ],
)
def test_which_format(listing: list[StoredObject], target: Latest | AtTxid | Before, v3: bool, why: str) -> None:
    choice = choose_format(listing, OLD, target)
    assert choice.v3 is v3
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(choice.why)


def test_a_nanosecond_decides() -> None:
    newer = [snapshot(0, 10 * MS + 1)]
    assert choose_format([ltx(0, 1, 10)], newer, Latest()).v3 is True
    assert choose_format([ltx(9, 1, 1)], newer, Before(10.0, 10 * MS)).v3 is False
    assert choose_format([ltx(9, 1, 1)], newer, Before(10.0, 10 * MS + 1)).v3 is True


@pytest.mark.parametrize("text", ["", "g", "80000000", "123456789", "-1", "0x1", " 1"])
def test_what_is_no_index(text: str) -> None:
    with pytest.raises(UsageError, match="not a WAL index"):
        parse_index(text)


@pytest.mark.parametrize("text", ["", A[1:], A + "a", A.upper(), "../" + A])
def test_what_is_no_generation(text: str) -> None:
    with pytest.raises(UsageError, match="not a generation"):
        parse_generation(text)


def test_an_index_in_any_spelling() -> None:
    assert [parse_index(text) for text in ("0", "f", "0000000F", "7fffffff")] == [0, 15, 15, 0x7FFFFFFF]
