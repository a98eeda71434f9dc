"""What `status -remote` prints of what replicas say, as text and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import LitestreamdError
from litestreamd.basics.quantities import format_size
from litestreamd.basics.txid import format_txid
from litestreamd.cli.ages import ago, format_age
from litestreamd.cli.selection import Target
from litestreamd.cli.table import table_lines
from litestreamd.database.captured_here import CapturedHere
from litestreamd.jobs.inquiry import Answer, Lag
from litestreamd.replica.port import ReplicaSpec
from litestreamd.replica.writers import Epoch

_COLUMNS = (
    "replica", "newest txid", "newest", "lag", "objects", "size", "written by", "restore points from", "to",
)  # fmt: skip
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Asked:
    """A replica and what came of asking it: an answer, or why there is none."""

    spec: ReplicaSpec
    answer: Answer | None
    error: LitestreamdError | None = None


def lines(target: Target, found: Sequence[Asked], now_ms: int) -> Iterator[str]:
    """The block of one database."""
    here = next((each.answer.here for each in found if each.answer and each.answer.here), None)
    yield f"{_place(target)}: {_captured(here, now_ms)}"
    rows = [_row(each.spec.name, each.answer, now_ms) for each in found if each.answer]
    if rows:
        yield from (f"  {line}" for line in table_lines(_COLUMNS, rows))
    for each in found:
        name = f"  {each.spec.name}: "
        if each.error:
            yield f"{name}cannot be asked: {each.error}"
        if each.answer and each.answer.lag and each.answer.lag.txids < 0:
            yield f"{name}is ahead of what this machine has captured: somebody else writes there, or did"
        for finding in each.answer.findings if each.answer else ():
            yield f"{name}{finding.sentence}"


def entry(target: Target, found: Sequence[Asked]) -> dict[str, object]:
    """The JSON object of one database: ms since 1970, bytes, TXIDs in decimal, as in the status document."""
    here = next((each.answer.here for each in found if each.answer and each.answer.here), None)
    return {
        "path": str(target.database.path) if target.database else None,
        "txid": here.txid if here else None,
        "captured_ms": here.captured_ms if here else None,
        "replicas": [_fields(each) for each in found],
    }


def _place(target: Target) -> str:
    return str(target.database.path) if target.database else target.replicas[0].store.url


def _captured(here: CapturedHere | None, now_ms: int) -> str:
    if here is None:
        return "nothing is known to be captured on this machine"
    return f"captured TXID {format_txid(here.txid)} {ago(now_ms, here.captured_ms)}"


def _row(name: str, answer: Answer, now_ms: int) -> tuple[str, ...]:
    newest, window = answer.newest, answer.window
    return (
        name,
        format_txid(newest.name.max_txid) if newest else _NONE,
        ago(now_ms, newest.created_ms) if newest else _NONE,
        _lag(answer.lag),
        str(answer.objects),
        format_size(answer.size),
        _writer(answer.writer),
        format_time(window.oldest.created_ms) if window else _NONE,
        format_time(window.newest.created_ms) if window else _NONE,
    )


def _lag(lag: Lag | None) -> str:
    if lag is None:
        return _NONE
    if lag.txids <= 0:
        return "none" if lag.txids == 0 else "ahead"
    return f"{format_age(lag.seconds)}, {format_size(lag.size)}"


def _writer(epoch: Epoch | None) -> str:
    """`app on host, epoch 4, stopped`."""
    if epoch is None:
        return "nobody of litestreamd"
    who = f"{epoch.writer.instance} on {epoch.writer.host}, " if epoch.writer else ""
    return f"{who}epoch {epoch.number}{', stopped' if epoch.closed else ''}"


def _fields(asked: Asked) -> dict[str, object]:
    place: dict[str, object] = {"name": asked.spec.name, "type": asked.spec.store.kind}
    answer = asked.answer
    if answer is None:
        return place | {"error": str(asked.error)}
    window, lag, newest = answer.window, answer.lag, answer.newest
    return place | {
        "error": None,
        "txid": newest.name.max_txid if newest else None,
        "newest_ms": newest.created_ms if newest else None,
        "lag_s": round(lag.seconds, 3) if lag else None,
        "lag_bytes": lag.size if lag else None,
        "lag_txids": lag.txids if lag else None,
        "window": {
            "oldest_ms": window.oldest.created_ms, "oldest_txid": window.oldest.txid,
            "newest_ms": window.newest.created_ms, "newest_txid": window.newest.txid,
        } if window else None,
        "objects": answer.objects,
        "size": answer.size,
        "findings": [{"kind": each.kind.name.lower(), "text": each.sentence} for each in answer.findings],
        "writer": _writer_fields(answer.writer),
    }  # fmt: skip


def _writer_fields(epoch: Epoch | None) -> dict[str, object] | None:
    if epoch is None:
        return None
    writer = epoch.writer
    return {
        "epoch": epoch.number,
        "closed": epoch.closed,
        "instance": writer.instance if writer else None,
        "host": writer.host if writer else None,
        "start_ms": writer.start_ms if writer else None,
    }
