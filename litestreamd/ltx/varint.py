"""Unsigned LEB128 numbers by the column: 7 bits a byte, low group first, high bit on all bytes but the last.

In: whole columns of a page index. Out: the bytes of each number, and back. Tables and column-wise work stand in for
loops over bytes, since an index has three numbers for every page of a file.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial

from litestreamd.basics.checksum import Buffer

_GROUP = 14
_MASK = (1 << _GROUP) - 1
_NUMBER = re.compile(rb"[\x80-\xff]*[\x00-\x7f]")
_little_endian: Callable[[bytes], int] = partial(int.from_bytes, byteorder="little")
_G0, _G1, _G2, _G3, _G4 = (127 << 7 * place for place in range(5))


@cache
def _inner() -> tuple[bytes, ...]:
    """The two bytes of each 14-bit group that more groups follow."""
    return tuple(bytes((value & 127 | 128, value >> 7 | 128)) for value in range(1 << _GROUP))


@cache
def _last() -> tuple[bytes, ...]:
    """The one or two bytes of each 14-bit group that ends a number."""
    return tuple(bytes((v,)) if v < 128 else bytes((v & 127 | 128, v >> 7)) for v in range(1 << _GROUP))


def encode_varint(value: int) -> bytes:
    """The shortest form of one number >= 0."""
    head = b""
    while value > _MASK:
        head += _inner()[value & _MASK]
        value >>= _GROUP
    return head + _last()[value]


def encode_column(values: Sequence[int], smallest: int, largest: int) -> Iterable[bytes]:
    """The shortest form of each number; `smallest` and `largest` bound the column."""
    if largest <= _MASK:
        return map(_last().__getitem__, values)
    groups = range(smallest >> _GROUP, (largest >> _GROUP) + 1)
    if len(groups) > len(values):
        return map(encode_varint, values)
    # Neighbors share all but their lowest group, so the rest is encoded once for all of them.
    inner, upper = _inner(), {group: encode_varint(group) for group in groups}
    if groups[0]:
        return [inner[value & _MASK] + upper[value >> _GROUP] for value in values]
    last = _last()
    return [inner[value & _MASK] + upper[value >> _GROUP] if value > _MASK else last[value] for value in values]


def split_varints(data: Buffer) -> list[bytes]:
    """The bytes of each whole number at the front of `data`; an unfinished one at the end is left out."""
    return _NUMBER.findall(data)


def decode_column(numbers: Sequence[bytes]) -> list[int]:
    """The value of each number of at most 5 bytes, as `split_varints` found them."""
    longest = max(map(len, numbers), default=0)
    if longest <= 2:
        short = _short()
        with suppress(KeyError):
            return [short[number] for number in numbers]
    raw = map(_little_endian, numbers)
    # The top bit of each byte is left out by shifting what lies above it down by one more place.
    if longest <= 3:
        return [n & _G0 | n >> 1 & _G1 | n >> 2 & _G2 for n in raw]
    return [n & _G0 | n >> 1 & _G1 | n >> 2 & _G2 | n >> 3 & _G3 | n >> 4 & _G4 for n in raw]


@cache
def _short() -> dict[bytes, int]:
    return {form: value for value, form in enumerate(_last())}
