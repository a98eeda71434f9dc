"""What a replica lacks of files that left the spool, as one file.

In: the capture, its newest look at the database, what is owed. Out: a prepared image of the changed pages only.
"""

from litestreamd.database.capture import Capture
from litestreamd.database.debt import Debt
from litestreamd.jobs.image import PreparedImage
from litestreamd.wal.index import IndexHeader


def prepare_catch_up(capture: Capture, header: IndexHeader, debt: Debt) -> PreparedImage | None:
    """The file `1/a-N` that pays `debt` (database.debts.Debts.due, asked for after everything up to `header` was
    captured). None when the debt does not reach the head: a full image is needed."""
    if not debt.meets(capture.head):
        return None
    if not debt.count:
        # Nothing but pages that are gone: a file without a page is none.
        debt.include(1, next(capture.state.hashes(1)))
    return PreparedImage(capture.head, capture.head.txid, capture.image(header, debt.pages), debt.since)
