"""The checksum of SQLite's WAL, and the chain of them that runs through its frames.

In: bytes and the pair of 32-bit sums to go on from. Out: the pair after them; for frames also how many verify.
Promise: the answer is the same whether numpy does the work or Python; numpy only makes long input 40 times faster.
Source: SQLite file format, "Checksum Algorithm": over 32-bit words taken in pairs (a, b),
s1 += a + s2 and s2 += b + s1, modulo 2^32. The magic of the WAL header tells the byte order of the words;
the stored sums are big-endian always.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from struct import Struct
from types import ModuleType

from litestreamd.basics.checksum import Buffer
from litestreamd.wal.frames import frame_size, parse_frames

Sums = tuple[int, int]
"""The running state of the checksum: (s1, s2), each below 2^32."""

START: Sums = (0, 0)
"""What the checksum of a WAL header (and of the -shm header) starts from."""

WORTH_NUMPY = 1 << 20
"""Bytes from which loading numpy (once, 0.1 s and 25 MB) pays."""

_MASK = 0xFFFFFFFF
_STORED = Struct(">II")
_PAIRS = {True: Struct(">II"), False: Struct("<II")}


@dataclass(frozen=True, slots=True)
class Chain:
    """How far a run of frames verifies: the number of frames, and the sums after the last of them."""

    valid: int
    sums: Sums


def stored(sums: Sums) -> bytes:
    """The 8 bytes that a WAL header or frame header holds for these sums."""
    return _STORED.pack(*sums)


def checksum(data: Buffer, big_endian: bool, seed: Sums = START) -> Sums:
    """Sums after `data`, a multiple of 8 bytes, going on from `seed`. Other lengths are a ValueError."""
    if len(data) % 8:
        raise ValueError(f"the WAL checksum covers 8 bytes at a time, not {len(data)} bytes")
    linear = _linear() if len(data) >= WORTH_NUMPY else None
    if linear is not None:
        result: Sums = linear.checksum(data, big_endian, seed)
        return result
    return checksum_in_python(data, big_endian, seed)


def chain(frames: Buffer, page_size: int, big_endian: bool, salts: bytes, seed: Sums) -> Chain:
    """Verify whole frames that follow on from `seed`: the sums of the header, or of the frame before the first.

    A frame verifies when its salts are `salts`, its page number is not 0 (SQLite takes that for the end too) and
    its stored sums are right; all before the first that does not are valid. Part of a frame is a ValueError.
    """
    if len(frames) % frame_size(page_size):
        raise ValueError(f"{len(frames)} bytes are not whole frames of {frame_size(page_size)} bytes")
    linear = _linear() if len(frames) >= WORTH_NUMPY else None
    if linear is None:
        return chain_in_python(frames, page_size, big_endian, salts, seed)
    valid = linear.count_valid(frames, page_size, big_endian, salts, seed)
    if valid == 0:
        return Chain(0, seed)
    return Chain(valid, _STORED.unpack_from(frames, (valid - 1) * frame_size(page_size) + 16))


def checksum_in_python(data: Buffer, big_endian: bool, seed: Sums) -> Sums:
    """`checksum` without numpy (about 70 MB/s): the stand-in, and the law the fast one is held to."""
    s1, s2 = seed
    for a, b in _PAIRS[big_endian].iter_unpack(data):
        s1 = (s1 + a + s2) & _MASK
        s2 = (s2 + b + s1) & _MASK
    return s1, s2


def chain_in_python(frames: Buffer, page_size: int, big_endian: bool, salts: bytes, seed: Sums) -> Chain:
    """`chain` without numpy."""
    view, step, sums, valid = memoryview(frames), frame_size(page_size), seed, 0
    for pgno, _, frame_salts, frame_sums in parse_frames(frames, page_size):
        if frame_salts != salts or pgno == 0:
            break
        start = valid * step
        after = checksum_in_python(view[start : start + 8], big_endian, sums)
        after = checksum_in_python(view[start + 24 : start + step], big_endian, after)
        if stored(after) != frame_sums:
            break
        sums, valid = after, valid + 1
    return Chain(valid, sums)


@cache
def _linear() -> ModuleType | None:
    """The numpy form of this module's work, or None on a machine without numpy."""
    try:
        return import_module("litestreamd.wal.linear")
    except ImportError:
        return None
