"""The first 100 bytes of an LTX file.

In: bytes, or values. Out: a `Header` that keeps every rule of the format (building a bad one raises).
Layout: LTX file format, "header", plus our own use of its reserved bytes: 80..87 database checksum before the
file, 88..95 after it, 96..99 the tag `LSD1`. Litestream ignores these bytes; the file checksum covers them.
"""

import struct
from dataclasses import dataclass

from litestreamd.basics.checksum import FLAG, Buffer
from litestreamd.basics.txid import MAX_TXID, format_txid
from litestreamd.ltx.errors import Malformed, Truncated, Unsupported

HEADER_SIZE = 100
MAGIC = b"LTX1"
NO_CHECKSUM = 0x2
"""The one header flag: the file's own database checksums are zero. Litestream 0.5.17 restores nothing else."""

_FIELDS = struct.Struct(">4sIIIQQqQqqIIQ")
_PROOF = struct.Struct(">QQ4s")
_PROOF_TAG = b"LSD1"
_PAGE_SIZES = frozenset(1 << bit for bit in range(9, 17))
_MAX_U32 = (1 << 32) - 1
_MAX_I64 = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Proof:
    """Rolling database checksums (basics.checksum.rolling) before and after a file is applied."""

    before: int
    after: int

    def __post_init__(self) -> None:
        for value in (self.before, self.after):
            if not FLAG <= value <= MAX_TXID:
                raise Malformed(f"database checksum {value:#x} in the header's proof lacks its highest bit")


@dataclass(frozen=True, slots=True)
class Header:
    """What an LTX file says about itself. Sizes in bytes, `commit` in pages, time in ms since 1970.

    `wal_offset`, `wal_size` and the salts say which part of the WAL the file holds. `proof` is None when the
    writer did not know the database checksums (Litestream never does). `pre_apply` is LTX's own field for the
    checksum before the file: always 0 with flag NO_CHECKSUM. Raises Malformed, or Unsupported for an unknown flag.
    """

    page_size: int
    commit: int
    min_txid: int
    max_txid: int
    timestamp_ms: int
    wal_offset: int = 0
    wal_size: int = 0
    salt1: int = 0
    salt2: int = 0
    node_id: int = 0
    proof: Proof | None = None
    flags: int = NO_CHECKSUM
    pre_apply: int = 0

    def __post_init__(self) -> None:
        if self.flags & ~NO_CHECKSUM:
            raise Unsupported(f"header flags {self.flags:#x} are not known")
        if self.page_size not in _PAGE_SIZES:
            raise Malformed(f"page size {self.page_size} is not a power of two from 512 to 65536")
        if not 1 <= self.commit <= _MAX_U32:
            raise Malformed(f"a database of {self.commit} pages is not possible")
        self._check_txids()
        self._check_wal_fields()
        self._check_pre_apply()

    @property
    def is_snapshot(self) -> bool:
        """True when the file must hold every page: it starts at TXID 1."""
        return self.min_txid == 1

    @property
    def tracks_checksum(self) -> bool:
        """True when the file uses LTX's own database checksum fields (never in files of Litestream)."""
        return not self.flags & NO_CHECKSUM

    def encode(self) -> bytes:
        """The 100 bytes of this header."""
        fields = _FIELDS.pack(
            MAGIC,
            self.flags,
            self.page_size,
            self.commit,
            self.min_txid,
            self.max_txid,
            self.timestamp_ms,
            self.pre_apply,
            self.wal_offset,
            self.wal_size,
            self.salt1,
            self.salt2,
            self.node_id,
        )
        if self.proof is None:
            return fields + bytes(_PROOF.size)
        return fields + _PROOF.pack(self.proof.before, self.proof.after, _PROOF_TAG)

    def _check_txids(self) -> None:
        if not 1 <= self.min_txid <= self.max_txid <= MAX_TXID:
            raise Malformed(f"TXIDs {format_txid(self.min_txid)} to {format_txid(self.max_txid)} are not a range")
        if not -_MAX_I64 - 1 <= self.timestamp_ms <= _MAX_I64 or not 0 <= self.node_id <= MAX_TXID:
            raise Malformed("timestamp or node id does not fit its 64 bits")

    def _check_wal_fields(self) -> None:
        if not 0 <= self.wal_offset <= _MAX_I64 or not 0 <= self.wal_size <= _MAX_I64:
            raise Malformed(f"WAL offset {self.wal_offset} or size {self.wal_size} is negative or too large")
        if not 0 <= self.salt1 <= _MAX_U32 or not 0 <= self.salt2 <= _MAX_U32:
            raise Malformed("a WAL salt does not fit its 32 bits")
        if self.wal_offset == 0 and (self.wal_size or self.salt1 or self.salt2):
            raise Malformed("WAL size or salts are given without a WAL offset")

    def _check_pre_apply(self) -> None:
        if self.is_snapshot or not self.tracks_checksum:
            if self.pre_apply:
                raise Malformed("a checksum before the first page is given where there can be none")
        elif not FLAG <= self.pre_apply <= MAX_TXID:
            raise Malformed(f"checksum before the file ({self.pre_apply:#x}) lacks its highest bit")


def decode_header(data: Buffer) -> Header:
    """Read a header from the first 100 bytes of `data`. Raises Truncated, Malformed or Unsupported."""
    if len(data) < HEADER_SIZE:
        raise Truncated(f"an LTX file of {len(data)} bytes is shorter than its header of {HEADER_SIZE}")
    magic, flags, page_size, commit, min_txid, max_txid, timestamp, pre_apply, *wal, node_id = _FIELDS.unpack_from(data)
    if magic != MAGIC:
        raise Malformed("this is not an LTX file: it does not start with LTX1")
    before, after, tag = _PROOF.unpack_from(data, _FIELDS.size)
    wal_offset, wal_size, salt1, salt2 = wal
    return Header(
        page_size=page_size,
        commit=commit,
        min_txid=min_txid,
        max_txid=max_txid,
        timestamp_ms=timestamp,
        wal_offset=wal_offset,
        wal_size=wal_size,
        salt1=salt1,
        salt2=salt2,
        node_id=node_id,
        # Reserved bytes without our tag mean nothing to us, as they mean nothing to Litestream.
        proof=Proof(before, after) if tag == _PROOF_TAG else None,
        flags=flags,
        pre_apply=pre_apply,
    )
