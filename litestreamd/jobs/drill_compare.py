"""A restored state against the live database, which goes on meanwhile.

In: the restored file and its TXID, the path of the database, a barrier of the daemon that replicates it. Out: equal,
different (which pages), or not compared (why).
How: a page that differs has been changed after that TXID, or it is wrong. The barrier makes every change so far durable
on the replica, and the page indexes of the objects there name the pages that changed. What they do not name is read
again, for a page may have been seen between two commits that were captured as one; what stays is different.
Without a daemon nothing tells which pages changed: a difference then counts only if the WAL still ends where the
capture ended.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from litestreamd.basics.errors import LitestreamdError
from litestreamd.basics.txid import format_txid
from litestreamd.database.live import Absent
from litestreamd.database.live_pages import LivePages, NotReadable, Replaced
from litestreamd.database.page_differences import RestoredPages, differences
from litestreamd.database.page_set import PageSet
from litestreamd.database.state import load_state
from litestreamd.jobs.drill_changes import Changes, Superseded
from litestreamd.plan.position import Still, next_step
from litestreamd.replica.port import Replica
from litestreamd.wal.checksum import stored
from litestreamd.wal.index import IndexHeader

Barrier = Callable[[], int | None]
"""barrier(): everything committed before is durable on the replica; out: up to which TXID. None: nobody answers, or
there is no database. Raises StoreError when the replica does not get it in time."""

ROUNDS = 5
"""How often pages that nothing explains are looked at again."""
NAMED = 10
"""Different pages that are named one by one."""


class Live(Enum):
    """What the comparison gave."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class Comparison:
    """why: not compared because; or what is different. changed: pages that differ because they were changed since.
    different: how many differ for no reason; pages: the first of them."""

    live: Live
    why: str = ""
    changed: int = 0
    different: int = 0
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoredState:
    """What was restored, and from where."""

    replica: Replica
    txid: int
    path: Path
    page_size: int


def not_compared(why: str) -> Comparison:
    """There was no way."""
    return Comparison(Live.NOT_COMPARED, why)


def compare(state: RestoredState, database: Path, directory: Path, barrier: Barrier | None) -> Comparison:
    """Compare; `directory` is the state directory of the database.

    Raises Superseded, DamagedData, and the errors of the port, of the disk and of SQLite.
    """
    try:
        with LivePages(database) as live:
            live.open()
            if live.page_size != state.page_size:
                return _of_other_size(state, live, barrier)
            with RestoredPages(state.path, state.page_size) as restored:
                return _Comparing(state, live, restored).compare(directory, barrier)
    except Absent:
        return not_compared(f"there is no live database at {database}")
    except NotReadable as error:
        return not_compared(str(error))
    except Replaced as error:
        raise Superseded(str(error)) from error


def _of_other_size(state: RestoredState, live: LivePages, barrier: Barrier | None) -> Comparison:
    why = f"its pages have {live.page_size} bytes, those of TXID {format_txid(state.txid)} {state.page_size}"
    reached = barrier() if barrier else None
    if reached is None:
        return not_compared(f"no daemon answers, and {why}")
    if reached > state.txid:
        raise Superseded(why)
    return Comparison(Live.DIFFERENT, why)


class _Comparing:
    """One comparison."""

    def __init__(self, state: RestoredState, live: LivePages, restored: RestoredPages) -> None:
        self._state, self._live, self._restored = state, live, restored

    def compare(self, directory: Path, barrier: Barrier | None) -> Comparison:
        before = self._header()
        found = differences(self._live, self._restored)
        if not found.total():
            return Comparison(Live.EQUAL)
        reached = barrier() if barrier else None
        if barrier is None or reached is None:
            return self._without_daemon(found, before, directory)
        return self._explained(found, barrier, reached)

    def _explained(self, found: PageSet, barrier: Barrier, reached: int) -> Comparison:
        total, left = found.total(), found
        changes = Changes(self._state.replica, self._state.txid, self._state.page_size, self._restored.count)
        for _ in range(ROUNDS):
            changes.follow(reached)
            left = _unexplained(left, changes)
            if left.total():
                left = differences(self._live, self._restored, left)
            if not left.total():
                return Comparison(Live.EQUAL, changed=total)
            again = barrier()
            if again is None:
                return not_compared("the daemon ended meanwhile")
            reached = again
        changes.follow(reached)
        left = _unexplained(left, changes)
        if not left.total():
            return Comparison(Live.EQUAL, changed=total)
        return self._different(left, total - left.total())

    def _without_daemon(self, found: PageSet, before: IndexHeader, directory: Path) -> Comparison:
        count = found.total()
        found = differences(self._live, self._restored, found)
        if self._captured(before, directory) and self._captured(self._header(), directory) and found.total():
            return self._different(found, 0)
        pages = "1 page differs" if count == 1 else f"{count} pages differ"
        return not_compared(
            f"no daemon answers, and {pages} from TXID {format_txid(self._state.txid)}: changed since, or wrong, and "
            "nothing here can tell"
        )

    def _captured(self, header: IndexHeader, directory: Path) -> bool:
        """Whether the WAL ends with the very frame that was captured last, as the restored TXID."""
        with suppress(LitestreamdError):
            known = load_state(directory / "state.json")
            if known is not None and known.head.txid == self._state.txid and known.head.position.frame:
                at = known.head.position
                # Its stored checksum is cumulative from a random salt: equality proves an identical WAL.
                return (
                    next_step(at, header) is Still.NOTHING_NEW
                    and header.max_frame == at.frame
                    and stored(header.frame_checksum) == at.checksum
                )
        return False

    def _header(self) -> IndexHeader:
        with self._live.snapshot() as image:
            return image.header

    def _different(self, left: PageSet, changed: int) -> Comparison:
        count = left.total()
        pages = tuple(page for page, _ in zip(left, range(NAMED), strict=False))
        named = ", ".join(map(str, pages)) + (" ..." if count > NAMED else "")
        what = f"page {named} is" if count == 1 else f"{count} pages ({named}) are"
        why = f"{what} not as in TXID {format_txid(self._state.txid)}, and no commit since has changed that"
        return Comparison(Live.DIFFERENT, why, changed, count, pages)


def _unexplained(found: PageSet, changes: Changes) -> PageSet:
    left = PageSet()
    for page in found:
        if not changes.explain(page):
            left.add(page)
    return left
