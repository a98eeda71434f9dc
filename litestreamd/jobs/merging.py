"""Objects merged into one of a higher level, read from the spool where they still are, else from the replica.

In: a decision of plan.compaction, or a backlog of spool entries. Out: one object more on the replica.
Promise: see jobs.compact; what is damaged is named and becomes nothing.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database.spool import Spool, SpoolEntry
from litestreamd.jobs.compact import Compaction, Input, PageSizeChanged
from litestreamd.jobs.events import Compacted
from litestreamd.jobs.owned_root import OwnedRoot
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.compaction import FAN_IN
from litestreamd.plan.restore import Stored
from litestreamd.replica.port import Created

_AT_ONCE = threading.BoundedSemaphore(2)
"""Merges in the whole process, for each takes memory and a processor."""

_REENCODED = 16 << 20
"""A merge is no larger than its sources, but for what pages of the old encoding may grow by."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Consecutive spool entries that become one object of level 1."""

    entries: tuple[SpoolEntry, ...]

    @property
    def last(self) -> int:
        """The TXID it reaches."""
        return self.entries[-1].txid

    def follows(self, cursor: int, page_size: int) -> bool:
        """Whether it begins just after a TXID, with pages of this size."""
        first = self.entries[0]
        return (first.txid, first.page_size) == (cursor + 1, page_size)


def portions(entries: Sequence[SpoolEntry], interval_s: float) -> Iterator[Portion]:
    """A backlog in pieces: as many points in time remain as compaction would have left. Oldest first; entries of
    another page size are left to a full image."""
    piece: list[SpoolEntry] = []
    for entry in entries:
        if piece and not _belongs(piece, entry, interval_s):
            yield Portion(tuple(piece))
            piece = []
        piece.append(entry)
    if piece:
        yield Portion(tuple(piece))


def _belongs(piece: Sequence[SpoolEntry], entry: SpoolEntry, interval_s: float) -> bool:
    last, window_ms = piece[-1], interval_s * 1000
    return (
        len(piece) < FAN_IN
        and entry.txid == last.txid + 1
        and entry.page_size == last.page_size
        and entry.timestamp_ms // window_ms == last.timestamp_ms // window_ms
    )


class Merging:
    """Carries merges out on one replica. `deadline`: the monotonic time after which a merge is broken off."""

    def __init__(self, owned: OwnedRoot, around: Surroundings) -> None:
        self.deadline = math.inf
        self._owned = owned
        self._around = around

    def merge(self, level: int, sources: Sequence[Stored]) -> None:
        """Merge objects of the replica; where the page size changed between them, each side by itself. Raises
        DamagedData (see jobs.compact), ConflictError, errors of the port."""
        try:
            self._merge(level, sources)
        except PageSizeChanged as change:
            at = [stored.name for stored in sources].index(change.name)
            self.merge(level, sources[:at])
            self.merge(level, sources[at:])

    def _merge(self, level: int, sources: Sequence[Stored]) -> None:
        self._store(
            level,
            [Input(each.name, each.size, self._reader(each), self._owned.replica.description) for each in sources],
        )

    def merge_spooled(self, portion: Portion) -> None:
        """Merge spool entries, which are not on the replica, into one object of level 1."""
        spool = self._around.spool
        self._store(1, [_spooled(spool, entry) for entry in portion.entries])

    def _reader(self, stored: Stored) -> Callable[[], Iterator[bytes]]:
        name, spool = stored.name, self._around.spool

        def read() -> Iterator[bytes]:
            entry = spool.get(name.max_txid) if name.level == 0 else None
            if entry is not None and entry.size == stored.size and (chunks := spool.opened(entry)) is not None:
                return chunks
            return self._owned.replica.open(name)

        return read

    def _in_time(self, body: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in body:
            if time.monotonic() > self.deadline:
                raise EnvironmentFault("The merge was broken off: the process wants to end.")
            yield chunk

    def _store(self, level: int, inputs: list[Input]) -> None:
        with _AT_ONCE:
            self._store_in_turn(level, inputs)

    def _store_in_turn(self, level: int, inputs: list[Input]) -> None:
        start = time.monotonic()
        compaction = Compaction(inputs)
        header = compaction.header
        name = ObjectName(level, header.min_txid, header.max_txid)
        most = sum(each.size for each in inputs) + _REENCODED
        body = self._in_time
        if self._owned.create(name, lambda: body(compaction.body()), header.timestamp_ms, most) is Created.EXISTS:
            self._owned.accept_same_state(name, header)
        passing("compact.created")
        stored = self._owned.get(name)
        size, seconds = stored.size if stored else 0, time.monotonic() - start
        replica = self._owned.replica.name
        self._around.observe(
            Compacted(self._around.database, replica, level, name.min_txid, name.max_txid, len(inputs), size, seconds)
        )


def _spooled(spool: Spool, entry: SpoolEntry) -> Input:
    def read() -> Iterator[bytes]:
        chunks = spool.opened(entry)
        if chunks is None:
            raise DamagedData(f"TXID {entry.txid:016x} is gone from the spool, and not every replica has it.")
        return chunks

    return Input(ObjectName(0, entry.txid, entry.txid), entry.size, read)
