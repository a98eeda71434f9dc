"""The LZ4 frame that every object of Litestream 0.3 is.

In: the object's bytes, in portions. Out: the bytes that were packed, in pieces of bounded size. Promised: memory holds
one block of the format (4 MiB at most) and one piece; what `finish` lets pass was complete, and its content checksum
right (0.3 always writes one). Structure: LZ4 frame format 1.6.1.
"""

from collections.abc import Iterator

from lz4.frame import LZ4FrameDecompressor

from litestreamd.basics.checksum import Buffer
from litestreamd.basics.errors import DamagedData

PIECE = 2 << 20
"""Most bytes given out at once."""

_PORTION = 64 << 10
"""Taken in at once: what is left of a portion is copied for every piece that comes out of it."""


class FrameReader:
    """A push reader: `feed` it the object from its start, then `finish`. Raises DamagedData without a name."""

    def __init__(self) -> None:
        self._unpacker = LZ4FrameDecompressor()
        self._began = False

    def feed(self, data: Buffer) -> Iterator[bytes]:
        """Take the next bytes; what comes out has to be taken before more is fed."""
        view = memoryview(data)
        for start in range(0, len(view), _PORTION):
            yield from self._unpacked(view[start : start + _PORTION])

    def finish(self) -> None:
        """The object has ended here."""
        if not self._began:
            raise DamagedData("it is empty")
        if not self._unpacker.eof:
            raise DamagedData("it is cut short")

    def _unpacked(self, portion: memoryview) -> Iterator[bytes]:
        if self._unpacker.eof:
            raise DamagedData("there are bytes after its end")
        self._began = True
        data: Buffer = portion
        while True:
            try:
                piece: bytes = self._unpacker.decompress(data, max_length=PIECE)
            except RuntimeError:
                raise DamagedData("it does not decompress: it was changed after it was written") from None
            if piece:
                yield piece
            if self._unpacker.eof and self._unpacker.unused_data:
                raise DamagedData("there are bytes after its end")
            if self._unpacker.eof or self._unpacker.needs_input:
                return
            data = b""
