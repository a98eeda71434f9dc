"""May this daemon continue a replica that already has a history?

In: what is known about the replica's root, about us and about the live database, all as values. Out: Continue
with the reason, or Refuse with a sentence for the operator. Promised: the first proof that holds decides;
without proof nothing is ever continued, because two histories in one place cannot be told apart later.

The proofs cost more and more to obtain (the last one reads the whole database), so `Evidence` may be given
with the costly ones False at first, and again with them looked up after a Refuse.
"""

from dataclasses import dataclass
from enum import Enum

from litestreamd.basics.quantities import format_duration
from litestreamd.basics.txid import format_txid

SILENCE_MS = 600_000
"""An open writer epoch without any sign of life for this long no longer blocks a writer with the same pages."""


class Reason(Enum):
    """Why a root may be continued."""

    FRESH = "the replica is empty and nobody writes it"
    OWN_STATE = "its head is the one we left"
    RESTORED = "the database was restored from its head, and nobody has written since"
    LITESTREAM_WAL = "its head was written by Litestream from frames that are still in the live WAL"
    SAME_PAGES = "its newest state equals the live database, page by page"
    SIBLING = "its head is part of the history that we continue on another replica"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest object of a root: its max TXID and the file checksum in its trailer."""

    txid: int
    checksum: int


@dataclass(frozen=True, slots=True)
class LastEpoch:
    """The highest writer epoch of a root. `who` is for messages; `ours` means this state directory opened it, on this
    machine: a copy of the directory elsewhere proves nothing. `elsewhere`: by another machine."""

    number: int
    ours: bool
    closed: bool
    who: str
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class RestoredFrom:
    """What a restore noted in the state directory: which state of which root, and what the root held then.

    `epoch` is the root's highest writer epoch at that time, 0 when there was none.
    """

    root: str
    txid: int
    head: Head
    epoch: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the decision rests on.

    root: the replica as a URL without secrets. head: None when it holds no LTX object. state: the head our own
    state remembers on this root, None when it remembers none. last_epoch: None when no writer ever opened one.
    silent_ms: time since the last sign of life on the root (newest object, or start of the last epoch).
    litestream_head_in_wal: the head is Litestream's, and its salts and last frame are in the live WAL.
    same_pages: the newest state of the root, read in full, equals the live database. sibling: its head, TXID and
    checksum, is an object of a replica of this database that we may continue.
    """

    root: str
    head: Head | None
    state: Head | None
    last_epoch: LastEpoch | None
    silent_ms: int
    restored: RestoredFrom | None = None
    litestream_head_in_wal: bool = False
    same_pages: bool = False
    sibling: bool = False


@dataclass(frozen=True, slots=True)
class Continue:
    """Go on after the head."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Refuse:
    """Touch nothing; `sentence` says why, and what the operator can do."""

    sentence: str


def may_continue(evidence: Evidence) -> Continue | Refuse:
    """The first proof that holds, or a refusal."""
    proofs = (
        (Reason.FRESH, _is_fresh),
        (Reason.OWN_STATE, _is_own_state),
        (Reason.RESTORED, _is_restored),
        (Reason.LITESTREAM_WAL, _is_in_wal),
        (Reason.SAME_PAGES, _is_same),
        (Reason.SIBLING, _is_sibling),
    )
    for reason, holds in proofs:
        if holds(evidence):
            return Continue(reason)
    return Refuse(_refusal(evidence))


def _is_fresh(evidence: Evidence) -> bool:
    return evidence.head is None and evidence.state is None and (_ours_or_closed(evidence) or _silent(evidence))


def _is_own_state(evidence: Evidence) -> bool:
    return evidence.head is not None and evidence.head == evidence.state and _ours_or_closed(evidence)


def _is_restored(evidence: Evidence) -> bool:
    restored = evidence.restored
    if restored is None or restored.root != evidence.root:
        return False
    epoch = evidence.last_epoch.number if evidence.last_epoch else 0
    # Of an older state than the head the rest of the history would silently be overruled.
    return restored.txid == restored.head.txid and restored.head == evidence.head and restored.epoch == epoch


def _is_in_wal(evidence: Evidence) -> bool:
    return evidence.head is not None and evidence.litestream_head_in_wal


def _is_same(evidence: Evidence) -> bool:
    """Silence proves something on the machine that wrote last. Elsewhere it may be a copy of the database, for tests
    perhaps, while the original has nothing to write just now."""
    last = evidence.last_epoch
    trusted = _closed(evidence) or (_silent(evidence) and not (last is not None and last.elsewhere))
    return evidence.head is not None and evidence.same_pages and trusted


def _is_sibling(evidence: Evidence) -> bool:
    return evidence.head is not None and evidence.sibling and _closed_or_silent(evidence)


def _closed_or_silent(evidence: Evidence) -> bool:
    """Whoever wrote there last has said good-bye, or has not been heard of for long."""
    return _closed(evidence) or _silent(evidence)


def _closed(evidence: Evidence) -> bool:
    return evidence.last_epoch is not None and evidence.last_epoch.closed


def _ours_or_closed(evidence: Evidence) -> bool:
    """Nobody else can be writing: no epoch at all, our own, or one that was closed."""
    last = evidence.last_epoch
    return last is None or last.ours or last.closed


def _silent(evidence: Evidence) -> bool:
    return evidence.silent_ms >= SILENCE_MS


def _refusal(evidence: Evidence) -> str:
    why = f"{evidence.root}: {_obstacle(evidence)}; nothing was changed there"
    return f"{why}. Give this database a new path, or, if it shall replace what is there, start once with --take-over"


def _obstacle(evidence: Evidence) -> str:
    head, state, restored = evidence.head, evidence.state, evidence.restored
    if head is None and state is not None:
        return f"the replica is empty, but we left TXID {format_txid(state.txid)} there: is the right disk mounted?"
    if head is None or not _ours_or_closed(evidence):
        who = evidence.last_epoch.who if evidence.last_epoch else "another writer"
        ago = format_duration(evidence.silent_ms // 1000)
        return f"{who} has not stopped cleanly and may still be writing (last sign of life {ago} ago)"
    reached = format_txid(head.txid)
    if state is not None:
        return f"somebody else wrote it: its head is TXID {reached}, we left it at {format_txid(state.txid)}"
    if restored is not None and restored.root == evidence.root:
        return f"the database was restored from TXID {format_txid(restored.txid)}, but the replica goes on to {reached}"
    return f"it holds the history of another database (up to TXID {reached}), or this one has diverged from it"
