"""The keys of a replica in a bucket, as Litestream lays them out.

In: the path of the configuration. Out: keys from names and names from keys. Litestream 0.5:
`<path>/<level %04x>/<file>` with the slash even for an empty path, and no `ltx/`; 0.3: `<path>/generations/...`,
without that slash. Our notes lie beside the levels: `<path>/litestreamd/...`. What is none of these is ignored.
"""

import re

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName, parse_file_name
from litestreamd.v3.names import FOLDER, V3Name, is_generation, parse_segment, parse_snapshot

_NOTE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_NOT_A_NOTE = (".tmp",)


class Layout:
    """The keys below one path."""

    def __init__(self, path: str) -> None:
        self._objects = f"{path}/"
        self._notes = f"{path}/litestreamd/"
        self._old = "" if path in ("", ".") else f"{path.strip('/')}/"

    @property
    def root(self) -> str:
        """What all keys of ours begin with."""
        return self._objects

    def levels(self, level: int | None) -> str:
        """What the keys of one level begin with, or those of all ten and little else."""
        return f"{self._objects}000" if level is None else f"{self._objects}{level:04x}/"

    def key(self, name: ObjectName) -> str:
        """The key of an object."""
        return f"{self._objects}{name.level:04x}/{name.file_name}"

    def name(self, key: str) -> ObjectName | None:
        """The object of a key; None for foreign ones."""
        folder, _, file = key.removeprefix(self._objects).partition("/")
        if len(folder) != 4 or not folder.startswith("000") or not folder.isdecimal():
            return None
        level = int(folder)
        return parse_file_name(level, file) if level <= SNAPSHOT_LEVEL else None

    def note_key(self, name: str) -> str:
        """The key of a note. ValueError for what is no name of one."""
        if not _NOTE_NAME.fullmatch(name) or name.endswith(_NOT_A_NOTE):
            raise ValueError(f"{name!r} is not a name for a note")
        return self._notes + name

    def notes(self, prefix: str) -> str:
        """What the keys of notes with this prefix begin with."""
        return self._notes + prefix

    def note(self, key: str) -> str | None:
        """The note of a key; None for foreign ones."""
        name = key.removeprefix(self._notes)
        return name if _NOTE_NAME.fullmatch(name) and not name.endswith(_NOT_A_NOTE) else None

    @property
    def old(self) -> str:
        """What the keys of Litestream 0.3 begin with."""
        return f"{self._old}{FOLDER}/"

    def old_key(self, name: V3Name) -> str:
        """The key of an object of Litestream 0.3."""
        return self._old + name.path

    def old_name(self, key: str) -> V3Name | None:
        """The object of Litestream 0.3 of a key; None for foreign ones."""
        match key.removeprefix(self.old).split("/"):
            case [generation, "snapshots", file] if is_generation(generation):
                return parse_snapshot(generation, file)
            case [generation, "wal", file] if is_generation(generation):
                return parse_segment(generation, file)
        return None
