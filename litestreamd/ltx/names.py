"""Names of LTX objects: a level and a range of TXIDs, and the file name that says it.

In: file names from a listing. Out: `ObjectName` values that sort by level, then range.
The folders around the file name differ from store to store and belong to the stores.
"""

import re
from dataclasses import dataclass

from litestreamd.basics.txid import format_txid

SNAPSHOT_LEVEL = 9
"""The level of full images; 0 holds single syncs, 1..8 compactions of the level below."""

_FILE_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.ltx")


@dataclass(frozen=True, order=True, slots=True)
class ObjectName:
    """One LTX object of a replica: the level it lies on and the TXIDs its name claims."""

    level: int
    min_txid: int
    max_txid: int

    @property
    def file_name(self) -> str:
        """`<min>-<max>.ltx`, each TXID as 16 lower-case hex digits."""
        return f"{format_txid(self.min_txid)}-{format_txid(self.max_txid)}.ltx"

    def __str__(self) -> str:
        return f"{self.level}/{self.file_name}"


def parse_name(text: str) -> ObjectName | None:
    """What `str` of an ObjectName gives, as a name again; None for anything else."""
    level, _, file_name = text.partition("/")
    return parse_file_name(int(level), file_name) if len(level) == 1 and level in "0123456789" else None


def parse_file_name(level: int, text: str) -> ObjectName | None:
    """Read a file name of a level; None for anything Litestream would ignore too (upper case, `.tmp`, other files)."""
    match = _FILE_NAME.fullmatch(text)
    if match is None:
        return None
    return ObjectName(level, int(match[1], 16), int(match[2], 16))
