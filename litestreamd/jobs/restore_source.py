"""One LTX object of a plan, opened for reading frames wherever they are.

In: a replica and a listed object. Out: its header, its page index, and any range of its bytes. Promised: small
objects are fetched once, in one piece; every damage is told as DamagedData with the object's name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from litestreamd.basics.errors import DamagedData
from litestreamd.ltx.errors import LtxError, Truncated
from litestreamd.ltx.header import HEADER_SIZE, Header, decode_header
from litestreamd.ltx.index import TAIL_SIZE, PageIndex, locate_index, parse_index
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import Stored
from litestreamd.replica.port import Replica

_SMALL = 256 << 10
"""Up to this size an object is fetched whole: one request instead of four, and little to hold."""


class ObjectReader:
    """Reads ranges of one object."""

    def __init__(self, replica: Replica, stored: Stored) -> None:
        self._replica = replica
        self.name: ObjectName = stored.name
        self.size = stored.size
        self._body = memoryview(replica.read_at(stored.name, 0, stored.size)) if stored.size <= _SMALL else None

    def read(self, offset: int, length: int) -> memoryview:
        """Exactly this range. Raises Truncated when the object ends before, and the errors of the port."""
        if self._body is not None:
            data = self._body[offset : offset + length]
        else:
            data = memoryview(self._replica.read_at(self.name, offset, length))
        if len(data) != length:
            raise Truncated("the object is shorter than its listing says")
        return data

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
            raise DamagedData(f"{self._replica.description}: {self.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class OpenedObject:
    """An object with what it says about itself. None of it is proven yet."""

    reader: ObjectReader
    header: Header
    index: PageIndex


def open_object(replica: Replica, stored: Stored) -> OpenedObject:
    """Read header and page index. Raises DamagedData, and the errors of the port."""
    reader = ObjectReader(replica, stored)
    with reader.naming_damage():
        if reader.size < HEADER_SIZE:
            raise Truncated(f"{reader.size} bytes are no LTX file")
        header = decode_header(reader.read(0, HEADER_SIZE))
        tail = reader.read(reader.size - TAIL_SIZE, TAIL_SIZE)
        offset, length = locate_index(tail, reader.size)
        return OpenedObject(reader, header, parse_index(reader.read(offset, length), offset, header))
