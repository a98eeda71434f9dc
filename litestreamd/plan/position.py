"""How far the WAL is captured, and what a new WAL-index header means for it.

In: a Position and an IndexHeader that was read under a guard. Out: what to read next, or why the pages
have to be compared.
Promise: no frame is skipped silently. A position moves to a new generation only with frames of it.
"""

from dataclasses import dataclass
from enum import Enum

from litestreamd.wal.index import IndexHeader


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to `frame` of the generation `salts` is captured.

    `checksum` is the 8 bytes stored in that frame's header (cumulative from a random salt, so equality proves
    an identical prefix); `change` is iChange then; `commit` the database size in pages.
    """

    salts: bytes
    frame: int
    checksum: bytes
    change: int
    page_size: int
    commit: int


@dataclass(frozen=True, slots=True)
class Frames:
    """Read frames first..last, all committed."""

    first: int
    last: int


class Still(Enum):
    """Nothing to read."""

    NOTHING_NEW = "nothing new"
    EMPTY_GENERATION = "a new generation without a frame"


@dataclass(frozen=True, slots=True)
class Compare:
    """Continuity is not proven: compare every page with its hash."""

    reason: str


def next_step(position: Position, header: IndexHeader) -> Frames | Still | Compare:
    """What the header asks for, seen from the position."""
    if header.max_frame and header.page_size != position.page_size:
        return Compare("the page size changed")
    if header.salts != position.salts:
        return Frames(1, header.max_frame) if header.max_frame else Still.EMPTY_GENERATION
    if header.max_frame < position.frame:
        return Compare("the WAL is shorter than what was captured of it")
    if header.max_frame == position.frame:
        return Still.NOTHING_NEW
    return Frames(position.frame + 1, header.max_frame)


def audit(position: Position, header: IndexHeader, commits: int) -> Compare | None:
    """Compare SQLite's own count of transactions (iChange) with the commit frames that were read.

    A restart of the WAL keeps the counter, so a lost generation shows. A recovery sets it to zero; within one
    generation the frames' chain is the proof then, so this audit is for headers that no recovery came between.
    """
    counted = (header.change - position.change) % (1 << 32)
    if counted == commits:
        return None
    return Compare(f"SQLite counted {counted} transactions and the WAL holds {commits}")
