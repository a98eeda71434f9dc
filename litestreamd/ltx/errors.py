"""What can be wrong with LTX bytes: a closed set, so that a caller can tell "cut short" from "damaged".

Decoders of this room raise these on bad bytes and nothing else.
"""

from litestreamd.basics.errors import DamagedData


class LtxError(DamagedData):
    """The bytes are not a whole, sound LTX file. The text says what and where; the caller adds which file."""


class Truncated(LtxError):
    """The bytes end before the file does."""


class ChecksumMismatch(LtxError):
    """The bytes are well formed, but are not those that were written."""


class Malformed(LtxError):
    """The bytes (or the pages offered to an encoder) break a rule of the format."""


class Unsupported(LtxError):
    """A flag that no known version of the format defines: newer software wrote this, or it is damaged."""
