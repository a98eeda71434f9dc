"""Which pages a WAL's bytes commit, for a WAL that has no living index: one in a backup, or of a dead machine.

In: the WAL's bytes in portions of any size. Out: the committed frames as a page table, and why reading stopped.
Promise: the answer depends on the bytes only, not on the portions; memory holds one portion, one frame and the table.
Source: SQLite file format, "Reader Algorithm": a frame counts when its salts are the header's,
its checksum follows on from the frame before, and a commit frame follows or is it. For a *living* database the -shm
header is the authority and not this: a writer that died may leave a commit frame that no reader ever sees.
"""

from dataclasses import dataclass
from enum import Enum

from litestreamd.basics.checksum import Buffer
from litestreamd.wal.checksum import Sums, chain
from litestreamd.wal.frames import frame_offset, frame_size, parse_frames
from litestreamd.wal.header import HEADER_SIZE, NoHeader, WalHeader, parse_header


class Stop(Enum):
    """Why no frame after the last valid one counts."""

    END = "the bytes end with a whole frame"
    TORN = "the last frame is incomplete"
    OTHER_GENERATION = "the next frame has other salts: it is older than this header"
    BAD_CHECKSUM = "the next frame's checksum is wrong"
    PAGE_ZERO = "the next frame names page 0"
    NO_HEADER = "there is no valid WAL header"


@dataclass(frozen=True, slots=True)
class Committed:
    """What a WAL commits. With nothing committed the numbers are 0 and the table is empty."""

    header: WalHeader | NoHeader
    frames: int
    """Number of the last commit frame."""
    end_offset: int
    """Where that frame ends in the file."""
    commit: int
    """Database size in pages after it."""
    pages: dict[int, int]
    """Page number -> number of the frame with its newest image. Pages above `commit` are left out."""
    stop: Stop


class Scanner:
    """A push reader: `feed` it the file from its start, ask for the `result` at any moment."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._header: WalHeader | NoHeader = NoHeader.EMPTY
        self._sums: Sums = (0, 0)
        self._valid = 0
        self._frames = 0
        self._commit = 0
        self._pages: dict[int, int] = {}
        self._open: dict[int, int] = {}
        self._stop: Stop | None = None

    @property
    def done(self) -> bool:
        """Whether further bytes cannot change the result."""
        return self._stop is not None

    def feed(self, data: Buffer) -> None:
        """Take the next bytes of the file; they are ignored once `done`."""
        if self.done:
            return
        self._pending += data
        if isinstance(self._header, NoHeader):
            self._read_header()
        if isinstance(self._header, WalHeader):
            self._read_frames(self._header)

    def result(self) -> Committed:
        """What the bytes so far commit, as if the file ended here."""
        pages = {pgno: frame for pgno, frame in self._pages.items() if pgno <= self._commit}
        end = 0
        if self._frames and isinstance(self._header, WalHeader):
            end = frame_offset(self._frames + 1, self._header.page_size)
        return Committed(self._header, self._frames, end, self._commit, pages, self._stop or self._stop_at_end())

    def _stop_at_end(self) -> Stop:
        if isinstance(self._header, NoHeader):
            return Stop.NO_HEADER
        return Stop.TORN if self._pending else Stop.END

    def _read_header(self) -> None:
        self._header = parse_header(self._pending)
        if isinstance(self._header, WalHeader):
            self._sums = self._header.checksum
            del self._pending[:HEADER_SIZE]
        elif len(self._pending) >= HEADER_SIZE:
            self._stop = Stop.NO_HEADER

    def _read_frames(self, header: WalHeader) -> None:
        size = frame_size(header.page_size)
        count = len(self._pending) // size
        if count == 0:
            return
        frames = bytes(memoryview(self._pending)[: count * size])
        del self._pending[: count * size]
        found = chain(frames, header.page_size, header.big_endian, header.salts, self._sums)
        self._sums = found.sums
        self._collect(frames[: found.valid * size], header.page_size)
        if found.valid < count:
            self._stop = why_not(frames[found.valid * size :][:size], header)

    def _collect(self, frames: bytes, page_size: int) -> None:
        for pgno, commit, _, _ in parse_frames(frames, page_size):
            self._valid += 1
            self._open[pgno] = self._valid
            if commit:
                self._pages.update(self._open)
                self._open.clear()
                self._frames, self._commit = self._valid, commit


def why_not(frame: bytes, header: WalHeader) -> Stop:
    """In: the first frame that does not verify. Out: the first reason in SQLite's order."""
    pgno, _, salts, _ = next(parse_frames(frame, header.page_size))
    if salts != header.salts:
        return Stop.OTHER_GENERATION
    return Stop.BAD_CHECKSUM if pgno else Stop.PAGE_ZERO
