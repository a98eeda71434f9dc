"""state.json: the head up to which the page hashes are durable, and who we are.

In: a State. Out: the same after a restart, or None when there is none.
Promise: written whole or not at all (write, fsync, rename, fsync of the directory); a version from the future is
refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database.disk import private, write_whole
from litestreamd.database.ledger import Head
from litestreamd.plan.position import Position

VERSION = 1
KEPT_NODE_IDS = 32


@dataclass(frozen=True, slots=True)
class State:
    """`head` is what the page hashes in the file named `pages` stand for; later spool entries are applied at start.

    `node_ids` are the random numbers of our writer incarnations, the present one last: they tell our files from
    another writer's.
    """

    head: Head
    pages: str
    node_ids: tuple[int, ...]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a small file durably. Raises EnvironmentFault."""
    write_whole(path, json.dumps(value, indent=1).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """A small file of ours, None if there is none. Raises DamagedData, also for a version from the future."""
    try:
        with open(path, "rb", opener=private) as file:
            value = json.loads(file.read())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise DamagedData(f"{path} is damaged; remove its directory to start with a full comparison.") from None
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(value, dict) or value.get("version") != VERSION:
        raise DamagedData(f"{path} was written by another version of litestreamd than this one understands.")
    return value


def save_state(path: Path, state: State) -> None:
    """Write state.json."""
    head, at = state.head, state.head.position
    write_json(path, {
        "version": VERSION,
            "pages": state.pages,
        "txid": head.txid,
        "timestamp_ms": head.timestamp_ms,
        "checksum": f"{head.checksum:016x}",
        "file_checksum": f"{head.file_checksum:016x}",
        "continuous": head.continuous,
        "position": {
            "salts": at.salts.hex(),
            "frame": at.frame,
            "checksum": at.checksum.hex(),
            "change": at.change,
            "page_size": at.page_size,
            "commit": at.commit,
        },
        "node_ids": [f"{node:016x}" for node in state.node_ids[-KEPT_NODE_IDS:]],
    })  # fmt: skip


def load_state(path: Path) -> State | None:
    """Read state.json; None on the first start. Raises DamagedData."""
    value = read_json(path)
    if value is None:
        return None
    try:
        at = value["position"]
        position = Position(
            bytes.fromhex(at["salts"]), at["frame"], bytes.fromhex(at["checksum"]), at["change"], at["page_size"],
            at["commit"],
        )  # fmt: skip
        head = Head(
            value["txid"], value["timestamp_ms"], position, int(value["checksum"], 16),
            int(value["file_checksum"], 16), value["continuous"],
        )  # fmt: skip
        return State(head, str(value["pages"]), tuple(int(node, 16) for node in value["node_ids"]))
    except (KeyError, TypeError, ValueError):
        raise DamagedData(f"{path} is damaged; remove its directory to start with a full comparison.") from None
