"""Names of Litestream 0.3's objects: a generation, a WAL number within it, for a segment also where it starts.

In: file names from a listing. Out: names that sort by generation, index and offset, and their path below a root:
`generations/<16 hex>/snapshots/<8 hex>.snapshot.lz4` and `generations/<16 hex>/wal/<8 hex>_<8 hex>.wal.lz4`.
The layout is the same on every kind of store.
"""

import re
from dataclasses import dataclass

from litestreamd.basics.errors import UsageError

FOLDER = "generations"
"""Where all of it lies, below the root."""

MAX_INDEX = 0x7FFFFFFF

_GENERATION = re.compile(r"[0-9a-f]{16}")
_SNAPSHOT = re.compile(r"([0-9a-f]{8})\.snapshot\.lz4")
# 0.3 itself reads 8 digits only; 0.5 also reads the longer offsets of a WAL above 4 GiB.
_SEGMENT = re.compile(r"([0-9a-f]{8})_([0-9a-f]{8,16})\.wal\.lz4")
_INDEX = re.compile(r"[0-9a-fA-F]{1,8}")


@dataclass(frozen=True, order=True, slots=True)
class SnapshotName:
    """A copy of the database file; the WAL of this index, from its start, belongs on top of it."""

    generation: str
    index: int

    @property
    def path(self) -> str:
        """Below the root, with slashes."""
        return f"{FOLDER}/{self.generation}/snapshots/{format_index(self.index)}.snapshot.lz4"

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, order=True, slots=True)
class SegmentName:
    """Part of a WAL file. offset: where it starts, in bytes of the WAL as it was before compression."""

    generation: str
    index: int
    offset: int

    @property
    def path(self) -> str:
        """Below the root, with slashes."""
        return f"{FOLDER}/{self.generation}/wal/{format_index(self.index)}_{self.offset:08x}.wal.lz4"

    def __str__(self) -> str:
        return self.path


V3Name = SnapshotName | SegmentName


def is_generation(text: str) -> bool:
    """Whether a folder name is that of a generation."""
    return _GENERATION.fullmatch(text) is not None


def parse_snapshot(generation: str, text: str) -> SnapshotName | None:
    """Read a file name of `snapshots/`; None for what 0.3 would ignore too."""
    match = _SNAPSHOT.fullmatch(text)
    return SnapshotName(generation, int(match[1], 16)) if match and int(match[1], 16) <= MAX_INDEX else None


def parse_segment(generation: str, text: str) -> SegmentName | None:
    """Read a file name of `wal/`; None for what 0.3 would ignore too, and for an offset written in another way."""
    match = _SEGMENT.fullmatch(text)
    if match is None or int(match[1], 16) > MAX_INDEX:
        return None
    name = SegmentName(generation, int(match[1], 16), int(match[2], 16))
    return name if name.path.endswith(text) else None


def format_index(index: int) -> str:
    """The 8 hex digits of a WAL number."""
    return f"{index:08x}"


def parse_index(text: str) -> int:
    """A WAL number as a user writes it: 1 to 8 hex digits. Raises UsageError."""
    if not _INDEX.fullmatch(text) or int(text, 16) > MAX_INDEX:
        raise UsageError(f"{text!r} is not a WAL index: write 1 to 8 hex digits, up to {format_index(MAX_INDEX)}")
    return int(text, 16)


def parse_generation(text: str) -> str:
    """A generation as a user writes it. Raises UsageError."""
    if not is_generation(text):
        raise UsageError(f"{text!r} is not a generation: write its 16 hex digits, in lower case")
    return text
