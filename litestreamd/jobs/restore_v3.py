"""Puts a plan of Litestream 0.3 objects into a sink: the snapshot, and then every WAL on top of it.

In: a replica, a plan, a sink. Out: the size of the database. Promised: the bytes that Litestream 0.3 restores, where
SQLite checkpoints each WAL into the file; but what 0.3 (and SQLite) would pass over in silence is an error here: a
segment that is missing, cut or changed loses everything behind it in its WAL. Memory is bounded by the pieces in work.

Nothing in these objects proves the whole database, so SQLite has to look at the result (jobs/restore does that).

A WAL goes into the file as it is read, frame by frame. That gives what a checkpoint gives (the newest image of a page
is the last one written, and the file is cut to the size of the last commit) because a segment always ends with a
commit, which is checked: no frame is ever written that does not count.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import ClassVar

from litestreamd.basics.errors import DamagedData, NotAvailable
from litestreamd.jobs.restore_sink import Sink
from litestreamd.jobs.restore_v3_objects import Fetched, fetch
from litestreamd.plan.generations import Segment
from litestreamd.plan.restore_v3 import PlanV3, state_before
from litestreamd.replica.ahead import done_ahead, worker_pool
from litestreamd.replica.port import Replica
from litestreamd.v3.names import format_index
from litestreamd.wal.replay import Replay

_PAGE_SIZE_AT = 16
"""Where the database header holds the page size (SQLite file format, 1.3)."""


@dataclass(frozen=True, slots=True)
class FilledV3:
    """What the draft holds: so many bytes. `proven` as in a Filled: never by the database checksum."""

    size: int
    proven: bool = False
    hint: ClassVar[str] = (
        "Litestream 0.3 may have stored a snapshot before the WAL that it stands on: a later -timestamp, or an earlier "
        "one from before that snapshot, avoids that; "
    )


def fill_v3(replica: Replica, plan: PlanV3, sink: Sink, parallelism: int, identities: Sequence[str]) -> FilledV3:
    """Carry out a plan. Raises DamagedData and NotAvailable with the object's name and the way out, the errors of the
    port and of the sink, ConfigError for identities."""
    filling = _Filling(sink)
    with worker_pool(parallelism) as pool:
        fetched = done_ahead(pool, partial(fetch, replica), plan.steps, 2 * parallelism)
        with _naming(replica, plan, 0):
            next(fetched).unpack(identities, filling.append)
        steps = zip(plan.segments, fetched, strict=True)
        for index, of_one_wal in groupby(enumerate(steps, 1), key=lambda step: step[1][0].index):
            replay = Replay()
            for number, (segment, body) in of_one_wal:
                with _naming(replica, plan, number):
                    _refuse_gap(segment, replay, index)
                    filling.apply(body, identities, replay)
            filling.cut(replay)
    return FilledV3(filling.size)


class _Filling:
    """The state of one `fill_v3`: how far the file is."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._page_size = 0
        self.size = 0

    def append(self, piece: bytes) -> None:
        """The next bytes of the snapshot."""
        if self.size == 0:
            self._page_size = int.from_bytes(piece[_PAGE_SIZE_AT : _PAGE_SIZE_AT + 2], "big")
            self._page_size = 65536 if self._page_size == 1 else self._page_size
        self._sink.write([piece], self.size)
        self.size += len(piece)

    def apply(self, body: Fetched, identities: Sequence[str], replay: Replay) -> None:
        """One segment of the WAL that `replay` is reading."""

        def write(piece: bytes) -> None:
            newest = dict(replay.feed(piece))
            if replay.page_size not in (0, self._page_size):
                raise DamagedData(f"its pages have {replay.page_size} bytes, those of the snapshot {self._page_size}")
            self._write_pages(newest, replay.page_size)

        body.unpack(identities, write)
        if not replay.complete:
            raise DamagedData("it does not end with a commit")

    def cut(self, replay: Replay) -> None:
        """A WAL has ended: the database has the size of its last commit (a WAL without frames changes nothing)."""
        if replay.commit:
            self.size = replay.commit * replay.page_size
            self._sink.resize(self.size)

    def _write_pages(self, newest: dict[int, bytes], page_size: int) -> None:
        """Write pages, each run of consecutive numbers at once."""
        for _, run in groupby(enumerate(sorted(newest)), key=lambda place: place[1] - place[0]):
            numbers = [number for _, number in run]
            self._sink.write([newest[number] for number in numbers], (numbers[0] - 1) * page_size)


def _refuse_gap(segment: Segment, replay: Replay, index: int) -> None:
    if segment.offset == replay.offset:
        return
    if segment.offset < replay.offset:
        raise DamagedData(f"it begins before byte {replay.offset}, where the segment before it ends")
    raise NotAvailable(
        f"WAL index {format_index(index)} lacks its bytes {replay.offset} to {segment.offset - 1}: a segment before "
        "this one is missing"
    )


@contextmanager
def _naming(replica: Replica, plan: PlanV3, step: int) -> Iterator[None]:
    """Give an error of the block the place and name of the object, and say what can be restored without it."""
    place = f"{replica.description}: {plan.steps[step].name}"
    try:
        yield
    except DamagedData as error:
        raise DamagedData(f"{place}: {error}; {state_before(plan, step)}") from error
    except NotAvailable as error:
        raise NotAvailable(f"{place}: {error}; {state_before(plan, step)}") from error
