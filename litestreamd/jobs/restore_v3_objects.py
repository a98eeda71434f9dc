"""One object of Litestream 0.3, fetched and unpacked.

In: a replica and a listed object. Out: its plain bytes, pushed on in pieces. Promised: memory holds a chunk, a block of
LZ4 and a piece, whatever the size of the object; only small ones are held whole, fetched ahead of their turn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from litestreamd.jobs.age import MAGIC, Sink, decrypt
from litestreamd.plan.generations import StoredV3
from litestreamd.replica.port import Replica
from litestreamd.v3.frame import FrameReader

_SMALL = 256 << 10
"""Up to this size an object is fetched before its turn: most segments are a few KiB, and each costs a request."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """An object at hand, or (body None) one to be read when its turn comes."""

    replica: Replica
    stored: StoredV3
    body: bytes | None

    def unpack(self, identities: Sequence[str], sink: Sink) -> None:
        """Push what is packed into `sink`, to the end. Raises DamagedData and NotAvailable without a name, and the
        errors of the port and of the sink."""
        reader = FrameReader()

        def feed(data: bytes) -> None:
            for piece in reader.feed(data):
                sink(piece)

        chunks = self._chunks()
        first = next(chunks, b"")
        if first.startswith(MAGIC):
            decrypt(chain((first,), chunks), identities, feed)
        else:
            for chunk in chain((first,), chunks):
                feed(chunk)
        reader.finish()

    def _chunks(self) -> Iterator[bytes]:
        return self.replica.open_v3(self.stored.name) if self.body is None else iter((self.body,))


def fetch(replica: Replica, stored: StoredV3) -> Fetched:
    """Fetch a small object; a large one waits."""
    small = stored.size <= _SMALL
    return Fetched(replica, stored, b"".join(replica.open_v3(stored.name)) if small else None)
