"""Writer epochs: who writes a replica now, told through notes that are created and never overwritten.

In: a Replica and the description of this incarnation of the daemon. Out: epoch numbers, records of others.
Promised: two writers never hold the same epoch; whoever is not the highest one finds out by
`check_still_highest` and must stop. An epoch is `writers/<epoch %016x>.json`, with a sibling
`<epoch>.closed` after a clean stop. Litestream ignores these names.
"""

import json
from dataclasses import dataclass

from litestreamd.basics.errors import ConflictError
from litestreamd.basics.txid import format_txid
from litestreamd.replica.port import Created, Replica

_FOLDER = "writers/"


@dataclass(frozen=True, slots=True)
class Writer:
    """One incarnation of a daemon. node_id: random 64 bits, as in the LTX headers it writes.

    machine: /etc/machine-id. start_ms: when it started. head: the TXID it found, or will continue after.
    """

    node_id: int
    machine: str
    host: str
    instance: str
    start_ms: int
    head: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """A record on the replica; `writer` is None when its text cannot be read (written by a newer version)."""

    number: int
    writer: Writer | None
    closed: bool

    def __str__(self) -> str:
        if self.writer is None:
            return f"writer epoch {self.number}"
        return f"writer epoch {self.number} ({self.writer.instance} on {self.writer.host})"


@dataclass(frozen=True, slots=True)
class Writers:
    """What the notes say: the highest epoch, None when nobody has ever opened one here."""

    highest: Epoch | None


def read_writers(replica: Replica) -> Writers:
    """Look at the epochs of a replica. Errors of the port."""
    names = set(replica.list_notes(_FOLDER))
    number = _highest(names)
    if number is None:
        return Writers(None)
    writer = _decode(replica.read_note(_note(number))) if _note(number) in names else None
    return Writers(Epoch(number, writer, closed=_closed_note(number) in names))


def open_epoch(replica: Replica, writer: Writer) -> int:
    """Record `writer` under the next free number and return that: we are now the highest writer."""
    number = (_highest(set(replica.list_notes(_FOLDER))) or 0) + 1
    while replica.create_note(_note(number), _encode(writer)) is Created.EXISTS:
        number += 1
    return number


def close_epoch(replica: Replica, number: int) -> None:
    """Say that this writer has stopped cleanly, everything sent. Doing it twice is no error."""
    replica.create_note(_closed_note(number), b"")


def check_still_highest(replica: Replica, number: int) -> None:
    """Raise ConflictError unless `number` is the highest epoch of the replica. Errors of the port.

    Two questions instead of a listing, which is dear on some stores: whoever comes after takes the next free number.
    """
    if replica.has_note(_note(number + 1)):
        highest = read_writers(replica).highest
        raise ConflictError(
            f"{replica.description}: {highest} has taken over this replica from us (epoch {number}); "
            "nothing more is written to it: stop one of the two, or give each a path of its own"
        )
    if not replica.has_note(_note(number)):
        raise ConflictError(
            f"{replica.description}: the record of this writer (epoch {number}) is gone: somebody emptied or "
            "exchanged the replica; nothing more is written to it until the service is restarted"
        )


def _note(number: int) -> str:
    return f"{_FOLDER}{number:016x}.json"


def _closed_note(number: int) -> str:
    return f"{_FOLDER}{number:016x}.closed"


def _highest(names: set[str]) -> int | None:
    """The highest number among note names; others than ours are ignored."""
    numbers = []
    for name in names:
        digits, _, kind = name.removeprefix(_FOLDER).partition(".")
        if len(digits) == 16 and not set(digits) - set("0123456789abcdef") and kind in ("json", "closed"):
            numbers.append(int(digits, 16))
    return max(numbers, default=None)


def _encode(writer: Writer) -> bytes:
    record = {
        "version": 1,
        "node_id": format_txid(writer.node_id),
        "machine": writer.machine,
        "host": writer.host,
        "instance": writer.instance,
        "start": writer.start_ms,
        "head": format_txid(writer.head),
    }
    return json.dumps(record, indent=1).encode() + b"\n"


def _decode(data: bytes) -> Writer | None:
    try:
        record = json.loads(data)
        return Writer(
            node_id=int(record["node_id"], 16),
            machine=str(record["machine"]),
            host=str(record["host"]),
            instance=str(record["instance"]),
            start_ms=int(record["start"]),
            head=int(record["head"], 16),
        )
    except (ValueError, KeyError, TypeError):
        return None
