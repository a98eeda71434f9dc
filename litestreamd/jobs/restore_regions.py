"""Gathers the pages of a restore in ascending order, so that few and long writes make the database.

In: opened objects with their shares, newest first. Out: cuts (byte ranges to fetch) by their first page; then, from
what they brought, runs of pages to write. A page written alone costs the kernel four times what it costs in a long
run, and Python a call.

Promised: memory is bounded. Of large objects only the places of frames wait (`_MOST_FRAMES`, `_MOST_CUTS`), of what is
unpacked the pages that count and whose neighbours are still to come (`_KEPT_BYTES`); more than that goes to its places
at once.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from litestreamd.jobs.restore_frames import Batch, unpack_piece
from litestreamd.jobs.restore_source import ObjectReader, OpenedObject
from litestreamd.plan.shares import Piece, Share, pieces

_LEAST_PIECE = 64 << 10
_ALL_PIECES = 40 << 20
"""Bytes of pages that one piece brings of each object; what is not due yet of all of them has to be kept."""

_GAP_BYTES = 16 << 10
"""Frames that do not count are read over, not around, when they are no more than this."""

_MOST_FRAMES, _MOST_CUTS = 1 << 20, 1 << 16
_KEPT_BYTES = 56 << 20
_RUN_BYTES = 2 << 20


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A byte range of an object, and the frames in it that count. first: no cut after it has a page below this one,
    but those that have a 0 here, which are of objects in memory."""

    first: int
    reader: ObjectReader = field(compare=False)
    share: Share = field(compare=False)
    piece: Piece = field(compare=False)

    def fetch(self) -> "tuple[Cut, memoryview]":
        """Itself and the bytes. Raises DamagedData, and the errors of the port."""
        with self.reader.naming_damage():
            return self, self.reader.read(self.piece.offset, self.piece.length)


class Cutter:
    """Cuts the shares of `objects` objects that are not in memory, newest object first. `piece`: bytes of a cut at
    most."""

    def __init__(self, objects: int, page_size: int, piece: int) -> None:
        self._whole = piece
        self._piece = min(piece, max(_LEAST_PIECE, _ALL_PIECES // max(1, objects)))
        self._page_size = page_size
        self._waiting: list[Cut] = []
        self._frames = 0

    def cuts(self, opened: OpenedObject, shares: Iterable[Share]) -> Iterator[Cut]:
        """What there is to fetch now that the shares of this object are known."""
        for share in shares:
            if opened.reader.held:
                yield from self._cut(opened.reader, share, self._piece, waits=False)
            elif opened.header.is_snapshot:
                # It is the last one, and ascends: what waits goes between its pieces.
                for cut in self._cut(opened.reader, share, self._whole, waits=True):
                    yield from self._before(cut.first)
                    yield cut
            else:
                for cut in self._cut(opened.reader, share, self._piece, waits=True):
                    insort(self._waiting, cut)
                self._frames += len(share.numbers)
                if self._frames > _MOST_FRAMES or len(self._waiting) > _MOST_CUTS:
                    yield from self.rest()

    def rest(self) -> Iterator[Cut]:
        """Everything that waits."""
        yield from self._waiting
        self._waiting, self._frames = [], 0

    def _before(self, first: int) -> Iterator[Cut]:
        count = 0
        while count < len(self._waiting) and self._waiting[count].first < first:
            count += 1
        yield from self._waiting[:count]
        del self._waiting[:count]

    def _cut(self, reader: ObjectReader, share: Share, size: int, waits: bool) -> Iterator[Cut]:
        for piece in pieces(share, size, max(1, size // self._page_size), _GAP_BYTES):
            yield Cut(share.numbers[piece.first] if waits else 0, reader, share, piece)


def gathered(fetched: Iterable[tuple[Cut, memoryview]], page_size: int) -> Iterator[Batch]:
    """The pages of cuts, unpacked: those that no later cut comes before, ascending. Raises DamagedData."""
    kept: dict[int, bytes] = {}
    done, most, enough = 0, _KEPT_BYTES // page_size, max(1, _RUN_BYTES // page_size)
    for cut, data in fetched:
        if cut.first < done or len(kept) > most:
            # All that waited went before its time, and the order begins anew.
            yield _ascending(kept)
            kept, done = {}, cut.first
        elif cut.first - done >= enough:
            if batch := _taken(kept, done, cut.first):
                yield batch
            done = cut.first
        with cut.reader.naming_damage():
            for numbers, images in unpack_piece(data, cut.share, cut.piece, page_size):
                kept.update(zip(numbers, images, strict=True))
    yield _ascending(kept)


def _ascending(kept: dict[int, bytes]) -> Batch:
    numbers = sorted(kept)
    return numbers, [kept[number] for number in numbers]


def _taken(kept: dict[int, bytes], first: int, end: int) -> Batch | None:
    numbers = [number for number in range(first, end) if number in kept]
    return (numbers, [kept.pop(number) for number in numbers]) if numbers else None
