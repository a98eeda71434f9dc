"""One compaction: several LTX objects that follow each other become one.

In: the inputs, oldest first. Out: the header of the result, and its bytes as they are pulled. Promised: the bytes end
only when every input was read to its end and proven (file checksum, page index, order), bears the TXIDs of its name,
and agrees with its neighbours (TXIDs, page size, the database checksums between them, the pages the database grew by);
else SourceDamaged names the culprit before that. LZ4 blocks are copied as they are. One `open` for each input.

Memory is bounded by the number of inputs: about BUDGET in all, and 10 bytes for each page of an input or the result.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

from litestreamd.basics.checksum import FLAG, lock_page, page_checksum
from litestreamd.basics.errors import DamagedData
from litestreamd.basics.txid import format_txid
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.errors import LtxError, Malformed, Truncated
from litestreamd.ltx.header import Header
from litestreamd.ltx.merge import merge, merged_header
from litestreamd.ltx.names import ObjectName
from litestreamd.ltx.pages import BATCH_BYTES, batch_pages
from litestreamd.replica.ahead import done_ahead, worker_pool
from litestreamd.replica.port import CHUNK

BUDGET = 48 << 20
"""Bytes in memory, whatever the number of inputs up to 128. Each has a twelfth of its part in pages that are decoded
ahead (up to half as many again), and what it needs beyond in the chunks that their blocks are views of."""

_OPENED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Input:
    """An object to merge: its name, its size in bytes, a fresh iterator of its bytes; where it is, for messages."""

    name: ObjectName
    size: int
    open: Callable[[], Iterator[bytes]]
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.name}" if self.place else str(self.name)


class SourceDamaged(DamagedData):
    """What was to be merged is not what it should be. `name`: the culprit; where sound objects disagree, the newest of
    `names`."""

    def __init__(self, culprits: Sequence[Input], reason: object) -> None:
        told = culprits if len(culprits) <= 2 else (culprits[0], culprits[-1])
        super().__init__(f"{(' and ' if len(culprits) <= 2 else ' to ').join(map(str, told))}: {reason}")
        self.names = tuple(each.name for each in culprits)
        self.name = self.names[-1]


class PageSizeChanged(SourceDamaged):
    """Sound inputs, but the page size of the database changed between them: `name`, the newer one, begins with the new
    size, and they cannot become one."""

    def __init__(self, older: Input, newer: Input) -> None:
        super().__init__((older, newer), "the page size of the database changed between them")


class Compaction:
    """Made anew for each try; reads the headers at once. Raises SourceDamaged, and whatever `open` raises."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs
        self._ahead_bytes = min(BATCH_BYTES, BUDGET // 12 // len(inputs))
        self._opened: list[_Opened] | None = self._open()
        self.header = self._merged(self._opened)

    def body(self) -> Iterator[bytes]:
        """The bytes of the result, a few hundred pages at a time. Raises SourceDamaged, and whatever `open` raises."""
        opened, self._opened = self._opened or self._open(), None
        if self._merged(opened) != self.header:
            raise SourceDamaged(self._inputs, "they changed while they were read")
        pieces: list[bytes] = []
        with _naming(*self._inputs):
            encoder, rolled = Encoder(self.header, pieces.append), FLAG
            together = batch_pages(self.header.page_size)
            ahead = batch_pages(self.header.page_size, self._ahead_bytes)
            batches = [each.pages(before) for each, before in zip(opened, _commits_before(opened), strict=True)]
            for pages in merge(batches, self.header.commit, ahead, together):
                if self._proves_database:
                    for number, image in zip(pages.numbers, pages.images, strict=True):
                        rolled ^= page_checksum(number, image)
                encoder.add_frames(pages.numbers, pages.blocks, pages.images)
                yield b"".join(pieces)
                pieces.clear()
            encoder.finish()
            if self._proves_database and self.header.proof and rolled | FLAG != self.header.proof.after:
                raise Malformed("each is as it was written, but together they do not give the database they tell of")
        yield b"".join(pieces)

    @property
    def _proves_database(self) -> bool:
        """All pages are in the result, and what they must add up to is known."""
        return self.header.is_snapshot and self.header.proof is not None

    def _open(self) -> "list[_Opened]":
        """All headers; a remote store is asked for several objects at once."""
        with worker_pool(min(len(self._inputs), _OPENED_AT_ONCE)) as pool:
            return list(done_ahead(pool, lambda each: _Opened(each, self._ahead_bytes), self._inputs, _OPENED_AT_ONCE))

    def _merged(self, opened: "Sequence[_Opened]") -> Header:
        for older, newer in pairwise(opened):
            with _naming(older.source, newer.source):
                try:
                    merged_header([older.header, newer.header])
                except LtxError:
                    # A header that disagrees is often a damaged one, and only its own file can tell.
                    older.prove()
                    newer.prove()
                    if older.header.page_size != newer.header.page_size:
                        raise PageSizeChanged(older.source, newer.source) from None
                    raise
        return merged_header([each.header for each in opened])


def _commits_before(opened: "Sequence[_Opened]") -> Iterator[int]:
    """The pages of the database before each file; 0 where nothing tells: a file that overlaps the one before it starts
    from a state inside that."""
    yield 0
    for older, newer in pairwise(each.header for each in opened):
        yield older.commit if newer.min_txid == older.max_txid + 1 else 0


class _Opened:
    """An input whose header has been read, and whose pages can be once."""

    def __init__(self, source: Input, ahead_bytes: int) -> None:
        self.source = source
        with _naming(source):
            self._events = read_pages(_checked(source), ahead_bytes)
            header = next(self._events)
            assert isinstance(header, Header)
            if (header.min_txid, header.max_txid) != (source.name.min_txid, source.name.max_txid):
                found = f"{format_txid(header.min_txid)} to {format_txid(header.max_txid)}"
                raise Malformed(f"the object holds TXIDs {found}: it is not what its name says")
        self.header = header

    def prove(self) -> None:
        """Read it to its end for nothing but that."""
        deque(self.pages(0), maxlen=0)

    def pages(self, commit_before: int) -> Iterator[Pages]:
        """The pages; the file is proven when they have ended. `commit_before`: pages of the database before it,
        0 if unknown."""
        grown, header = 0, self.header
        with _naming(self.source):
            for event in self._events:
                if isinstance(event, Pages):
                    grown += len(event.numbers) - bisect_right(event.numbers, commit_before)
                    yield event
            wanted = header.commit - commit_before - (commit_before < lock_page(header.page_size) <= header.commit)
            if commit_before and grown < wanted:
                raise Malformed(
                    f"the database grew by {wanted} pages, but {wanted - grown} of them are not in the file"
                )


def _checked(source: Input) -> Iterator[bytes]:
    """The bytes of an input; a small one in one piece, so that nothing stays open."""
    rest = source.size
    chunks: Iterable[bytes] = source.open()
    if source.size <= CHUNK:
        chunks = _gathered(chunks, source.size)
    for chunk in chunks:
        rest -= len(chunk)
        if rest < 0:
            raise Malformed(f"the object is larger than the {source.size} bytes it should have")
        yield chunk
    if rest > 0:
        raise Truncated(f"the object has {rest} bytes less than the {source.size} it should have")


def _gathered(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    gathered, rest = [], size
    for chunk in chunks:
        gathered.append(chunk)
        rest -= len(chunk)
        if rest < 0:
            break
    yield b"".join(gathered)


@contextmanager
def _naming(*culprits: Input) -> Iterator[None]:
    """Say which input an LtxError of the block comes from."""
    try:
        yield
    except LtxError as error:
        raise SourceDamaged(culprits, error) from error
