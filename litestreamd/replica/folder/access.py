"""Who may read what a folder replica writes: modes and owner, taken from the database as Litestream does.

In: the path of a database. Out: the modes and the owner for new files and folders.
"""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Access:
    """Permissions of new files and folders; owner and group are set only where we may (as root)."""

    file_mode: int = 0o600
    directory_mode: int = 0o700
    uid: int = -1
    gid: int = -1

    def apply_to_file(self, descriptor: int) -> None:
        """Give an open new file its owner and mode."""
        self._own(descriptor)
        os.fchmod(descriptor, self.file_mode)

    def apply_to_folder(self, descriptor: int) -> None:
        """Give an open new folder its owner and mode."""
        self._own(descriptor)
        os.fchmod(descriptor, self.directory_mode)

    def _own(self, descriptor: int) -> None:
        if os.geteuid() == 0 and self.uid >= 0:
            os.fchown(descriptor, self.uid, self.gid)


def access_like(database: Path) -> Access:
    """Files get the mode and owner of the database file, folders those of its parent folder.

    Folders also get the x bits that go with their r bits, and the sticky bit if the parent has it. The
    private default stands when there is no database yet. Only stat() is used: no descriptor of a live
    database is opened.
    """
    try:
        file, folder = database.stat(), database.parent.stat()
    except FileNotFoundError:
        return Access()
    readable = folder.st_mode & 0o1777 | 0o700
    return Access(
        file_mode=file.st_mode & 0o777,
        directory_mode=readable | (readable & 0o444) >> 2,
        uid=file.st_uid,
        gid=file.st_gid,
    )
