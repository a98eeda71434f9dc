"""Reads one LTX file from front to back and proves it.

In: the file's bytes in any portions. Out: `Header`, then `Pages`, then `Trailer`. Promised: on bad bytes an LtxError
and nothing else, whatever the bytes; the file is proven (checksum, index, order, completeness) only when `close`
has returned; memory is the bytes fed and a batch of pages.
Order of a file and of the checks: LTX file format, "overall" to "trailer".
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from litestreamd.basics.checksum import FLAG, Buffer, crc64, page_checksum
from litestreamd.ltx.errors import ChecksumMismatch, Malformed, Truncated
from litestreamd.ltx.header import HEADER_SIZE, Header, decode_header
from litestreamd.ltx.index import IndexProof
from litestreamd.ltx.inlet import Inlet
from litestreamd.ltx.order import PageOrder
from litestreamd.ltx.pages import BATCH_BYTES, END_OF_PAGES, batch_pages, checksum_pages
from litestreamd.ltx.scan import NEXT_FRAME, Run, scan
from litestreamd.ltx.trailer import POST_APPLY_SIZE, TRAILER_SIZE, Trailer, decode_trailer


@dataclass(frozen=True, slots=True)
class Pages:
    """The next pages of the file: their numbers, ascending, and for each its image and its LZ4 block.

    A block is a view of the bytes that were fed, and empty where the file has none (the encoding with LZ4 frames).
    """

    numbers: list[int]
    images: list[bytes]
    blocks: Sequence[Buffer]

    @property
    def pages(self) -> list[tuple[int, bytes]]:
        """(number, image) of each, made anew by every call."""
        return list(zip(self.numbers, self.images, strict=True))


Event = Header | Pages | Trailer


class Decoder:
    """One file being read. After an error it is of no further use, and `close` raises too."""

    __slots__ = (
        "_batch",
        "_crc",
        "_expected",
        "_header",
        "_index",
        "_inlet",
        "_needed",
        "_order",
        "_rolling",
        "_seen",
        "_step",
    )

    _header: Header
    _order: PageOrder

    def __init__(self, batch_bytes: int = BATCH_BYTES) -> None:
        """`batch_bytes`: what the images of one `Pages` may take in memory (but one page there is)."""
        self._batch = batch_bytes
        self._inlet = Inlet()
        self._needed = HEADER_SIZE
        self._step: Callable[[Decoder, memoryview], Iterator[Event]] = Decoder._read_header
        self._crc = 0
        self._index = IndexProof()
        self._expected = b""
        self._seen = sha256()
        self._rolling = FLAG

    def feed(self, data: Buffer) -> list[Event]:
        """Take in the next bytes; out: what they completed, in order, with all of its pages in memory at once.

        LZ4 shrinks up to 255 to 1: see `stream` for large portions of bytes from anywhere.
        """
        return list(self.stream(data))

    def stream(self, data: Buffer) -> Iterator[Event]:
        """Like `feed`, but decodes as the result is iterated, a batch of pages at a time; finish it before going on."""
        self._inlet.append(data)
        return self._events()

    def close(self) -> None:
        """Say that no bytes follow. Raises LtxError (Truncated) unless exactly one whole file was read and proven."""
        if self._step is not Decoder._refuse_more:
            raise Truncated("the file is cut short")
        if self._inlet:
            raise Malformed("bytes follow the end of the file")

    def _events(self) -> Iterator[Event]:
        while len(self._inlet) >= self._needed:
            yield from self._step(self, self._inlet.front(self._needed))

    def _read_header(self, view: memoryview) -> Iterator[Event]:
        self._header = header = decode_header(view)
        self._order = PageOrder(header)
        self._consume(view[:HEADER_SIZE])
        self._needed, self._step = NEXT_FRAME, Decoder._read_pages
        yield header

    def _read_pages(self, view: memoryview) -> Iterator[Event]:
        if view[: len(END_OF_PAGES)] == END_OF_PAGES:
            self._consume(view[: len(END_OF_PAGES)])
            self._order.finish()
            self._expected = self._index.end()
            self._needed, self._step = 1, Decoder._read_index
            return
        run = scan(view, self._header.page_size, batch_pages(self._header.page_size, self._batch))
        self._needed = run.needed
        if run.numbers:
            self._needed = NEXT_FRAME
            yield self._accept(run)

    def _accept(self, run: Run) -> Pages:
        self._order.accept(run.numbers)
        images = run.expand(self._header.page_size)
        headers = run.headers()
        self._crc = checksum_pages(headers, images, self._crc)
        header_size = len(headers[0])
        self._index.extend(run.numbers, [header_size + size for size in map(len, run.bodies)])
        if self._header.tracks_checksum:
            for number, image in zip(run.numbers, images, strict=True):
                self._rolling ^= page_checksum(number, image) ^ FLAG
        self._inlet.skip(run.size)
        return Pages(run.numbers, images, run.blocks())

    def _read_index(self, view: memoryview) -> Iterator[Event]:
        seen = view[: self._index.size]
        self._seen.update(seen)
        self._consume(seen)
        self._index.size -= len(seen)
        if not self._index.size:
            if self._seen.digest() != self._expected:
                raise Malformed("the page index does not agree with the pages in the file")
            self._needed, self._step = TRAILER_SIZE, Decoder._read_trailer
        yield from ()

    def _read_trailer(self, view: memoryview) -> Iterator[Event]:
        trailer = decode_trailer(view[:TRAILER_SIZE])
        if trailer.file_checksum != FLAG | crc64(view[:POST_APPLY_SIZE], self._crc):
            raise ChecksumMismatch("the file checksum is wrong: the file was damaged after it was written")
        self._check_post_apply(trailer.post_apply)
        self._inlet.skip(TRAILER_SIZE)
        self._needed, self._step = 1, Decoder._refuse_more
        if not self._inlet:
            yield trailer

    def _refuse_more(self, _: memoryview) -> Iterator[Event]:
        raise Malformed("bytes follow the end of the file")

    def _check_post_apply(self, checksum: int) -> None:
        if not self._header.tracks_checksum:
            if checksum:
                raise Malformed("a checksum after the file is given, but the header says there is none")
        elif not checksum & FLAG:
            raise Malformed(f"checksum after the file ({checksum:#x}) lacks its highest bit")
        elif self._header.is_snapshot and checksum != self._rolling:
            raise ChecksumMismatch("the pages do not add up to the database checksum in the trailer")

    def _consume(self, seen: memoryview) -> None:
        """Remove bytes that the file checksum covers as they are."""
        self._crc = crc64(seen, self._crc)
        self._inlet.skip(len(seen))


def read_pages(chunks: Iterable[Buffer], batch_bytes: int = BATCH_BYTES) -> Iterator[Event]:
    """Decode a file from its chunks, one batch of pages in memory at a time.

    The Trailer comes last of all, when the chunks are used up and the file is proven: who has seen it may trust the
    pages. Raises LtxError, and whatever `chunks` raises.
    """
    decoder, trailer = Decoder(batch_bytes), None
    for chunk in chunks:
        for event in decoder.stream(chunk):
            if isinstance(event, Trailer):
                trailer = event
            else:
                yield event
    decoder.close()
    if trailer is not None:
        yield trailer
