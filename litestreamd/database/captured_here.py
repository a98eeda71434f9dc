"""What this machine has captured of a database, seen from outside: by a command, while a daemon works or none does.

In: a state directory. Out: the head, and what waits in the spool, or None when nothing was captured here.
Promised: nothing is opened for writing, locked or proven; what the daemon removes meanwhile is passed over.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import DamagedData
from litestreamd.database.disk import state_disk
from litestreamd.database.spool import FOOTER, SUFFIX
from litestreamd.database.state import load_state
from litestreamd.ltx.header import HEADER_SIZE, decode_header


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file in the spool: its TXID, when it was captured (ms since 1970), bytes of its LTX file."""

    txid: int
    captured_ms: int
    size: int


@dataclass(frozen=True, slots=True)
class CapturedHere:
    """The last TXID that is captured, and when that was (ms since 1970); `waiting`: the spool, ascending."""

    txid: int
    captured_ms: int
    waiting: tuple[Waiting, ...] = ()


def captured_here(state: Path) -> CapturedHere | None:
    """Look at a state directory. Raises DamagedData, EnvironmentFault."""
    known = load_state(state / "state.json")
    waiting = tuple(_waiting(state / "spool"))
    if known is None:
        return None
    # state.json is brought forward now and then only; a file in the spool is durable and newer.
    if waiting and waiting[-1].txid > known.head.txid:
        return CapturedHere(waiting[-1].txid, waiting[-1].captured_ms, waiting)
    return CapturedHere(known.head.txid, known.head.timestamp_ms, waiting)


def _waiting(spool: Path) -> Iterator[Waiting]:
    for path in sorted(spool.glob("*" + SUFFIX)):
        with state_disk(path, "read"), suppress(FileNotFoundError, DamagedData, struct.error):
            yield _glance(path)


def _glance(path: Path) -> Waiting:
    with path.open("rb") as file:
        header = decode_header(file.read(HEADER_SIZE))
        file.seek(-FOOTER.size, 2)
        size, _, _ = FOOTER.unpack(file.read(FOOTER.size))
    return Waiting(header.max_txid, header.timestamp_ms, size)
