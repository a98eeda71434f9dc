"""`verified.json`: what the last drill of a database found, and of each of its replicas, and when one last was well.

In and out: Verified values in the state directory of a database. Promised: written whole or not at all, for the owner
of that directory, whoever ran the drill; there is none before the first drill.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from litestreamd.basics.errors import DamagedData
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


def save_verified(state: Path, found: Verified, each: Mapping[str, Verified] | None = None) -> None:
    """Replace the record in an existing state directory; `each`: of replicas, by name. Raises
    EnvironmentFault."""
    replicas = {name: record.to_json() for name, record in (each or {}).items()}
    write_json(state / _NAME, {"version": VERSION, **found.to_json(), "replicas": replicas})


def load_verified(state: Path) -> Verified | None:
    """The last result of the database; None when there was no drill. Raises DamagedData, EnvironmentFault."""
    path = state / _NAME
    value = read_json(path)
    return None if value is None else _parse(path, value)


def load_each(state: Path) -> dict[str, Verified]:
    """The last result of each replica that had a drill. Raises DamagedData, EnvironmentFault."""
    path = state / _NAME
    value = read_json(path)
    replicas = {} if value is None else value.get("replicas", {})
    if not isinstance(replicas, dict):
        raise _damaged(path)
    return {str(name): _parse(path, record) for name, record in replicas.items()}


def _parse(path: Path, value: Mapping[str, Any]) -> Verified:
    try:
        txid, last = value["txid"], value["last_ok_ms"]
        return Verified(
            bool(value["ok"]), int(value["at_ms"]), None if txid is None else int(txid), str(value["replica"]),
            None if value["error"] is None else str(value["error"]), str(value["live"]),
            None if last is None else int(last),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise _damaged(path) from None


def _damaged(path: Path) -> DamagedData:
    return DamagedData(f"{path} is damaged; the next drill writes it anew, or remove it")
