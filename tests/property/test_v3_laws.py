"""Laws of restoring what Litestream 0.3 left: the WAL model, the points, the plan, whatever was written."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from litestreamd.basics.errors import NotAvailable
from litestreamd.jobs.restore import Integrity
from litestreamd.plan.points_v3 import points_v3
from litestreamd.plan.restore import Before, Latest
from litestreamd.plan.restore_v3 import TargetV3, plan_restore_v3
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import StoredV3
from litestreamd.v3.names import SegmentName, SnapshotName
from tests.support.restoring import restored
from tests.support.v3_writer import Backup, Transaction

PAGES = 12


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    size = draw(st.integers(1, PAGES))
    numbers = draw(st.lists(st.integers(1, PAGES), min_size=1, max_size=5, unique=True))
    return {number: draw(st.integers(0, 255)) for number in numbers}, size


DEEDS = st.one_of(
    st.lists(transactions(), min_size=1, max_size=4), st.just("restart"), st.just("snapshot"), st.just("snapshot")
)


@settings(max_examples=60, deadline=None)
@given(st.lists(DEEDS, min_size=1, max_size=10), st.sampled_from((512, 1024)), st.booleans(), st.data())
def test_any_moment_is_what_the_pages_say(
    deeds: list[list[Transaction] | str], page_size: int, big_endian: bool, data: st.DataObject
) -> None:
    with TemporaryDirectory() as folder:
        backup = Backup(Path(folder, "replica"), page_size, big_endian)
        backup.snapshot()
        fresh = True
        for deed in deeds:
            if deed == "restart":
                if not fresh:
                    backup.restart()
                fresh = True
            elif deed == "snapshot":
                # A snapshot amid a WAL can be of a moment at which the file was shorter: 0.3 itself leaves open what a
                # page holds that came back without being written.
                if fresh and not isinstance(backup.log[-1].name, SnapshotName):
                    backup.snapshot()
            else:
                backup.segment(*deed)
                fresh = False
        count = data.draw(st.integers(1, len(backup.log)))
        at = backup.log[count - 1].created_ns
        whole = count == len(backup.log)
        wish = Latest() if whole and data.draw(st.booleans()) else Before(at / 1e6, at)
        out = Path(folder, "out.db")
        restored(FolderReplica(backup.root, "file"), out, wish, integrity=Integrity.NONE)
        assert out.read_bytes() == backup.image(count)


@st.composite
def listings(draw: st.DrawFn) -> list[StoredV3]:
    """Objects of two generations with any times, some of them missing."""
    found: list[StoredV3] = []
    for generation in ("0" * 16, "f" * 16):
        for index in range(draw(st.integers(0, 4))):
            times = st.integers(0, 12)
            if draw(st.booleans()):
                found.append(StoredV3(SnapshotName(generation, index), 1, draw(times)))
            for offset in draw(st.sets(st.sampled_from((0, 0, 32, 64, 96)))):
                found.append(StoredV3(SegmentName(generation, index, offset), 1, draw(times)))
    return found


@given(listings())
def test_every_point_restores(listing: list[StoredV3]) -> None:
    """And to a state of its own time, in its own WAL."""
    for point in points_v3(listing):
        plan = plan_restore_v3(listing, TargetV3(point.generation, until_ns=point.created_ns))
        assert (point.index, point.snapshot) == (plan.index, not plan.segments)
        assert plan.created_ns <= point.created_ns


@given(listings())
def test_where_clocks_went_forward_nothing_else_restores(listing: list[StoredV3]) -> None:
    """Every moment at which a plan changes is a point."""
    ordered = sorted(
        listing, key=lambda each: (each.name.generation, each.name.index, getattr(each.name, "offset", -1))
    )
    timed = [StoredV3(each.name, each.size, number) for number, each in enumerate(ordered)]
    points = {(point.generation, point.created_ns) for point in points_v3(timed)}
    for each in timed:
        try:
            plan_restore_v3(timed, TargetV3(each.name.generation, until_ns=each.created_ns))
        except NotAvailable:
            assert (each.name.generation, each.created_ns) not in points
        else:
            assert (each.name.generation, each.created_ns) in points


@given(listings(), st.integers(-1, 13))
def test_a_plan_is_complete_and_in_time(listing: list[StoredV3], until: int) -> None:
    try:
        plan = plan_restore_v3(listing, TargetV3(until_ns=until))
    except NotAvailable:
        return
    assert all(step.created_ns <= until for step in plan.steps)
    starts = [segment.index for segment in plan.segments if segment.offset == 0]
    indexes = sorted({segment.index for segment in plan.segments})
    assert starts == indexes == (list(range(plan.snapshot.index, plan.index + 1)) if indexes else [])
