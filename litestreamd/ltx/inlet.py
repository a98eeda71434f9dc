"""Bytes that arrive in any portions, given out in one piece each.

In: chunks. Out: views of at least as many bytes as asked for. A chunk is copied only where a wanted piece straddles
its end, so 1 MiB chunks cost nothing and single bytes cost one copy.
"""

from collections import deque

from litestreamd.basics.checksum import Buffer


class Inlet:
    """A queue of bytes."""

    __slots__ = ("_chunks", "_size")

    def __init__(self) -> None:
        self._chunks: deque[memoryview] = deque()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, data: Buffer) -> None:
        """Take in the next bytes (copied unless they are `bytes`, since views of them live on)."""
        if len(data):
            self._chunks.append(memoryview(bytes(data)))
            self._size += len(data)

    def front(self, at_least: int) -> memoryview:
        """The bytes at the front, without removing them: at least that many (1 or more), and the inlet has them."""
        if len(self._chunks[0]) < at_least:
            self._chunks.appendleft(memoryview(self._join(at_least)))
        return self._chunks[0]

    def skip(self, count: int) -> None:
        """Remove bytes of the front view."""
        if rest := self._chunks.popleft()[count:]:
            self._chunks.appendleft(rest)
        self._size -= count

    def _join(self, count: int) -> bytes:
        parts = []
        while count:
            chunk = self._chunks.popleft()
            part, rest = chunk[:count], chunk[count:]
            if rest:
                self._chunks.appendleft(rest)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
