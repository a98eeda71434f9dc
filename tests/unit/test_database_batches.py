"""Committed frames in batches: which frames belong together, and which pages they leave undecided."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.database.batches import Batch, newest_frames, read_batches
from litestreamd.plan.position import Frames
from tests.support.wal_writer import WalWriter

SIZE = 512
STEP = SIZE + 24


class Wal:
    """A WAL made to order, in a file."""

    def __init__(self, path: Path) -> None:
        self.path, self.writer, self.fd = path, WalWriter(SIZE), -1

    def commit(self, size: int, *pgnos: int) -> None:
        """One transaction with these pages that leaves the database at this size."""
        for pgno in pgnos[:-1]:
            self.writer.append(pgno, bytes([pgno]) * SIZE)
        self.writer.append(pgnos[-1], bytes([pgnos[-1]]) * SIZE, size)

    def batches(self, before: int, limit: int = 0, first: int = 1, last: int | None = None) -> list[Batch]:
        """What is read of frames first..last when the database had `before` pages."""
        self.path.write_bytes(self.writer.data)
        self.fd = os.open(self.path, os.O_RDONLY)
        frames = Frames(first, self.writer.frames if last is None else last)
        return list(read_batches(self.fd, SIZE, self.writer.salts, frames, before, limit))


@pytest.fixture
def wal(tmp_path: Path) -> Iterator[Wal]:
    found = Wal(tmp_path / "wal")
    yield found
    if found.fd >= 0:
        os.close(found.fd)


def test_one_batch_has_the_newest_frame_of_each_page(wal: Wal) -> None:
    wal.commit(4, 1, 2)
    wal.commit(4, 2, 4)
    (batch,) = wal.batches(before=4)
    assert (batch.first, batch.last, batch.commits, batch.commit) == (1, 4, 2, 4)
    pgnos, frames = batch.pages(SIZE)
    assert list(zip(pgnos, frames, strict=True)) == [(1, 1), (2, 3), (4, 4)]
    assert batch.doubtful(SIZE) == []


@pytest.mark.parametrize(("limit", "lasts"), [(1, [2, 3, 6]), (3 * STEP, [3, 6]), (4 * STEP, [6]), (0, [6])])
def test_batches_end_at_the_first_commit_past_the_limit(wal: Wal, limit: int, lasts: list[int]) -> None:
    wal.commit(4, 1, 2)
    wal.commit(4, 3)
    wal.commit(4, 1, 2, 3)
    batches = wal.batches(before=4, limit=limit)
    assert [batch.last for batch in batches] == lasts
    assert [batch.first for batch in batches] == [1, *(last + 1 for last in lasts[:-1])]


def test_frames_without_a_commit_are_left_out(wal: Wal) -> None:
    wal.commit(4, 1)
    wal.writer.append(2, bytes(SIZE))
    assert [batch.last for batch in wal.batches(before=4, limit=1)] == [1]
    assert wal.batches(before=4, first=2) == []


def test_pages_beyond_the_final_size_are_no_part_of_it(wal: Wal) -> None:
    wal.commit(6, 1, 6)
    wal.commit(3, 1)
    (batch,) = wal.batches(before=4)
    assert list(batch.pages(SIZE)[0]) == [1]
    assert batch.low == 3


def test_a_grown_page_without_a_frame_is_undecided(wal: Wal) -> None:
    wal.commit(6, 1, 5)
    (batch,) = wal.batches(before=4)
    assert batch.doubtful(SIZE) == [6]


def test_a_frame_from_before_a_cut_does_not_decide(wal: Wal) -> None:
    wal.commit(6, 1, 5, 6)
    wal.commit(4, 1)
    wal.commit(6, 1, 6)
    (batch,) = wal.batches(before=6)
    assert batch.doubtful(SIZE) == [5]


def test_a_cut_in_an_earlier_batch_is_not_forgotten(wal: Wal) -> None:
    """The second batch begins with the small database; what comes back is undecided unless it has a frame there."""
    wal.commit(6, 1, 5)
    wal.commit(2, 1)
    wal.commit(5, 1, 3)
    first, second = wal.batches(before=6, limit=3 * STEP)
    assert (first.commit, second.low) == (2, 2)
    assert second.doubtful(SIZE) == [4, 5]


def test_frames_of_another_generation_are_unsound(wal: Wal) -> None:
    """SQLite before 3.50.4 can leave zeros where the salts belong."""
    wal.commit(4, 1, 2)
    wal.commit(4, 3)
    offset = 32 + STEP + 8
    wal.writer.data[offset : offset + 16] = bytes(16)
    assert [batch.sound for batch in wal.batches(before=4, limit=1)] == [False, True]


def test_a_backlog_larger_than_one_portion(wal: Wal) -> None:
    """Frames are read about 1 MiB at a time."""
    count = 2 * (1 << 20) // STEP + 3
    for number in range(count):
        wal.commit(9, number % 9 + 1)
    (batch,) = wal.batches(before=9)
    assert (batch.last, batch.commits) == (count, count)
    assert newest_frames(wal.fd, SIZE, Frames(1, count)) == batch.newest
    assert min(batch.newest.values()) == count - 8
