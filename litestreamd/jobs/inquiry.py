"""What a replica says of itself, without any daemon: how far it is, who writes there, what is odd about it.

In: a replica, and how to see what this machine has captured. Out: an Answer. Promised: nothing is written; what is told
comes from one complete listing, and the machine is looked at after it, so that a replica that is up to date is never
called ahead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from litestreamd.database.captured_here import CapturedHere
from litestreamd.jobs.object_times import dated
from litestreamd.plan.findings import Finding, findings
from litestreamd.plan.window import Window, window_of
from litestreamd.replica.port import Replica, StoredObject, Times
from litestreamd.replica.writers import Epoch, read_writers


@dataclass(frozen=True, slots=True)
class Lag:
    """What a replica lacks of what is captured: TXIDs (negative: it is ahead), seconds since the first of them was
    captured, bytes as far as they wait in the spool."""

    txids: int = 0
    seconds: float = 0.0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """`newest`: the object with the highest TXID, None on an empty replica. size: bytes of all objects. `writer`: the
    highest epoch, None where only Litestream wrote. `here`, `lag`: None where nothing was captured on this machine."""

    newest: StoredObject | None
    window: Window | None
    objects: int
    size: int
    findings: tuple[Finding, ...]
    writer: Epoch | None
    here: CapturedHere | None
    lag: Lag | None


def inquire(replica: Replica, look_here: Callable[[], CapturedHere | None], now_ms: int) -> Answer:
    """Ask one replica. Errors of the port, of the state directory."""
    writer = read_writers(replica).highest
    objects = tuple(replica.list())
    here = look_here()
    objects = _dated(replica, objects)
    newest = max(objects, key=lambda stored: (stored.name.max_txid, -stored.name.level), default=None)
    return Answer(
        newest=newest,
        window=window_of(objects),
        objects=len(objects),
        size=sum(stored.size for stored in objects),
        findings=tuple(findings(objects)),
        writer=writer,
        here=here,
        lag=None if here is None else _lag(newest, here, now_ms),
    )


def _dated(replica: Replica, objects: Sequence[StoredObject]) -> tuple[StoredObject, ...]:
    """The same objects with times to rely on. Where each of these costs a request, only what the window begins with has
    one: that is a snapshot, which came later than the state it holds; the newest file came when it was made."""
    if replica.times is not Times.STORE_UNASKED:
        return dated(replica, objects).objects
    window = window_of(objects)
    begin = [each for each in objects if window and each.name.max_txid == window.oldest.txid]
    known = {each.name: each for each in dated(replica, begin).objects}
    return tuple(known.get(each.name, each) for each in objects)


def _lag(newest: StoredObject | None, here: CapturedHere, now_ms: int) -> Lag:
    has = newest.name.max_txid if newest else 0
    if has >= here.txid:
        return Lag(txids=here.txid - has)
    missing = [each for each in here.waiting if each.txid > has]
    if missing and missing[0].txid == has + 1:
        since_ms = missing[0].captured_ms
    else:  # it has left the spool: what the replica lacks first came after what it has last
        since_ms = newest.created_ms if newest else here.captured_ms
    return Lag(here.txid - has, max(0, now_ms - since_ms) / 1000, sum(each.size for each in missing))
