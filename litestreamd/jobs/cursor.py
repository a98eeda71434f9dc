"""`replicas/<name>.json`: what we left on a root.

In and out: a Cursor. Promise: written whole or not at all, and before the spool lets go of what it stands for; it tells
at the next start whether the root is still as we left it.
"""

from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import DamagedData
from litestreamd.basics.txid import format_txid
from litestreamd.database.state import VERSION, read_json, write_json
from litestreamd.plan.continuation import Head


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place of a root, our newest TXID there with that file's checksum, and our writer epoch."""

    root: str
    head: Head
    epoch: int


def save_cursor(path: Path, cursor: Cursor) -> None:
    """Write it durably. Raises EnvironmentFault."""
    write_json(path, {
        "version": VERSION,
        "root": cursor.root,
        "head": format_txid(cursor.head.txid),
        "file_checksum": format_txid(cursor.head.checksum),
        "epoch": cursor.epoch,
    })  # fmt: skip


def load_cursor(path: Path, root: str) -> Cursor | None:
    """What was left on this root; None if nothing was, or on another one. Raises DamagedData."""
    value = read_json(path)
    if value is None or value.get("root") != root:
        return None
    try:
        head = Head(int(value["head"], 16), int(value["file_checksum"], 16))
        return Cursor(root, head, int(value["epoch"]))
    except (KeyError, TypeError, ValueError):
        raise DamagedData(f"{path} is damaged; remove it, and start once with -take-over.") from None
