"""The WAL checksum at the speed of memory, for long input. Loaded by `checksum` only when it pays.

The checksum is linear over Z/2^32. With v = (s1, s2), one pair of words (a, b) does v' = A v + B (a, b) where
A = (1 1; 1 2) and B = (1 0; 1 1). So n pairs do v' = A^n v + D, and D is a dot product of the words with weights that
depend on n only. numpy takes the D of all frames at once, and each frame is compared against the *stored* sums of the
frame before it: up to the first mismatch these are the true ones, so the verdict is that of the loop, without a loop.
"""

from functools import cache

import numpy as np

from litestreamd.basics.checksum import Buffer

Sums = tuple[int, int]
Matrix = tuple[int, int, int, int]

_MASK = 0xFFFFFFFF
_HEADER_WORDS = 6
_BLOCK_PAIRS = 1024


@cache
def _weights(pairs: int) -> tuple[np.ndarray, Matrix]:
    """In: a number of pairs. Out: the weights of their words in s1 and in s2 (two rows), and A^pairs by rows."""
    rows = np.zeros((2, 2 * pairs), dtype=np.uint32)
    p, q, r, s = 1, 0, 0, 1  # A^0, the power that the last pair meets
    for pair in range(pairs - 1, -1, -1):
        rows[0, 2 * pair : 2 * pair + 2] = (p + q) & _MASK, q
        rows[1, 2 * pair : 2 * pair + 2] = (r + s) & _MASK, s
        p, q, r, s = (p + q) & _MASK, (p + 2 * q) & _MASK, (r + s) & _MASK, (r + 2 * s) & _MASK
    return rows, (p, q, r, s)


@cache
def _frame_weights(page_size: int) -> tuple[np.ndarray, Matrix]:
    """Weights for a whole frame: the salts and stored sums in its header are not covered, so they weigh nothing."""
    covered, power = _weights(1 + page_size // 8)
    rows = np.zeros((2, _HEADER_WORDS + page_size // 4), dtype=np.uint32)
    rows[:, :2] = covered[:, :2]
    rows[:, _HEADER_WORDS:] = covered[:, 2:]
    return rows, power


def _words(data: Buffer, big_endian: bool, width: int) -> np.ndarray:
    return np.frombuffer(data, dtype=">u4" if big_endian else "<u4").reshape(-1, width)


def checksum(data: Buffer, big_endian: bool, seed: Sums) -> Sums:
    """As `litestreamd.wal.checksum.checksum`; the data is a multiple of 8 bytes."""
    size = 8 * _BLOCK_PAIRS
    whole = len(data) // size * size
    s1, s2 = seed
    for part, pairs in ((memoryview(data)[:whole], _BLOCK_PAIRS), (memoryview(data)[whole:], (len(data) - whole) // 8)):
        if len(part) == 0:
            continue
        rows, (p, q, r, s) = _weights(pairs)
        for d1, d2 in np.einsum("ij,kj->ik", _words(part, big_endian, 2 * pairs), rows).tolist():
            s1, s2 = (p * s1 + q * s2 + d1) & _MASK, (r * s1 + s * s2 + d2) & _MASK
    return s1, s2


def count_valid(frames: Buffer, page_size: int, big_endian: bool, salts: bytes, seed: Sums) -> int:
    """How many of these whole frames verify, as `litestreamd.wal.checksum.chain` defines it."""
    rows, (p, q, r, s) = _frame_weights(page_size)
    words = _words(frames, big_endian, rows.shape[1])
    headers = _words(frames, True, rows.shape[1])[:, :_HEADER_WORDS].astype(np.uint32)
    before = np.empty((len(words), 2), dtype=np.uint32)
    before[:1] = seed
    before[1:] = headers[:-1, 4:6]
    expected = np.einsum("ij,kj->ik", words, rows)
    expected[:, 0] += np.uint32(p) * before[:, 0] + np.uint32(q) * before[:, 1]
    expected[:, 1] += np.uint32(r) * before[:, 0] + np.uint32(s) * before[:, 1]
    good = (
        (expected == headers[:, 4:6]).all(axis=1)
        & (headers[:, 2:4] == np.frombuffer(salts, dtype=">u4")).all(axis=1)
        & (headers[:, 0] != 0)
    )
    return len(good) if good.all() else int(good.argmin())
