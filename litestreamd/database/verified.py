"""`verified.json`: what the last drill of a database found, and when one last was well.

In and out: a Verified in the state directory of a database. Promised: written whole or not at all, for the owner of
that directory, whoever ran the drill; there is none before the first drill.
"""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from litestreamd.basics.errors import DamagedData
from litestreamd.database.draft import told
from litestreamd.database.state import VERSION, read_json, write_json

_NAME = "verified.json"


@dataclass(frozen=True, slots=True)
class Verified:
    """at_ms: when it ended, since 1970. txid: what was restored, None when nothing was (or a state without TXIDs).
    replica: its name. error: None when all is well. live: "equal", "different" or "not compared". last_ok_ms: when a
    drill last was well, this one included; None: never yet."""

    ok: bool
    at_ms: int
    txid: int | None
    replica: str
    error: str | None = None
    live: str = "not compared"
    last_ok_ms: int | None = None

    def to_json(self) -> dict[str, Any]:
        """For the status document."""
        return asdict(self)


def save_verified(state: Path, found: Verified) -> None:
    """Replace the record in an existing state directory. Raises EnvironmentFault, RightsError."""
    path = state / _NAME
    write_json(path, {"version": VERSION, **found.to_json()})
    with told(path):
        owner = state.stat()
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def load_verified(state: Path) -> Verified | None:
    """The last result; None when there was no drill. Raises DamagedData, EnvironmentFault."""
    path = state / _NAME
    value = read_json(path)
    if value is None:
        return None
    try:
        txid, last = value["txid"], value["last_ok_ms"]
        return Verified(
            bool(value["ok"]), int(value["at_ms"]), None if txid is None else int(txid), str(value["replica"]),
            None if value["error"] is None else str(value["error"]), str(value["live"]),
            None if last is None else int(last),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise DamagedData(f"{path} is damaged; the next drill writes it anew, or remove it") from None
