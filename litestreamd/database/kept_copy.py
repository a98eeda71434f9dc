"""The restored copy of the last good drill of a replica, kept for the next one.

In: a restored file and what it was proven from. Out: the same at the next drill, or nothing. Promised: the note is
written last and removed first, so that a copy that was broken off in the midst of a change is none; it takes no room
that the application or a restore could need (`has_room`). What it holds is proven anew before it counts.
"""

import json
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.basics.txid import format_txid
from litestreamd.database.disk import free_bytes, private, write_whole
from litestreamd.database.draft import told
from litestreamd.database.ownership import hand_over
from litestreamd.ltx.names import ObjectName, parse_name

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as it was when it was proven. size: bytes. created_ms: of its last listing."""

    size: int
    created_ms: int


@dataclass(frozen=True, slots=True)
class Kept:
    """root: the place, as a URL without secrets. txid: of the state in the file. objects: those that were proven."""

    root: str
    txid: int
    page_size: int
    objects: Mapping[ObjectName, Seen]


class KeptCopy:
    """Of one replica; `state` is the state directory of the database."""

    def __init__(self, state: Path, replica: str) -> None:
        self._folder = state / "drill"
        self._note = self._folder / f"{replica}.json"
        self._file = self._folder / f"{replica}.db"

    def take(self, root: str, output: Path) -> Kept | None:
        """Move the file to `output`, for it will be changed; None when there is none of this place, or it cannot be
        moved there. Either way nothing is kept any more."""
        kept = self._load(root)
        with suppress(OSError):
            self._note.unlink(missing_ok=True)
            if kept is not None:
                self._file.rename(output)
                if _is_one_file(output):
                    return kept
                output.unlink()
        self.forget()
        return None

    def keep(self, output: Path, kept: Kept) -> bool:
        """Take a file over, for the owner of the state directory; False when it lies on another file system. Raises
        EnvironmentFault, RightsError."""
        note = {
            "version": _VERSION,
            "root": kept.root,
            "txid": format_txid(kept.txid),
            "page_size": kept.page_size,
            "objects": {str(name): [seen.size, seen.created_ms] for name, seen in kept.objects.items()},
        }
        with told(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            hand_over(self._folder, self._folder.parent)
            hand_over(output, self._folder)
        try:
            output.rename(self._file)
        except OSError:
            return False
        write_whole(self._note, json.dumps(note).encode())
        return True

    def forget(self) -> None:
        """Remove it, as far as that is possible."""
        for path in (self._note, self._file):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def has_room(self, size: int) -> bool:
        """Whether as much as the database takes stays free beside it."""
        with suppress(EnvironmentFault):
            return free_bytes(self._folder.parent) >= size
        return False

    def _load(self, root: str) -> Kept | None:
        """What does not make sense is none: then everything is restored."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            with open(self._note, "rb", opener=private) as file:
                value = json.loads(file.read())
            objects = {parse_name(text): Seen(int(size), int(at)) for text, (size, at) in value["objects"].items()}
            if value["version"] == _VERSION and value["root"] == root and None not in objects:
                known = {name: seen for name, seen in objects.items() if name is not None}
                return Kept(root, int(value["txid"], 16), int(value["page_size"]), known)
        return None


def _is_one_file(path: Path) -> bool:
    """Not a second name, of either kind, for a file that the owner of the state directory may not write himself."""
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1
