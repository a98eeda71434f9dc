"""Random listings of a replica, as odd as a store can hold them.

In: a random number generator, or hypothesis. Out: names with creation times, for plans and for comparing them with
the real Litestream.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName

START_MS = 1_750_000_000_000


@dataclass(frozen=True)
class Entry:
    """An object of a listing."""

    name: ObjectName
    created_ms: int
    size: int = 100


def entries(names: Sequence[ObjectName], times: Sequence[int]) -> list[Entry]:
    """A listing, in a listing's order."""
    return sorted((Entry(n, START_MS + t) for n, t in zip(names, times, strict=True)), key=lambda e: e.name)


@st.composite
def layouts(draw: st.DrawFn) -> list[Entry]:
    """Up to 14 objects over few TXIDs, so that overlaps, gaps and ties are common."""
    ranges = st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 5))
    found = draw(st.sets(ranges.map(_name), max_size=14))
    names = sorted(found)
    times = [draw(st.integers(0, 12)) for _ in names]
    return entries(names, times)


def _name(shape: tuple[int, int, int]) -> ObjectName:
    level, low, more = shape
    low = 1 if level == SNAPSHOT_LEVEL else low
    return ObjectName(level, low, low + (0 if level == 0 else more))


def random_layout(chance: random.Random) -> list[Entry]:
    """A layout that is likely to be restorable, with some damage."""
    last = chance.randrange(1, 14)
    names = {ObjectName(0, txid, txid) for txid in range(1, last + 1)}
    for level, span in ((1, 2), (2, 4), (3, 7)):
        low = 1
        while low <= last:
            high = min(last, low + chance.randrange(1, span + 1) - 1)
            if chance.random() < 0.7:
                names.add(ObjectName(level, low, high))
            low = high + 1
    names |= {ObjectName(SNAPSHOT_LEVEL, 1, chance.randrange(1, last + 1)) for _ in range(chance.randrange(3))}
    kept = [name for name in sorted(names) if chance.random() < chance.choice((0.6, 0.9, 1.0))]
    return entries(kept, [chance.randrange(0, 20) for _ in kept])
