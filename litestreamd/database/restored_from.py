"""`restored-from.json`: what a restore leaves for the daemon that will continue the replica.

In and out: a RestoredFrom in the state directory of a database (plan/continuation says what it proves).
Promised: written whole or not at all.
"""

from pathlib import Path

from litestreamd.basics.errors import DamagedData
from litestreamd.basics.txid import format_txid
from litestreamd.database.draft import told
from litestreamd.database.ownership import give
from litestreamd.database.state import VERSION, read_json, write_json
from litestreamd.plan.continuation import Head, RestoredFrom

_NAME = "restored-from.json"


def save_restored_from(directory: Path, record: RestoredFrom, uid: int, gid: int) -> None:
    """Leave the record in a state directory, made for this owner (-1: ours) when it is missing.

    Raises EnvironmentFault or RightsError.
    """
    with told(directory):
        for folder in (directory.parent, directory):
            if not folder.exists():
                folder.mkdir(mode=0o700, parents=True)
                give(folder, uid, gid)
    write_json(
        directory / _NAME,
        {
            "version": VERSION,
            "root": record.root,
            "txid": format_txid(record.txid),
            "head": format_txid(record.head.txid),
            "head_checksum": format_txid(record.head.checksum),
            "epoch": record.epoch,
        },
    )


def load_restored_from(directory: Path) -> RestoredFrom | None:
    """Read the record; None when no restore left one. Raises DamagedData."""
    path = directory / _NAME
    value = read_json(path)
    if value is None:
        return None
    try:
        head = Head(int(value["head"], 16), int(value["head_checksum"], 16))
        return RestoredFrom(str(value["root"]), int(value["txid"], 16), head, int(value["epoch"]))
    except (KeyError, TypeError, ValueError):
        raise DamagedData(f"{path} is damaged; remove it to go on without it") from None
