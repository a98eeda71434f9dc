"""Writes the pages of a plan straight into their places, newest object first, and proves them.

In: a replica, the steps of a plan, a sink. Out: what the file now is, and how it was proven. Promised: each page is
written once; memory is bounded by the number of workers and objects, and a bit for each page of the database (in the
second way: and for each page of the objects in work).

Two ways. When the newest object carries the checksum of the whole database (the `LSD1` proof in its header), only
the frames that count are fetched and unpacked, and the pages written must add up to that checksum: an absolute
proof, whatever wrote the older objects. Otherwise every object is read to its end and proven by its own file
checksum, and SQLite has to look at the result (jobs/restore does that).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain
from operator import xor
from typing import ClassVar

from litestreamd.basics.checksum import FLAG, page_checksum
from litestreamd.basics.errors import DamagedData
from litestreamd.jobs.pool import done_ahead, worker_pool
from litestreamd.jobs.restore_frames import one_piece, whole_object
from litestreamd.jobs.restore_sink import Nowhere, Sink
from litestreamd.jobs.restore_source import ObjectReader, OpenedObject, open_object
from litestreamd.ltx.header import Header
from litestreamd.ltx.merge import merged_header
from litestreamd.ltx.pages import batch_pages
from litestreamd.plan.restore import RestorePlan
from litestreamd.plan.shares import PageMap, Piece, Share, packed, pieces
from litestreamd.replica.port import Replica

_PIECE_BYTES = 2 << 20
_GAP_BYTES = 16 << 10
"""Frames that do not count are read over, not around, when they are no more than this."""


_SMALLEST_PAGE = 14
"""A frame header, one byte of LZ4 and an index entry: no object is smaller for each page it holds."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What the draft holds: the merged header of the plan. `proven`: by the database checksum."""

    header: Header
    proven: bool
    hint: ClassVar[str] = ""
    """What to say when SQLite finds a sound set of objects to be an unsound database."""

    @property
    def size(self) -> int:
        """Bytes of the database."""
        return self.header.commit * self.header.page_size


@dataclass(frozen=True, slots=True)
class _Work:
    """Frames of one object to write: a piece of a share of it, or those `chosen` when it is read as a whole."""

    reader: ObjectReader
    frames: tuple[Share, Piece] | None
    chosen: bytes = b""


def fill(replica: Replica, plan: RestorePlan, sink: Sink, parallelism: int) -> Filled:
    """Carry out a plan. Raises DamagedData with the object's name, the errors of the port and of the sink."""
    with worker_pool(parallelism) as pool:
        opened = done_ahead(pool, partial(open_object, replica), reversed(plan.steps), parallelism)
        newest = next(opened)
        with _naming_culprit(replica, plan):
            _refuse_absurd(newest.header, plan)
            filling = _Filling(sink, newest.header)
        work = filling.work(chain([newest], opened))
        found = reduce(xor, done_ahead(pool, filling.write, work, 2 * parallelism), 0)
    proof = newest.header.proof
    with _naming_culprit(replica, plan):
        header = filling.checked_header()
        if proof and FLAG | found != proof.after:
            raise DamagedData(
                "every object is as it was written, but together they do not give the database that "
                f"{plan.steps[-1].name} was made from"
            )
    return Filled(header, proven=proof is not None)


def survey(replica: Replica, plan: RestorePlan, parallelism: int) -> list[int]:
    """Bytes that `fill` would fetch of each step of a plan. Reads what tells where pages are. Raises as `fill`."""
    fetched = {step.name: 0 for step in plan.steps}

    def counting(newest_first: Iterable[OpenedObject]) -> Iterator[OpenedObject]:
        for opened in newest_first:
            fetched[opened.reader.name] = opened.reader.size if opened.reader.held else opened.overhead
            yield opened

    with worker_pool(parallelism) as pool:
        opened = done_ahead(pool, partial(open_object, replica), reversed(plan.steps), parallelism)
        newest = next(opened)
        _refuse_absurd(newest.header, plan)
        for work in _Filling(Nowhere(), newest.header).work(counting(chain([newest], opened))):
            if not work.reader.held:
                fetched[work.reader.name] += work.frames[1].length if work.frames else work.reader.size
    return list(fetched.values())


def _refuse_absurd(header: Header, plan: RestorePlan) -> None:
    """A damaged size must not make us ask for more memory than the objects can have pages."""
    if header.commit > plan.size // _SMALLEST_PAGE:
        raise DamagedData(f"{plan.size} bytes of objects cannot hold a database of {header.commit} pages")


class _Filling:
    """The state of one `fill`: which pages are taken, which headers were seen."""

    def __init__(self, sink: Sink, newest: Header) -> None:
        self._sink = sink
        self._page_size = newest.page_size
        self._by_index = newest.proof is not None
        self._pages = PageMap(newest.commit, newest.page_size)
        self._headers: list[Header] = []
        sink.resize(newest.commit * newest.page_size)

    def work(self, newest_first: Iterable[OpenedObject]) -> Iterator[_Work]:
        """Hand out the pages, object by object."""
        for opened in newest_first:
            self._headers.append(opened.header)
            if self._by_index:
                for share in self._shares(opened):
                    for piece in pieces(share, _PIECE_BYTES, batch_pages(self._page_size), _GAP_BYTES):
                        yield _Work(opened.reader, (share, piece))
            else:
                yield _Work(opened.reader, None, self._chosen(opened))

    def write(self, work: _Work) -> int:
        """Write the pages of one piece of work; out: the xor of their checksums (0 when the file is the proof)."""
        found = 0
        with work.reader.naming_damage():
            if work.frames is None:
                for numbers, images in whole_object(work.reader, work.chosen):
                    self._write_pages(numbers, images)
                return 0
            for numbers, images in one_piece(work.reader, *work.frames, self._page_size):
                found = reduce(xor, map(page_checksum, numbers, images), found)
                self._write_pages(numbers, images)
        return found

    def _shares(self, opened: OpenedObject) -> Iterator[Share]:
        for window in opened.index():
            share = self._pages.claim(window)
            if share.numbers:
                yield share

    def _chosen(self, opened: OpenedObject) -> bytes:
        """Which pages of an object count, a bit for each."""
        parts, rest = [], b""
        for window in opened.index():
            flags = rest + self._pages.choose(window.numbers)
            whole = len(flags) & ~7
            parts.append(packed(flags[:whole]))
            rest = flags[whole:]
        return b"".join((*parts, packed(rest)))

    def checked_header(self) -> Header:
        """The header of the whole plan. Raises DamagedData when its objects are not one complete history."""
        header = merged_header(self._headers[::-1])
        missing = self._pages.missing()
        if missing:
            first = self._pages.first_missing()
            raise DamagedData(f"{missing} of {header.commit} pages are in no object (the first is {first})")
        return header

    def _write_pages(self, numbers: Sequence[int], images: Sequence[bytes]) -> None:
        """Write pages, each run of consecutive numbers at once."""
        if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
            self._sink.write(images, (numbers[0] - 1) * self._page_size)
            return
        start = 0
        for at in range(1, len(numbers) + 1):
            if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
                self._sink.write(images[start:at], (numbers[start] - 1) * self._page_size)
                start = at


@contextmanager
def _naming_culprit(replica: Replica, plan: RestorePlan) -> Iterator[None]:
    """What does not fit together usually has one damaged object in it: prove each by itself, and name that one."""
    try:
        yield
    except DamagedData as error:
        for stored in plan.steps:
            ObjectReader(replica, stored).prove()
        raise DamagedData(f"{replica.description}: {error}") from error
