"""Unsigned LEB128 numbers by the column: 7 bits a byte, low group first, high bit on all bytes but the last.

In: whole columns of a page index. Out: the bytes of each number. A table of 14-bit groups stands in for the loop
over bytes, since an index has three numbers for every page of a file.
"""

from collections.abc import Iterable, Sequence
from functools import cache

_GROUP = 14
_MASK = (1 << _GROUP) - 1


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
    inner, last = _inner(), _last()
    if largest <= _MASK:
        return map(last.__getitem__, values)
    if smallest > _MASK and largest >> _GROUP <= _MASK:
        return [inner[v & _MASK] + last[v >> _GROUP] for v in values]
    if smallest >> _GROUP > _MASK and largest >> 2 * _GROUP <= _MASK:
        return [inner[v & _MASK] + inner[v >> _GROUP & _MASK] + last[v >> 2 * _GROUP] for v in values]
    return map(encode_varint, values)
