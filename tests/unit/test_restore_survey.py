"""What a dry run says will be fetched is what a restore fetches, and less than there is where pages are superseded."""

import random
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest

from litestreamd.jobs.restore_fill import fill, survey
from litestreamd.jobs.restore_sink import Counted, Nowhere
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import AtTxid, Latest, plan_restore
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.histories import History

PAGES = 600
PAGE = 4096


class Metered(FolderReplica):
    """Counts the bytes that it gives."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "file")
        self.given = 0
        self._lock = Lock()

    def open(self, name: ObjectName, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        for chunk in super().open(name, offset, length):
            with self._lock:
                self.given += len(chunk)
            yield chunk


def history(root: Path, proven: bool) -> History:
    """A snapshot of hard pages (2.4 MB); then its second half changes; then one page."""
    chance = random.Random(1)
    made = History(FolderReplica(root, "file"), PAGE, proven)
    first = [chance.randbytes(PAGE) for _ in range(PAGES)]
    made.commit(first)
    made.store(9, 1, 1)
    second = [*first[: PAGES // 2], *(chance.randbytes(PAGE) for _ in range(PAGES // 2))]
    made.commit(second)
    made.store(0, 2, 2)
    made.commit([chance.randbytes(PAGE), *second[1:]])
    made.store(0, 3, 3)
    return made


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("txid", [1, 2, 3])
def test_as_much_as_was_said(tmp_path: Path, proven: bool, txid: int) -> None:
    history(tmp_path / "replica", proven)
    replica = Metered(tmp_path / "replica")
    plan = plan_restore(list(replica.list()), AtTxid(txid))
    told = survey(replica, plan, 2)
    looked = replica.given
    replica.given = 0
    fill(replica, plan, Nowhere(), 2)
    assert replica.given == sum(told)
    assert looked < sum(told) or len(plan.steps) == 1
    assert (sum(told) > plan.size) is not proven


def test_superseded_pages_are_neither_fetched_nor_written(tmp_path: Path) -> None:
    history(tmp_path / "replica", proven=True)
    replica = Metered(tmp_path / "replica")
    plan = plan_restore(list(replica.list()), Latest())
    told = survey(replica, plan, 2)
    assert told[0] < 0.55 * plan.steps[0].size
    assert told[2] == plan.steps[2].size
    seen: list[tuple[int, int]] = []
    fill(replica, plan, Counted(Nowhere(), lambda done, total: seen.append((done, total))), 2)
    assert seen[-1] == (PAGES * PAGE, PAGES * PAGE)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_without_a_proof_they_are_fetched_for_the_file_checksum_but_not_written(tmp_path: Path) -> None:
    history(tmp_path / "replica", proven=False)
    replica = Metered(tmp_path / "replica")
    plan = plan_restore(list(replica.list()), Latest())
    seen: list[int] = []
    fill(replica, plan, Counted(Nowhere(), lambda done, total: seen.append(done)), 2)
    assert seen[-1] == PAGES * PAGE
    assert replica.given >= plan.size
