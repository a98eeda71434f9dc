"""The pages of an object that count, unpacked.

In: an opened object and what counts of it. Out: batches of (page numbers, images), ascending. Two ways to
get at them: by byte range, frame by frame as the page index says, or by reading the whole object, which also proves
it. Raises LtxError on bad bytes, and the errors of the port.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from threading import Lock

from litestreamd.jobs.restore_source import ObjectReader
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.errors import Malformed
from litestreamd.ltx.pages import SIZED, SIZED_HEADER, expand_blocks
from litestreamd.ltx.scan import NEXT_FRAME, scan
from litestreamd.plan.shares import Piece, Share, unpacked

Chunk = memoryview | bytes
Batch = tuple[Sequence[int], Sequence[bytes]]


def unpack_piece(data: memoryview, share: Share, piece: Piece, page_size: int) -> Iterator[Batch]:
    """Unpack the frames of a share that lie in a piece of its object."""
    if (scattered := _scattered_blocks(data, share, piece)) is not None:
        numbers, blocks = scattered
        yield numbers, expand_blocks(blocks, numbers, page_size)
        return
    for first, last in _stretches(share, piece):
        start = share.offsets[first] - piece.offset
        end = share.offsets[last - 1] + share.lengths[last - 1] - piece.offset
        numbers = share.numbers[first:last].tolist()
        yield numbers, _unpack(data[start:end], numbers, page_size)


def whole_object(reader: ObjectReader, chosen: bytes, turn: Lock) -> Iterator[Batch]:
    """Read the object to its end; it is proven when the iteration has ended. `chosen`: which of its pages count, in
    the order of the file (plan.shares.packed). `turn`: held by the caller, and let go while the object is read."""
    done = 0
    for event in read_pages(_reading(reader.chunks(), turn)):
        if isinstance(event, Pages):
            count = len(event.numbers)
            counting = unpacked(chosen, done, count)
            done += count
            if 0 in counting:
                yield list(compress(event.numbers, counting)), list(compress(event.images, counting))
            else:
                yield event.numbers, event.images


def _reading(chunks: Iterable[Chunk], turn: Lock) -> Iterator[Chunk]:
    coming = iter(chunks)
    while True:
        turn.release()
        try:
            chunk = next(coming, None)
        finally:
            turn.acquire()
        if chunk is None:
            return
        yield chunk


def _scattered_blocks(data: memoryview, share: Share, piece: Piece) -> tuple[list[int], list[memoryview]] | None:
    """Page numbers and LZ4 blocks where others lie between them: to look for stretches would cost more than the work.

    None unless every frame is just what the index says, in the newer encoding.
    """
    chosen = slice(piece.first, piece.last)
    lengths, numbers = share.lengths[chosen], share.numbers[chosen].tolist()
    if sum(lengths) == piece.length or min(lengths) < SIZED_HEADER.size:
        return None
    starts = [offset - piece.offset for offset in share.offsets[chosen]]
    sizes = [length - SIZED_HEADER.size for length in lengths]
    if list(map(SIZED_HEADER.unpack_from, repeat(data), starts)) != list(zip(numbers, repeat(SIZED), sizes)):
        return None
    return numbers, [data[at + SIZED_HEADER.size : at + size] for at, size in zip(starts, lengths, strict=True)]


def _stretches(share: Share, piece: Piece) -> Iterator[tuple[int, int]]:
    """The frames [first, last) of a piece that lie one behind the other in the file."""
    if sum(share.lengths[piece.first : piece.last]) == piece.length:
        yield piece.first, piece.last
        return
    first = piece.first
    for at in range(piece.first + 1, piece.last + 1):
        if at == piece.last or share.offsets[at] != share.offsets[at - 1] + share.lengths[at - 1]:
            yield first, at
            first = at


def _unpack(data: memoryview, wanted: Sequence[int], page_size: int) -> list[bytes]:
    """The pages of frames that lie one behind the other. Raises LtxError, also when they are not those wanted."""
    images: list[bytes] = []
    numbers: list[int] = []
    while len(data) >= NEXT_FRAME:
        run = scan(data, page_size, len(wanted))
        if not run.numbers:
            break
        numbers += run.numbers
        images += run.expand(page_size)
        data = data[run.size :]
    if data or numbers != wanted:
        raise Malformed("the page index does not agree with the pages in the file")
    return images
