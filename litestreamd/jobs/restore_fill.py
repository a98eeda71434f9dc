"""Writes the pages of a plan straight into their places, newest object first, and proves them.

In: a replica, the steps of a plan, a sink. Out: what the file now is, and how it was proven. Promised: each page is
written once; memory is bounded by the number of workers, the limits in jobs/restore_regions, and a bit for each page of
the database (in the second way: and for each page of the objects in work).

Two ways. When the newest object carries the checksum of the whole database (the `LSD1` proof in its header), only
the frames that count are fetched and unpacked, and the pages written must add up to that checksum: an absolute
proof, whatever wrote the older objects. Otherwise every object is read to its end and proven by its own file
checksum, and SQLite has to look at the result (jobs/restore does that).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain
from operator import xor
from threading import Lock
from typing import ClassVar

from litestreamd.basics.checksum import FLAG, page_checksum
from litestreamd.basics.errors import DamagedData
from litestreamd.jobs.restore_frames import Batch, whole_object
from litestreamd.jobs.restore_regions import Cut, Cutter, gathered
from litestreamd.jobs.restore_sink import Nowhere, Sink
from litestreamd.jobs.restore_source import SMALL, ObjectReader, OpenedObject, open_object
from litestreamd.ltx.header import Header
from litestreamd.ltx.merge import merged_header
from litestreamd.plan.restore import RestorePlan
from litestreamd.plan.shares import PageMap, Share, packed
from litestreamd.replica.ahead import done_ahead, worker_pool
from litestreamd.replica.port import Replica

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


def fill(replica: Replica, plan: RestorePlan, sink: Sink, parallelism: int) -> Filled:
    """Carry out a plan. Raises DamagedData with the object's name, the errors of the port and of the sink."""
    with worker_pool(parallelism) as pool, worker_pool(1) as writer:
        opened = done_ahead(pool, partial(open_object, replica), reversed(plan.steps), parallelism)
        newest = next(opened)
        with _naming_culprit(replica, plan):
            _refuse_absurd(newest.header, plan)
            filling = _Filling(sink, newest.header, replica.piece)
        newest_first = chain([newest], opened)
        if newest.header.proof:
            fetched = done_ahead(pool, Cut.fetch, filling.cuts(newest_first, plan), 2 * parallelism)
            # One thread unpacks and adds up, one writes: pages are so small that more threads would but pass the
            # interpreter to and fro.
            batches = filling.added_up(gathered(fetched, newest.header.page_size))
            deque(done_ahead(writer, filling.write_pages, batches, 2), maxlen=0)
        else:
            deque(done_ahead(pool, filling.write_chosen, filling.wholes(newest_first), 2 * parallelism), maxlen=0)
    proof = newest.header.proof
    with _naming_culprit(replica, plan):
        header = filling.checked_header()
        if proof and FLAG | filling.found != proof.after:
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
        filling, newest_first = _Filling(Nowhere(), newest.header, replica.piece), counting(chain([newest], opened))
        if newest.header.proof:
            spans = ((cut.reader, cut.piece.length) for cut in filling.cuts(newest_first, plan))
        else:
            spans = ((reader, reader.size) for reader, _ in filling.wholes(newest_first))
        for reader, length in spans:
            if not reader.held:
                fetched[reader.name] += length
    return list(fetched.values())


def _refuse_absurd(header: Header, plan: RestorePlan) -> None:
    """A damaged size must not make us ask for more memory than the objects can have pages."""
    if header.commit > plan.size // _SMALLEST_PAGE:
        raise DamagedData(f"{plan.size} bytes of objects cannot hold a database of {header.commit} pages")


class _Filling:
    """The state of one `fill`: which pages are taken, which headers were seen."""

    def __init__(self, sink: Sink, newest: Header, piece: int) -> None:
        self._sink = sink
        self._newest = newest
        self._piece = piece
        self._pages = PageMap(newest.commit, newest.page_size)
        self._headers: list[Header] = []
        self._turn = Lock()
        self.found = 0
        """The xor of the checksums of the pages so far."""
        sink.resize(newest.commit * newest.page_size)

    def cuts(self, newest_first: Iterable[OpenedObject], plan: RestorePlan) -> Iterator[Cut]:
        """The byte ranges that bring the pages, in the order in which they are to be fetched."""
        cutter = Cutter(sum(step.size > SMALL for step in plan.steps), self._newest.page_size, self._piece)
        for opened in newest_first:
            self._headers.append(opened.header)
            yield from cutter.cuts(opened, self._shares(opened))
        yield from cutter.rest()

    def wholes(self, newest_first: Iterable[OpenedObject]) -> Iterator[tuple[ObjectReader, bytes]]:
        """Objects to read to their end, and which of their pages count."""
        for opened in newest_first:
            self._headers.append(opened.header)
            yield opened.reader, self._chosen(opened)

    def added_up(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches; their checksums are in `found`."""
        for numbers, images in batches:
            self.found = reduce(xor, map(page_checksum, numbers, images), self.found)
            yield numbers, images

    def write_chosen(self, whole: tuple[ObjectReader, bytes]) -> None:
        """Read an object to its end and write its pages that count."""
        reader, chosen = whole
        # Threads that all unpack at once would but pass the interpreter to and fro, twice a page.
        with reader.naming_damage(), self._turn:
            for batch in whole_object(reader, chosen, self._turn):
                self.write_pages(batch)

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

    def write_pages(self, batch: Batch) -> None:
        """Write pages, ascending, each run of consecutive numbers at once."""
        numbers, images = batch
        page_size = self._newest.page_size
        if not numbers:
            return
        if numbers[-1] - numbers[0] == len(numbers) - 1:
            self._sink.write(images, (numbers[0] - 1) * page_size)
            return
        start = 0
        for at in range(1, len(numbers) + 1):
            if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
                self._sink.write(images[start:at], (numbers[start] - 1) * page_size)
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
