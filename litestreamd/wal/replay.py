"""A WAL read from front to back for what its frames put where, for a backup that holds it in parts.

In: the WAL's bytes in portions of any size, its parts one behind the other. Out: page images in the order of their
frames, verified. Promise: the answer depends on the bytes only, not on the portions; memory holds one portion and one
frame. Unlike `commits.Scanner`, which takes a WAL as SQLite finds it on a disk (the first odd frame is its end), this
holds the bytes to be all frames of one WAL: whoever copied them copied whole commits, so anything else is damage.
"""

from collections.abc import Iterator

from litestreamd.basics.checksum import Buffer
from litestreamd.basics.errors import DamagedData
from litestreamd.wal.checksum import chain
from litestreamd.wal.commits import why_not
from litestreamd.wal.frames import FRAME_HEADER_SIZE, frame_size, parse_frames
from litestreamd.wal.header import HEADER_SIZE, NoHeader, WalHeader, parse_header


class Replay:
    """A push reader. `offset`: bytes of the WAL that were read and verified. `commit`: database size in pages after
    the last commit frame, 0 before the first."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._header: WalHeader | None = None
        self._sums = (0, 0)
        self._open = False
        self.offset = 0
        self.commit = 0

    @property
    def page_size(self) -> int:
        """Bytes of a page, 0 until the WAL header was read."""
        return self._header.page_size if self._header else 0

    @property
    def complete(self) -> bool:
        """Whether everything that was fed is whole frames up to a commit (or nothing but the header)."""
        return self._header is not None and not self._pending and not self._open

    def feed(self, data: Buffer) -> Iterator[tuple[int, bytes]]:
        """Take the next bytes; out: (page number, image) of the frames that are whole now.

        Raises DamagedData, saying where, at the first frame that does not follow on from the one before.
        """
        self._pending += data
        if self._header is None and len(self._pending) >= HEADER_SIZE:
            self._read_header()
        return self._frames(self._header) if self._header else iter(())

    def _read_header(self) -> None:
        header = parse_header(self._pending)
        if isinstance(header, NoHeader):
            raise DamagedData(f"it does not begin with the header of a WAL: {header.value}")
        self._header, self._sums, self.offset = header, header.checksum, HEADER_SIZE
        del self._pending[:HEADER_SIZE]

    def _frames(self, header: WalHeader) -> Iterator[tuple[int, bytes]]:
        size = frame_size(header.page_size)
        whole = len(self._pending) // size * size
        frames = bytes(memoryview(self._pending)[:whole])
        del self._pending[:whole]
        found = chain(frames, header.page_size, header.big_endian, header.salts, self._sums)
        self._sums = found.sums
        valid = found.valid * size
        start = 0
        for pgno, commit, _, _ in parse_frames(frames[:valid], header.page_size):
            yield pgno, frames[start + FRAME_HEADER_SIZE : start + size]
            start += size
            self._open = not commit
            self.commit = commit or self.commit
        self.offset += valid
        if valid < whole:
            reason = why_not(frames[valid : valid + size], header).value
            raise DamagedData(f"at byte {self.offset} of the WAL: {reason}")
