"""Databases that only exist as pages in memory, and the ledgers of their changes.

In: states (lists of pages, page 1 first). Out: ledgers, a spool that holds them, and pages put into a replica.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from litestreamd.basics.checksum import page_checksum, rolling
from litestreamd.database.debt import Debt
from litestreamd.database.ledger import Head, Ledger, Step
from litestreamd.database.spool import Spool
from litestreamd.plan.position import Position

PAGE = 512
State = tuple[bytes, ...]


def page(seed: int) -> bytes:
    """A page that only this seed gives. A digest: a CRC is linear, so that pages that differ by a pattern can cancel
    out in the rolling checksum."""
    return hashlib.sha256(str(seed).encode()).digest() * (PAGE // 32)


def checksum(state: State) -> int:
    """The rolling checksum."""
    return rolling(page_checksum(pgno, content) for pgno, content in enumerate(state, 1))


def ledger(txid: int, before: State, after: State, also: Iterable[int] = (), page_size: int = PAGE) -> Ledger:
    """The ledger of the step; `also`: pages that are in it although they did not change."""

    def one(state: State, pgno: int) -> int:
        return page_checksum(pgno, state[pgno - 1]) if pgno <= len(state) else 0

    most = max(len(before), len(after))
    changed = {pgno for pgno in range(1, most + 1) if one(before, pgno) != one(after, pgno)}
    pgnos = array("I", sorted(changed | {pgno for pgno in also if pgno <= most}))
    old, new = (array("Q", [one(state, pgno) for pgno in pgnos]) for state in (before, after))
    position = Position(bytes(8), txid, bytes(8), txid, page_size, len(after))
    return Ledger(head_at(txid, after, position), Step(pgnos, old, new))


def head_at(txid: int, state: State, position: Position) -> Head:
    return Head(txid, 1000 * txid, position, checksum(state), txid, continuous=True)


def spooled(spool: Spool, told: Ledger, size: int = 10) -> None:
    """Put it into the spool, with so many bytes in place of the LTX file."""

    def write(sink: Callable[[bytes], object]) -> Ledger:
        sink(b"x" * size)
        return told

    spool.append(told.head.txid, write)


@dataclass(slots=True)
class CatchUp:
    """What a catch-up file holds, taken from the live pages."""

    debt: Debt
    commit: int
    pages: dict[int, bytes]

    @property
    def proven(self) -> int:
        """The rolling checksum that it leads to, as its sender computes it."""
        found = self.debt.since.rest
        for pgno, content in self.pages.items():
            found ^= page_checksum(pgno, content)
        return rolling([found])


def caught_up(debt: Debt, live: State) -> CatchUp:
    """The file that pays the debt."""
    return CatchUp(debt, len(live), {pgno: live[pgno - 1] for pgno in debt.pages.within(1, len(live))})


def applied(state: State, file: CatchUp) -> State:
    """A replica's state with the file put on it."""
    pages = [*state, *[b""] * file.commit][: file.commit]
    for pgno, content in file.pages.items():
        pages[pgno - 1] = content
    return tuple(pages)
