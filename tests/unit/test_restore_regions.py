"""What is gathered comes out once, in long ascending runs, whatever the order of the objects it is in."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from litestreamd.jobs import restore_regions
from litestreamd.jobs.restore_fill import fill
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import Latest, plan_restore
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.histories import History

PAGES, PAGE = 900, 4096


class Seen:
    """A sink that keeps the database and counts its writes."""

    def __init__(self) -> None:
        self.data, self.writes, self.given = bytearray(), 0, 0

    def resize(self, size: int) -> None:
        self.data = bytearray(size)

    def write(self, images: Sequence[bytes], offset: int) -> None:
        run = b"".join(images)
        self.data[offset : offset + len(run)] = run
        self.writes, self.given = self.writes + 1, self.given + len(run)


def scattered(root: Path) -> list[bytes]:
    """An image, and two objects that each replace every third page and are too large to be fetched as a whole, and one
    small one. Out: the pages at the end."""
    chance = random.Random(5)
    made = History(FolderReplica(root, "file"), PAGE, True)
    pages = [chance.randbytes(PAGE) for _ in range(PAGES)]
    made.commit(pages)
    made.store(9, 1, 1)
    for txid, step in ((2, 3), (3, 4), (4, 90)):
        pages = [chance.randbytes(PAGE) if at % step == 1 else page for at, page in enumerate(pages)]
        made.commit(pages)
        made.store(0, txid, txid)
    assert [made.replica.read_at(ObjectName(0, txid, txid), 0, 4) for txid in (2, 3, 4)] == [b"LTX1"] * 3
    return pages


def filled(root: Path) -> Seen:
    replica, seen = FolderReplica(root, "file"), Seen()
    assert fill(replica, plan_restore(list(replica.list()), Latest()), seen, 3).proven
    return seen


def test_pages_of_many_objects_are_written_in_few_runs(tmp_path: Path) -> None:
    pages = scattered(tmp_path)
    seen = filled(tmp_path)
    assert bytes(seen.data) == b"".join(pages)
    assert seen.given == PAGES * PAGE
    assert seen.writes < 10


@pytest.mark.parametrize("limit", ["_MOST_FRAMES", "_KEPT_BYTES"])
def test_beyond_its_limits_everything_comes_once_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    pages = scattered(tmp_path)
    monkeypatch.setattr(restore_regions, limit, 20)
    seen = filled(tmp_path)
    assert bytes(seen.data) == b"".join(pages)
    assert seen.given == PAGES * PAGE
    assert seen.writes > 10
