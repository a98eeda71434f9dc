"""What a spool entry says beside its LTX file: the head after it, and every page checksum it replaces.

In and out: a Ledger and its bytes. With the previous checksums an entry proves its own step (rolling before xor
all old xor all new = rolling after), and the page hashes can be brought forward again after a crash.
Layout, big-endian: tag 8, position (salts 8, frame 4, stored checksum 8, iChange 4, page size 4, commit 4), TXID 8,
timestamp 8, rolling after 8, LTX file checksum 8, continuous 1, count 4; then `count` page numbers (4 each), old
checksums and new checksums (8 each; 0 = no page).
"""

from __future__ import annotations

import struct
import sys
from array import array
from dataclasses import dataclass
from functools import reduce
from operator import xor

from litestreamd.basics.checksum import FLAG
from litestreamd.basics.errors import DamagedData
from litestreamd.plan.position import Position

_TAG = b"LSDL1\0\0\0"
_FIXED = struct.Struct(">8s8sI8sIIIQqQQ?I")
_ENTRY = 4 + 8 + 8


@dataclass(frozen=True, slots=True)
class Head:
    """The newest captured state: its TXID, the header timestamp (ms) and checksum of its level-0 file, the rolling
    database checksum, and where the capture goes on. `continuous` is False when it must not go on in the WAL."""

    txid: int
    timestamp_ms: int
    position: Position
    checksum: int
    file_checksum: int
    continuous: bool


@dataclass(frozen=True, slots=True)
class Step:
    """Checksums of the pages that one TXID changes: ascending page numbers, before, after (0 = no page)."""

    pgnos: array[int]
    old: array[int]
    new: array[int]

    def apply(self, checksum: int) -> int:
        """The rolling checksum after the step, from the one before it."""
        return FLAG | reduce(xor, self.new, reduce(xor, self.old, checksum))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The head after one TXID, and the step to it."""

    head: Head
    step: Step

    def encode(self) -> bytes:
        """The bytes that go behind the LTX file."""
        head, at = self.head, self.head.position
        fixed = _FIXED.pack(
            _TAG, at.salts, at.frame, at.checksum, at.change, at.page_size, at.commit, head.txid,
            head.timestamp_ms, head.checksum, head.file_checksum, head.continuous, len(self.step.pgnos),
        )  # fmt: skip
        return fixed + b"".join(_bytes(part) for part in (self.step.pgnos, self.step.old, self.step.new))


def decode_ledger(data: bytes) -> Ledger:
    """Read a ledger. Raises DamagedData."""
    if len(data) < _FIXED.size or not data.startswith(_TAG):
        raise DamagedData("This is not the ledger of a spool entry.")
    _, salts, frame, stored, change, page_size, commit, txid, time, checksum, file_checksum, continuous, count = (
        _FIXED.unpack_from(data)
    )
    if len(data) != _FIXED.size + count * _ENTRY:
        raise DamagedData(f"The ledger of a spool entry has {len(data)} bytes for {count} pages.")
    at, parts = _FIXED.size, []
    for code, size in (("I", 4), ("Q", 8), ("Q", 8)):
        parts.append(_array(code, data[at : at + count * size]))
        at += count * size
    position = Position(salts, frame, stored, change, page_size, commit)
    return Ledger(Head(txid, time, position, checksum, file_checksum, continuous), Step(*parts))


def _bytes(numbers: array[int]) -> bytes:
    if sys.byteorder == "little":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _array(code: str, data: bytes) -> array[int]:
    numbers = array(code, data)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
