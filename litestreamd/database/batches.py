"""Committed WAL frames grouped into what one LTX file will hold.

In: a descriptor of the -wal, and a range of frames that a stable WAL-index header vouches for, read under a
guard (such frames are immutable). Out: batches that end at a commit, each with the newest frame of every page.
Promise: memory grows with the distinct pages of one batch, never with the pages' bytes.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from litestreamd.basics.checksum import lock_page
from litestreamd.plan.position import Frames
from litestreamd.wal.frames import FRAME_HEADER_SIZE, frame_offset, frame_size, parse_frames

PORTION = 1 << 20


@dataclass(slots=True)
class Batch:
    """Frames first..last; the last one commits.

    `newest` maps page number to its newest frame; `commit` is the database size in pages after the batch;
    `shrinks` are (frame, size) of commits that left the database smaller than before; `low` is the smallest size
    seen, the one before the batch included; `checksum` the 8 stored bytes of the last frame; `sound` is False when
    a frame did not carry the generation's salts (SQLite before 3.50.4 could write such a chain).
    """

    first: int
    low: int
    last: int = 0
    commits: int = 0
    commit: int = 0
    checksum: bytes = b""
    sound: bool = True
    newest: dict[int, int] = field(default_factory=dict)
    shrinks: list[tuple[int, int]] = field(default_factory=list)

    def pages(self, page_size: int) -> tuple[array[int], array[int]]:
        """Page numbers that exist after the batch, ascending, the lock page left out; and the frame of each."""
        lock = lock_page(page_size)
        pgnos = array("I", sorted(pgno for pgno in self.newest if pgno <= self.commit and pgno != lock))
        return pgnos, array("I", map(self.newest.__getitem__, pgnos))

    def doubtful(self, page_size: int) -> list[int]:
        """Pages of the final size whose content the batch's frames alone do not decide.

        A page beyond `low` came (back) into the database within the batch. SQLite leaves out frames of pages that a
        transaction added and freed again, and a frame older than a shrink may have been cut off with the file.
        """
        lock = lock_page(page_size)
        return [
            pgno
            for pgno in range(self.low + 1, self.commit + 1)
            if pgno != lock and not self._decides(pgno, self.newest.get(pgno))
        ]

    def _decides(self, pgno: int, frame: int | None) -> bool:
        return frame is not None and all(at < frame or size >= pgno for at, size in self.shrinks)


def read_batches(
    wal_fd: int, page_size: int, salts: bytes, frames: Frames, commit: int, limit_bytes: int
) -> Iterator[Batch]:
    """Batches in order, each ending at the first commit at or past `limit_bytes` of WAL (0: one batch).

    `commit` is the database size before the first frame. If the last frame does not commit, the last batch is
    left out: the caller sees that its `last` is not the range's.
    """
    step = frame_size(page_size)
    batch = Batch(frames.first, commit)
    size = commit
    number = frames.first - 1
    newest = batch.newest
    for portion in _portions(wal_fd, page_size, frames):
        for pgno, commit_size, frame_salts, checksum in parse_frames(portion, page_size):
            number += 1
            newest[pgno] = number
            if frame_salts != salts:
                batch.sound = False
            if not commit_size:
                continue
            if commit_size < size:
                batch.shrinks.append((number, commit_size))
                batch.low = min(batch.low, commit_size)
            size = commit_size
            batch.last, batch.commit, batch.checksum = number, commit_size, checksum
            batch.commits += 1
            if limit_bytes and (number - batch.first + 1) * step >= limit_bytes:
                yield batch
                batch = Batch(number + 1, size)
                newest = batch.newest
    if batch.last == number >= batch.first:
        yield batch


def read_page(wal_fd: int, page_size: int, frame: int) -> bytes:
    """The page that a frame holds."""
    return os.pread(wal_fd, page_size, frame_offset(frame, page_size) + FRAME_HEADER_SIZE)


def newest_frames(wal_fd: int, page_size: int, frames: Frames) -> dict[int, int]:
    """Page number to newest frame within a range."""
    newest: dict[int, int] = {}
    number = frames.first
    for portion in _portions(wal_fd, page_size, frames):
        for fields in parse_frames(portion, page_size):
            newest[fields[0]] = number
            number += 1
    return newest


def _portions(wal_fd: int, page_size: int, frames: Frames) -> Iterator[memoryview]:
    """Whole frames, about 1 MiB at a time, in one buffer that is used again."""
    step = frame_size(page_size)
    count = max(1, PORTION // step)
    buffer = memoryview(bytearray(count * step))
    for first in range(frames.first, frames.last + 1, count):
        wanted = min(count, frames.last + 1 - first) * step
        got = os.preadv(wal_fd, [buffer[:wanted]], frame_offset(first, page_size))
        yield buffer[: got - got % step]
