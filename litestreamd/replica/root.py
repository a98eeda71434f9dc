"""A replica's root at one moment: its objects, its newest object, its writers.

In: a Replica. Out: a Root, from complete listings and a few bytes of the newest object.
"""

from dataclasses import dataclass

from litestreamd.basics.errors import DamagedData
from litestreamd.ltx.header import HEADER_SIZE, Header, decode_header
from litestreamd.ltx.trailer import TRAILER_SIZE, decode_trailer
from litestreamd.replica.port import Replica, StoredObject
from litestreamd.replica.writers import Writers, read_writers


@dataclass(frozen=True, slots=True)
class Newest:
    """The object that reaches the highest TXID (of several, the one of the lowest level), its header, and the file
    checksum of its trailer."""

    stored: StoredObject
    header: Header
    file_checksum: int


@dataclass(frozen=True, slots=True)
class Root:
    """What a root held when it was looked at. `newest` is None for a root without LTX objects."""

    objects: tuple[StoredObject, ...]
    newest: Newest | None
    writers: Writers


class UnreadableNewest(DamagedData):
    """`stored`: the newest object, whose ends make no sense."""

    def __init__(self, text: str, stored: StoredObject) -> None:
        super().__init__(text)
        self.stored = stored


def read_root(replica: Replica) -> Root:
    """List a root and read its newest object's ends. Errors of the port; UnreadableNewest."""
    objects = tuple(replica.list())
    newest = max(objects, key=lambda stored: (stored.name.max_txid, -stored.name.level), default=None)
    try:
        return Root(objects, read_newest(replica, newest) if newest else None, read_writers(replica))
    except DamagedData as error:
        assert newest is not None
        raise UnreadableNewest(str(error), newest) from error


def read_newest(replica: Replica, stored: StoredObject) -> Newest:
    """The ends of one object."""
    try:
        header = decode_header(replica.read_at(stored.name, 0, HEADER_SIZE))
        trailer = decode_trailer(replica.read_at(stored.name, max(0, stored.size - TRAILER_SIZE), TRAILER_SIZE))
    except DamagedData as error:
        raise DamagedData(f"{replica.description}: {stored.name} cannot be read: {error}") from error
    return Newest(stored, header, trailer.file_checksum)
