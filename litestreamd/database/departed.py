"""States whose entries left the spool while nobody knew whether a replica has them already.

In: TXIDs and rolling checksums of such entries. Out: the checksum at one of these TXIDs, so that a replica whose newest
state is that one proves itself ours when it is back: what was sent in the last moments before a crash is in no cursor.
Promise: durable when `add` returns; a file that is damaged counts as none.
Layout of `<name>.departed`, big-endian: TXID 8 and checksum 8 for each, CRC-64 of all that 8.
"""

import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from litestreamd.basics.checksum import crc64
from litestreamd.database.disk import private, state_disk, write_whole

_ONE, _CRC = struct.Struct(">QQ"), struct.Struct(">Q")


class Departed:
    """Of one replica; `folder` is the state's `replicas`."""

    def __init__(self, folder: Path, replica: str) -> None:
        self._path = folder / f"{replica}.departed"
        self._checksums: dict[int, int] = {}

    def open(self) -> None:
        """Read it back after a start."""
        self._checksums = {}
        path, data = self._path, b""
        with state_disk(path, "read"), suppress(FileNotFoundError), open(path, "rb", opener=private) as file:
            data = file.read()
        body, crc = data[: -_CRC.size], data[-_CRC.size :]
        if len(body) % _ONE.size == 0 and crc == _CRC.pack(crc64(body, 0)):
            self._checksums = dict(_ONE.iter_unpack(body))

    def add(self, states: Iterable[tuple[int, int]]) -> None:
        """Entries with these (TXID, rolling checksum) are about to leave. Raises EnvironmentFault; then they stay."""
        self._store(self._checksums | dict(states))

    def checksum(self, txid: int) -> int | None:
        """The rolling database checksum at a TXID."""
        return self._checksums.get(txid)

    def forget(self, through: int) -> None:
        """A durable cursor says that the replica has everything up to this TXID. Raises EnvironmentFault."""
        self._store({txid: checksum for txid, checksum in self._checksums.items() if txid > through})

    def _store(self, checksums: dict[int, int]) -> None:
        if checksums == self._checksums:
            return
        if checksums:
            body = b"".join(_ONE.pack(*one) for one in sorted(checksums.items()))
            write_whole(self._path, body + _CRC.pack(crc64(body, 0)))
        else:
            with state_disk(self._path, "removed"):
                self._path.unlink(missing_ok=True)
        self._checksums = checksums
