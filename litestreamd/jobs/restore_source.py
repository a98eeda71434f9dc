"""One LTX object of a plan, opened for reading frames wherever they are.

In: a replica and a listed object. Out: its header, its page index window by window, and any range of its bytes.
Promised: small objects are fetched once, in one piece, and no more than a window of an index is held of large ones;
every damage is told as DamagedData with the object's name.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from litestreamd.basics.errors import DamagedData
from litestreamd.ltx.decoder import read_pages
from litestreamd.ltx.errors import LtxError, Truncated
from litestreamd.ltx.header import HEADER_SIZE, Header, decode_header
from litestreamd.ltx.index import TAIL_SIZE, PageIndex, index_windows, locate_index
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import Stored
from litestreamd.replica.port import Replica

SMALL = 256 << 10
"""Up to this size an object is fetched whole: one request instead of four, and little to hold."""

_INDEX_PIECE = 512 << 10
"""Bytes of a page index that are read at once: about 50,000 pages."""


class DamagedObject(DamagedData):
    """An object whose bytes do not prove what they claim to be. `name`: which one."""

    def __init__(self, text: str, name: ObjectName) -> None:
        super().__init__(text)
        self.name = name


class ObjectReader:
    """Reads ranges of one object."""

    def __init__(self, replica: Replica, stored: Stored) -> None:
        self._replica = replica
        self.name: ObjectName = stored.name
        self.size = stored.size
        self._body = memoryview(replica.read_at(stored.name, 0, stored.size)) if stored.size <= SMALL else None

    def read(self, offset: int, length: int) -> memoryview:
        """Exactly this range. Raises Truncated when the object ends before, and the errors of the port."""
        if self._body is not None:
            data = self._body[offset : offset + length]
        else:
            data = memoryview(self._replica.read_at(self.name, offset, length))
        if len(data) != length:
            raise Truncated("the object is shorter than its listing says")
        return data

    @property
    def held(self) -> bool:
        """Whether it was fetched as a whole already."""
        return self._body is not None

    def prove(self) -> Header:
        """Read it from end to end. Raises DamagedObject when that does not prove it, and the errors of the port."""
        with self.naming_damage():
            events = read_pages(self.chunks())
            header = next(events)
            deque(events, maxlen=0)
            # The first event of a file is its header, or an error.
            assert isinstance(header, Header)
            return header

    def chunks(self) -> Iterator[memoryview | bytes]:
        """The whole object from front to back."""
        if self._body is not None:
            return iter((self._body,))
        return self._replica.open(self.name)

    @contextmanager
    def naming_damage(self) -> Iterator[None]:
        """Give an LtxError of the block the place and name of this object."""
        try:
            yield
        except LtxError as error:
            raise DamagedObject(f"{self._replica.description}: {self.name}: {error}", self.name) from error


@dataclass(frozen=True, slots=True)
class OpenedObject:
    """An object with what it says about itself. None of it is proven yet.

    index_offset, index_size: where its page index lies, in bytes; `index_start`: the first piece of it.
    """

    reader: ObjectReader
    header: Header
    index_offset: int
    index_size: int
    index_start: memoryview

    @property
    def overhead(self) -> int:
        """Bytes that are read to know where the pages are."""
        return HEADER_SIZE + self.index_size + TAIL_SIZE

    def index(self) -> Iterator[PageIndex]:
        """The page index, in windows; once. Raises DamagedData, and the errors of the port."""
        with self.reader.naming_damage():
            yield from index_windows(self._index_bytes(), self.index_offset, self.header)

    def _index_bytes(self) -> Iterator[memoryview]:
        yield self.index_start
        for done in range(len(self.index_start), self.index_size, _INDEX_PIECE):
            yield self.reader.read(self.index_offset + done, min(_INDEX_PIECE, self.index_size - done))


def open_object(replica: Replica, stored: Stored) -> OpenedObject:
    """Read header and the beginning of the page index. Raises DamagedData, and the errors of the port."""
    reader = ObjectReader(replica, stored)
    with reader.naming_damage():
        if reader.size < HEADER_SIZE:
            raise Truncated(f"{reader.size} bytes are no LTX file")
        header = decode_header(reader.read(0, HEADER_SIZE))
        tail = reader.read(reader.size - TAIL_SIZE, TAIL_SIZE)
        offset, length = locate_index(tail, reader.size)
        return OpenedObject(reader, header, offset, length, reader.read(offset, min(length, _INDEX_PIECE)))
