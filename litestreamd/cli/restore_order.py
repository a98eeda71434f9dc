"""In which order replicas would be tried by a restore, as `-dry-run` tells it."""

from collections.abc import Sequence

from litestreamd.basics.clock import format_time, format_time_ns
from litestreamd.basics.txid import format_txid
from litestreamd.jobs.restore_choice import Candidate, CandidateV3


def print_order(order: Sequence[Candidate | CandidateV3]) -> None:
    """One line for each replica; nothing where there is one only."""
    if len(order) < 2:
        return
    print("\nReplicas, in the order in which they are tried:")
    for number, each in enumerate(order, start=1):
        reached = f"TXID {format_txid(each.plan.max_txid)}" if isinstance(each, Candidate) else "Litestream 0.3"
        print(f"  {number}. {each.replica.name}: {reached}, stored at {_stored(each)}")


def order_fields(order: Sequence[Candidate | CandidateV3]) -> list[dict[str, object]]:
    """The same for JSON."""
    return [
        {
            "replica": each.replica.name,
            "txid": format_txid(each.plan.max_txid) if isinstance(each, Candidate) else None,
            "timestamp": _stored(each),
        }
        for each in order
    ]


def _stored(each: Candidate | CandidateV3) -> str:
    """As finely as its format knows it."""
    return format_time(each.created_ns // 1_000_000) if isinstance(each, Candidate) else format_time_ns(each.created_ns)
