"""The last 16 bytes of an LTX file: checksum of the database after it, checksum of the file."""

import struct
from dataclasses import dataclass

from litestreamd.basics.checksum import Buffer
from litestreamd.ltx.errors import Truncated

_FIELDS = struct.Struct(">QQ")

TRAILER_SIZE = _FIELDS.size
POST_APPLY_SIZE = 8
"""Bytes of the trailer that the file checksum covers: all but itself."""


@dataclass(frozen=True, slots=True)
class Trailer:
    """`post_apply` is 0 with header flag NO_CHECKSUM; `file_checksum` proves every byte but its own."""

    post_apply: int
    file_checksum: int

    def encode(self) -> bytes:
        """The 16 bytes of this trailer."""
        return _FIELDS.pack(self.post_apply, self.file_checksum)


def decode_trailer(data: Buffer) -> Trailer:
    """Read the 16 bytes of a trailer; whether they are right is the decoder's business. Raises Truncated."""
    if len(memoryview(data)) < _FIELDS.size:
        raise Truncated("the file ends before its trailer does")
    return Trailer(*_FIELDS.unpack(data))
