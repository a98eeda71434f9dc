"""The barrier of a drill: what the daemon of an instance says is durable on a replica.

In: the control socket, a database, a replica. Out: a TXID; None when no daemon answers there, or when the database is
none of its own (paused, not there yet). No other replica is waited for. Everything committed before the call is in that
TXID.
"""

from functools import partial
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault, StoreError
from litestreamd.basics.txid import format_txid
from litestreamd.daemon.control_client import NotRunning, ask
from litestreamd.jobs.drill_compare import Barrier

PATIENCE_S = 60.0
"""How long a replica may take to get what has been committed."""
_ANSWER_S = 10.0


def barrier_of(socket: Path | None, database: Path, replica: str) -> Barrier | None:
    """None where no daemon can be asked: there is no socket."""
    if socket is None or not socket.exists():
        return None
    return partial(_durable, socket, database, replica)


def _durable(socket: Path, database: Path, replica: str) -> int | None:
    asked = {"db": str(database), "replica": replica, "timeout_s": PATIENCE_S}
    try:
        status, told = ask(socket, "POST", "/sync", asked, PATIENCE_S + _ANSWER_S)
    except NotRunning:
        return None
    if status == 404:
        return None
    if status not in (200, 504):
        raise EnvironmentFault(f"{socket} answers {status}: {told.get('error')}")
    (answer,) = told["databases"]
    if answer.get("error"):
        raise EnvironmentFault(f"the daemon cannot take what was committed: {answer['error']}")
    txid, has = answer["txid"], answer["replicas"].get(replica)
    if txid is None or has is None or has < txid:
        wanted = "what was committed" if txid is None else f"TXID {format_txid(txid)}"
        held = "" if has is None else f": it has TXID {format_txid(has)}"
        raise StoreError(f"the replica did not get {wanted} within {PATIENCE_S:.0f} s{held}")
    return int(txid) or None
