"""Captured TXIDs on local disk, durable before anything else learns of them.

One file per TXID, `spool/<16 hex>.spool`: the LTX file as replicas will get it, the ledger, and a footer of
24 bytes (LTX size 8, ledger size 8, CRC-64 of all that stands before it 8). One file, one fsync, one rename: an entry
is there whole or not at all.

In: LTX bytes and a ledger. Out: entries, oldest first; LTX bytes again, in portions.
Promise: `append` returns after fsync of file and directory; a TXID never gets two contents.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from litestreamd.basics.checksum import crc64
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.basics.pulse import beat
from litestreamd.basics.txid import format_txid
from litestreamd.database.disk import fsync_folder, private, state_disk
from litestreamd.database.ledger import Ledger, decode_ledger

FOOTER = struct.Struct(">QQQ")
SUFFIX = ".spool"
PORTION = 1 << 17


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """One TXID: timestamp (ms) and checksum of its LTX file, the rolling database checksum after it, sizes in bytes of
    that file, of the whole entry, and of a page."""

    txid: int
    timestamp_ms: int
    file_checksum: int
    checksum: int
    size: int
    stored: int
    page_size: int


class Spool:
    """The folder. Entries are consecutive TXIDs unless a full image came between."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._entries: dict[int, SpoolEntry] = {}
        self._bytes = 0

    def open(self) -> Iterator[Ledger]:
        """Remove what a crash left half written, and give the ledgers in order. Raises DamagedData for a bad entry."""
        self._entries.clear()
        self._bytes = 0
        with state_disk(self._folder, "opened"):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in self._folder.glob("*.tmp"):
                path.unlink()
        for path in sorted(self._folder.glob("*" + SUFFIX)):
            ledger, entry = self._verified(path)
            self._hold(entry)
            yield ledger

    def append(self, txid: int, write_ltx: Callable[[Callable[[bytes], object]], Ledger]) -> tuple[SpoolEntry, Ledger]:
        """Store one TXID: `write_ltx` writes the LTX file through what it is given and returns the ledger.

        Raises EnvironmentFault when the disk does not take it; then there is no entry.
        """
        path = self._path(txid)
        temporary = path.with_suffix(".tmp")
        try:
            with open(temporary, "wb", opener=private) as file:
                sink = _Sink(file.write)
                ledger = write_ltx(sink.write)
                size, tail = sink.size, ledger.encode()
                sink.write(tail)
                file.write(FOOTER.pack(size, len(tail), sink.crc))
                file.flush()
                passing("spool.written")
                os.fsync(file.fileno())
            temporary.rename(path)
            passing("spool.renamed")
            fsync_folder(self._folder)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise EnvironmentFault(f"The spool {self._folder} cannot be written: {error.strerror}.") from error
        passing("spool.synced")
        entry = _entry(ledger, size, size + len(tail) + FOOTER.size)
        self._hold(entry)
        return entry, ledger

    def entries(self, after: int = 0) -> list[SpoolEntry]:
        """Entries with a TXID above `after`, oldest first (a copy, so that another thread may append)."""
        return [entry for txid, entry in sorted(self._entries.items()) if txid > after]

    def get(self, txid: int) -> SpoolEntry | None:
        """The entry of one TXID, if it is (still) here."""
        return self._entries.get(txid)

    def ltx(self, entry: SpoolEntry) -> Iterator[bytes]:
        """The LTX file of an entry that not every replica has, in portions."""
        chunks = self.opened(entry)
        if chunks is None:
            path = self._path(entry.txid)
            raise DamagedData(f"{path} is gone, and not every replica has it: its disk loses data.")
        return chunks

    def opened(self, entry: SpoolEntry) -> Iterator[bytes] | None:
        """The LTX file of an entry, open from now on; None when it has left the spool."""
        path = self._path(entry.txid)
        with state_disk(path, "opened"):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                return None
        return self._portions(file, path, entry.size)

    def _portions(self, file: BinaryIO, path: Path, rest: int) -> Iterator[bytes]:
        with file:
            while rest:
                beat()
                with state_disk(path, "read"):
                    portion = file.read(min(PORTION, rest))
                if not portion:
                    raise DamagedData(f"{path} became shorter: its disk loses data.")
                rest -= len(portion)
                yield portion

    def ledgers(self, after: int) -> Iterator[Ledger]:
        """The ledgers of entries with a TXID above `after`, in order, read again. Raises DamagedData."""
        for entry in self.entries(after):
            path = self._path(entry.txid)
            with state_disk(path, "read"), path.open("rb") as file:
                file.seek(entry.size)
                data = file.read(entry.stored - entry.size - FOOTER.size)
            yield decode_ledger(data)

    def trim(self, through: int) -> int:
        """Delete entries up to a TXID. Out: how many. Deleting needs no fsync: an entry that comes back is harmless."""
        gone = [txid for txid in sorted(self._entries) if txid <= through]
        for txid in gone:
            with state_disk(self._path(txid), "removed"):
                self._path(txid).unlink(missing_ok=True)
            self._bytes -= self._entries.pop(txid).stored
        return len(gone)

    def count(self) -> int:
        """Entries stored."""
        return len(self._entries)

    def bytes(self) -> int:
        """Bytes stored."""
        return self._bytes

    def _hold(self, entry: SpoolEntry) -> None:
        self._entries[entry.txid] = entry
        self._bytes += entry.stored

    def _path(self, txid: int) -> Path:
        return self._folder / (format_txid(txid) + SUFFIX)

    def _verified(self, path: Path) -> tuple[Ledger, SpoolEntry]:
        with state_disk(path, "read"), path.open("rb") as file:
            stored = os.fstat(file.fileno()).st_size
            crc, rest = 0, stored - FOOTER.size
            while rest > 0:
                portion = file.read(min(PORTION, rest))
                crc, rest = crc64(portion, crc), rest - len(portion)
            footer = file.read(FOOTER.size)
            if len(footer) != FOOTER.size:
                raise DamagedData(f"{path} is cut: its disk lost what had been stored durably.")
            size, tail, expected = FOOTER.unpack(footer)
            if crc != expected or size + tail + FOOTER.size != stored:
                raise DamagedData(f"{path} is damaged: its disk lost what had been stored durably.")
            file.seek(size)
            ledger = decode_ledger(file.read(tail))
        txid = ledger.head.txid
        if self._path(txid) != path:
            raise DamagedData(f"{path} holds TXID {format_txid(txid)}.")
        return ledger, _entry(ledger, size, stored)


def _entry(ledger: Ledger, size: int, stored: int) -> SpoolEntry:
    head = ledger.head
    return SpoolEntry(
        head.txid, head.timestamp_ms, head.file_checksum, head.checksum, size, stored, head.position.page_size
    )


class _Sink:
    """Counts and checksums what passes."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self.size = 0
        self.crc = 0

    def write(self, data: bytes) -> None:
        self._write(data)
        self.size += len(data)
        self.crc = crc64(data, self.crc)
