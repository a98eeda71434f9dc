"""A restored state against the live database, which goes on meanwhile.

In: the restored file and its TXID, the path of the database, a barrier of the daemon that replicates it. Out: equal,
different (which pages), or not compared (why).
How: a page that differs has been changed after that TXID, or it is wrong. The barrier makes every change so far durable
on the replica; the restored file is brought forward with the objects there, and what differed is compared again. A page
that differs again must have been touched by a commit since, so the objects up to the next barrier must have it. One
that they do not have is suspect, and different when it is so twice: once it can have been seen between two commits
that were captured as one.
Without a daemon nothing tells which pages changed: a difference then counts only if the WAL still ends where the
capture ended.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from pathlib import Path

from litestreamd.basics.errors import LitestreamdError
from litestreamd.basics.txid import format_txid
from litestreamd.database.live import Absent
from litestreamd.database.live_pages import LivePages, NotReadable, Replaced
from litestreamd.database.page_differences import RestoredPages, differences
from litestreamd.database.page_set import PageSet
from litestreamd.database.state import load_state
from litestreamd.jobs.drill_changes import Changes, Superseded, Touched
from litestreamd.jobs.restore_sink import Progress
from litestreamd.plan.position import Still, next_step
from litestreamd.replica.port import Replica
from litestreamd.wal.checksum import stored
from litestreamd.wal.index import IndexHeader

Barrier = Callable[[], int | None]
"""barrier(): everything committed before is durable on the replica; out: up to which TXID. None: nobody answers, or
there is no database. Raises StoreError when the replica does not get it in time."""

ROUNDS = 5
"""How often pages that differ are compared again, with the restored file brought forward each time."""
ENOUGH = 3
"""After so many of them it is well when every page that still differs is just being changed again and again."""
NAMED = 10
"""Different pages that are named one by one."""


class Live(Enum):
    """What the comparison gave."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_COMPARED = "not compared"


@dataclass(frozen=True, slots=True)
class Comparison:
    """why: not compared because; or what is different. changed: pages that were changed since the restore; restless: of
    those, the ones that were changed again whenever they were looked at, so that their content was never compared.
    different: how many differ for no reason; pages: the first of them. reached: the TXID that the restored file was
    brought forward to; None: it is as it was restored."""

    live: Live
    why: str = ""
    changed: int = 0
    restless: int = 0
    different: int = 0
    pages: tuple[int, ...] = ()
    reached: int | None = None


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


def compare(
    state: RestoredState, database: Path, directory: Path, barrier: Barrier | None, progress: Progress | None = None
) -> Comparison:
    """Compare; `directory` is the state directory of the database.

    Raises Superseded, DamagedData, and the errors of the port, of the disk and of SQLite.
    """
    try:
        with LivePages(database) as live:
            live.open()
            if live.page_size != state.page_size:
                return _of_other_size(state, live, barrier)
            with RestoredPages(state.path, state.page_size) as restored:
                return _Comparing(state, live, restored, progress).compare(directory, barrier)
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

    def __init__(
        self, state: RestoredState, live: LivePages, restored: RestoredPages, progress: Progress | None
    ) -> None:
        self._state, self._live, self._restored = state, live, restored
        self._told = partial(_tell, progress) if progress else None

    def compare(self, directory: Path, barrier: Barrier | None) -> Comparison:
        before = self._header()
        found = differences(self._live, self._restored, told=self._told)
        if not found.total():
            return Comparison(Live.EQUAL)
        reached = barrier() if barrier else None
        if barrier is None or reached is None:
            return self._without_daemon(found, before, directory)
        return self._followed(found, barrier, reached)

    def _followed(self, found: PageSet, barrier: Barrier, reached: int) -> Comparison:
        total, suspects = found.total(), PageSet()
        changes = Changes(self._state.replica, self._restored, self._state.txid)
        changes.follow(reached)
        for number in range(1, ROUNDS + 1):
            found = differences(self._live, self._restored, found)
            if not found.total():
                return Comparison(Live.EQUAL, changed=total, reached=changes.reached)
            again = barrier()
            if again is None:
                return replace(not_compared("the daemon ended meanwhile"), reached=changes.reached)
            touched = changes.follow(again)
            before, suspects = suspects, _left(found, touched)
            if number >= ENOUGH and not suspects.total():
                break
        left = _both(suspects, before)
        if left.total():
            return self._different(left, total - left.total())
        return Comparison(Live.EQUAL, changed=total, restless=found.total(), reached=changes.reached)

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
        return Comparison(Live.DIFFERENT, why, changed, different=count, pages=pages)


def _tell(progress: Progress, done: int, total: int) -> None:
    progress(done, total, "comparing with the live database")


def _left(found: PageSet, without: PageSet | Touched) -> PageSet:
    left = PageSet()
    for page in found:
        if page not in without:
            left.add(page)
    return left


def _both(one: PageSet, other: PageSet) -> PageSet:
    return _left(one, _left(one, other))
