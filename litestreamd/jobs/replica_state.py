"""The newest state of a replica as page checksums, without writing a database.

In: a replica and the objects of a restore plan, oldest first. Out: one checksum per page, file by file proven.
This is what a live database is compared with when it takes a history over.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from litestreamd.basics.checksum import lock_page, page_checksum
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.header import Header
from litestreamd.plan.restore import Latest, plan_restore
from litestreamd.replica.port import Replica
from litestreamd.replica.root import Root


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """`checksums` holds one entry per page (0 for the lock page); `header` is that of the newest file."""

    header: Header
    checksums: array[int]


def read_state(replica: Replica, root: Root) -> ReplicaState:
    """Read every file of the newest state. Raises LtxError for a damaged one, NotAvailable, errors of the port."""
    checksums = array("Q")
    newest: Header | None = None
    for step in plan_restore(root.objects, Latest()).steps:
        for event in read_pages(replica.open(step.name)):
            if isinstance(event, Header):
                newest = event
                _resize(checksums, event.commit)
            elif isinstance(event, Pages):
                for pgno, page in event.pages:
                    checksums[pgno - 1] = page_checksum(pgno, page)
    assert newest is not None
    lock = lock_page(newest.page_size)
    if lock <= len(checksums):
        checksums[lock - 1] = 0
    return ReplicaState(newest, checksums)


def _resize(checksums: array[int], count: int) -> None:
    if count < len(checksums):
        del checksums[count:]
    else:
        checksums.extend([0] * (count - len(checksums)))
