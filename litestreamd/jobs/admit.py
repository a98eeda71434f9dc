"""Whether, and from where on, a replica's root is ours to write.

In: a root that was just listed, what our state remembers, what the live database shows. Out: an Admission, or
ConflictError with the way out. The decision itself is plan.continuation; here the evidence is gathered.
"""

from dataclasses import dataclass

from litestreamd.basics.errors import ConflictError, DamagedData, NotAvailable
from litestreamd.basics.txid import MAX_TXID
from litestreamd.database.captured import CapturedState
from litestreamd.jobs.ship import Line
from litestreamd.plan.continuation import Continue, Evidence, Head, LastEpoch, RestoredFrom, may_continue
from litestreamd.plan.restore import Latest, plan_restore
from litestreamd.replica.root import Newest, Root, read_newest


@dataclass(frozen=True, slots=True)
class Admission:
    """`cursor`: what of our line is on the root, or need not be. `image`: why a full image is needed, None if not.
    `ahead`: the root has gone on without us, and its state has to be adopted. `why`: for the log. `through`: level-0
    files up to this TXID may follow what is there before the image has come."""

    cursor: int
    image: str | None
    ahead: bool
    why: str
    through: int = MAX_TXID


def admit(line: Line, state: CapturedState, proofs: "Proofs", now_ms: int) -> Admission:
    """Decide for a line that has arrived, once our own line of TXIDs exists. Raises ConflictError."""
    assert line.root is not None
    return placed(line, state, decide(line, state, line.root, proofs, now_ms), proofs.take_over)


def placed(line: Line, state: CapturedState, why: str, take_over: bool) -> Admission:
    """Where a root that is ours stands against our line of TXIDs."""
    assert line.root is not None and state.head is not None
    root, newest = line.root, line.root.newest
    if newest is None:
        return Admission(0, "the replica is new", ahead=False, why=why)
    head = newest.stored.name.max_txid
    if take_over and head <= state.head.txid and _own_head(line, state, root) != _head(root):
        return Admission(state.head.txid, "another history was taken over", ahead=False, why=why, through=0)
    gap = _gap(line, root, newest)
    if gap is not None or head > state.head.txid:
        return Admission(head, gap, ahead=head > state.head.txid, why=why)
    entries = state.spool.entries(after=head)
    sizes = {newest.header.page_size, state.head.position.page_size, *(entry.page_size for entry in entries)}
    if len(sizes) > 1:
        # Also when it was on another day, with this replica away: what is there cannot be continued page by page.
        return Admission(head, "the page size changed", ahead=False, why=why, through=head)
    owed = line.debts.covered(head)
    missing = state.head.txid - owed - len(state.spool.entries(after=owed))
    image = f"{missing} TXIDs between the replica and us are in no spool any more" if missing else None
    if newest.stored.name.level and state.spool.get(head) is not None:
        # A merged backlog or an image has come, but not the level-0 file that a Litestream needs to go on after it.
        return Admission(head - 1, image, ahead=False, why=why)
    return Admission(head, image, ahead=False, why=why)


def _gap(line: Line, root: Root, newest: Newest) -> str | None:
    """Why the newest state cannot be restored from what is there (a first image that never arrived, lost objects, an
    image of another page size than what follows it)."""
    try:
        plan = plan_restore(root.objects, Latest())
        if plan.min_txid != 1 or plan.max_txid != newest.stored.name.max_txid:
            return "its objects do not lead to its newest state"
        first = next(stored for stored in root.objects if stored.name == plan.steps[0].name)
        if read_newest(line.replica, first).header.page_size != newest.header.page_size:
            return "the page size changed"
    except (NotAvailable, DamagedData) as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class Proofs:
    """What is known beside root and state (see plan.continuation.Evidence); `take_over`: the operator said so;
    `machine`: where we are."""

    restored: RestoredFrom | None = None
    litestream_head_in_wal: bool = False
    same_pages: bool = False
    sibling: bool = False
    take_over: bool = False
    machine: str = ""


def decide(line: Line, state: CapturedState, root: Root, proofs: Proofs, now_ms: int) -> str:
    """Why the root may be continued. Raises ConflictError if it may not."""
    decision = may_continue(
        Evidence(
            root=line.replica.description,
            head=_head(root),
            state=_own_head(line, state, root),
            last_epoch=_last_epoch(root, state, proofs.machine),
            silent_ms=max(0, now_ms - _last_sign(root)),
            restored=proofs.restored,
            litestream_head_in_wal=proofs.litestream_head_in_wal,
            same_pages=proofs.same_pages,
            sibling=proofs.sibling,
        )
    )
    if isinstance(decision, Continue):
        return decision.reason.value
    if proofs.take_over:
        return "the operator said so"
    raise ConflictError(decision.sentence)


def _head(root: Root) -> Head | None:
    newest = root.newest
    return Head(newest.stored.name.max_txid, newest.file_checksum) if newest else None


def _own_head(line: Line, state: CapturedState, root: Root) -> Head | None:
    """What we know to have left there: our head, or what the spool or the remembered cursor says of that TXID."""
    newest, remembered = root.newest, line.remembered()
    if newest is not None:
        txid, proof = newest.stored.name.max_txid, newest.header.proof
        if proof is not None and proof.after in (_known_checksum(state, txid), line.departed.checksum(txid)):
            # The very state that we have of this TXID, whatever kind of file says so: an image is ours too.
            return _head(root)
        if state.head is not None and state.head.txid == txid:
            return Head(txid, state.head.file_checksum)
        if newest.header.node_id in state.node_ids and state.head is not None and txid > state.head.txid:
            # Ours, from a state directory that went back in time: its own word is all there is, and enough.
            return _head(root)
        entry = state.spool.get(txid)
        if entry is not None and newest.stored.name.min_txid == txid:
            return Head(txid, entry.file_checksum)
    return remembered.head if remembered else None


def _known_checksum(state: CapturedState, txid: int) -> int | None:
    """The rolling database checksum of our own TXID, as far as head and spool reach."""
    if state.head is not None and state.head.txid == txid:
        return state.head.checksum
    entry = state.spool.get(txid)
    return entry.checksum if entry is not None else None


def _last_epoch(root: Root, state: CapturedState, machine: str) -> LastEpoch | None:
    highest = root.writers.highest
    if highest is None:
        return None
    there = highest.writer.machine if highest.writer is not None else ""
    elsewhere = bool(there and machine and there != machine)
    ours = highest.writer is not None and highest.writer.node_id in state.node_ids and not elsewhere
    return LastEpoch(highest.number, ours, highest.closed, str(highest), elsewhere)


def _last_sign(root: Root) -> int:
    """Milliseconds since 1970 of the newest object or the last epoch's start."""
    highest = root.writers.highest
    started = highest.writer.start_ms if highest is not None and highest.writer is not None else 0
    return max([started, *(stored.created_ms for stored in root.objects)])
