"""The manifest of a replica: whatever is cut off its end, it never names what was deleted on purpose."""

import tempfile
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from litestreamd.database import manifest as module
from litestreamd.database.manifest import Manifest, Noted, parse
from litestreamd.ltx.names import ObjectName

NAMES = [ObjectName(level, first, last) for level in (0, 1, 9) for first, last in ((1, 1), (2, 2), (1, 7))]
DEEDS = st.lists(st.tuples(st.booleans(), st.sampled_from(NAMES), st.integers(0, 1 << 40)), max_size=40)


@given(DEEDS, st.data())
def test_a_power_cut_never_brings_back_what_was_deleted(
    deeds: list[tuple[bool, ObjectName, int]], data: st.DataObject
) -> None:
    """The store has done what was asked before `+` is noted, and does it after `-` is durable."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Manifest(Path(folder), "r", "file:///r")
        kept.begin(3, {})
        path, there = Path(folder, "r.objects"), set[ObjectName]()
        durable = path.stat().st_size
        for creates, name, size in deeds:
            if creates:
                there.add(name)  # on the store, then noted
                kept.created(name, Noted(size, size))
            else:
                kept.deleting([name])
                there.discard(name)
                durable = path.stat().st_size
        whole = path.read_bytes()
        loaded = Manifest(Path(folder), "r", "file:///r").load()
        assert loaded is not None
        assert set(loaded.objects) == there
        cut = data.draw(st.integers(min(durable, len(whole)), len(whole)))
        content = parse(whole[:cut])
        assert content is not None
        assert set(content.objects) <= there
        assert content.epoch == 3


@given(st.binary(max_size=300))
@example(b"litestreamd objects 1 file:///r\n= 1\n+ 0/nonsense 1 -\n")
@example(b"litestreamd objects 1 file:///r\n\x00\x00\n")
def test_anything_else_is_no_manifest(data: bytes) -> None:
    content = parse(data)
    assert content is None or data.startswith(b"litestreamd objects 1 ")


def test_another_place_and_a_torn_line() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = Manifest(Path(folder), "r", "file:///r")
        assert kept.load() is None
        kept.begin(1, {NAMES[0]: Noted(5)})
        kept.opened(2)
        path = Path(folder, "r.objects")
        path.write_bytes(path.read_bytes() + b"+ 0/0000000000000002-00")
        loaded = kept.load()
        assert loaded is not None
        assert (loaded.epoch, loaded.objects) == (2, {NAMES[0]: Noted(5)})
        assert Manifest(Path(folder), "r", "file:///elsewhere").load() is None


def test_it_is_written_anew_when_most_of_it_is_past() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = Manifest(Path(folder), "r", "file:///r")
        kept.begin(1, {})
        path = Path(folder, "r.objects")
        largest = 0
        for number in range(1, 3 * module.REWRITE_LINES):
            kept.created(ObjectName(0, number, number), Noted(number, number))
            kept.deleting(
                [ObjectName(0, each, each) for each in range(number - 512, number)] if not number % 512 else []
            )
            largest = max(largest, path.stat().st_size)
        loaded = kept.load()
        assert loaded is not None
        assert dict(loaded.objects) == dict(kept.objects)
        assert largest < 80 * 2 * module.REWRITE_LINES
