"""A replica as Litestream 0.3 lays it out, made to order.

In: database and WAL bytes, names, times. Out: objects in a folder, packed as 0.3 packs them (one LZ4 frame: independent
blocks of 4 MiB at most, a content checksum). What a restore must give is worked out naively, page by page.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import lz4.frame

from litestreamd.v3.names import SegmentName, SnapshotName, V3Name
from tests.support.wal_writer import WalWriter

GENERATION = "0123456789abcdef"
START_NS = 1_795_396_281_000_000_123
STEP_NS = 1_000_000_007


def packed(data: bytes) -> bytes:
    """As 0.3 stores it."""
    whole: bytes = lz4.frame.compress(
        data, block_linked=False, block_size=lz4.frame.BLOCKSIZE_MAX4MB, content_checksum=True, store_size=False
    )
    return whole


def store(root: Path, name: V3Name, body: bytes, created_ns: int) -> Path:
    """Put an object there, whatever its bytes; out: its file."""
    path = root / name.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, ns=(created_ns, created_ns))
    return path


Transaction = tuple[dict[int, int], int]
"""{page number: what it is filled with}, and the size of the database in pages after it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What was stored: a snapshot's bytes, or the transactions of a segment."""

    name: V3Name
    created_ns: int
    path: Path
    image: bytes = b""
    transactions: tuple[Transaction, ...] = ()


@dataclass
class Backup:
    """One generation under construction; each object is a second (and a bit) younger than the one before."""

    root: Path
    page_size: int = 512
    big_endian: bool = False
    generation: str = GENERATION
    now_ns: int = START_NS
    log: list[Entry] = field(default_factory=list)
    _index: int = 0
    _sent: int = 0
    _wal: WalWriter | None = None

    def snapshot(self) -> Entry:
        """The database as it is, at the current WAL index."""
        image = self.image(len(self.log)) if self.log else self.page(1, 1)
        return self._store(SnapshotName(self.generation, self._index), image, image=image)

    def segment(self, *transactions: Transaction) -> Entry:
        """Transactions that go up together."""
        if self._wal is None:
            self._wal = WalWriter(self.page_size, self.big_endian, salt1=self._index + 7)
        for pages, size in transactions:
            for number, (pgno, fill) in enumerate(pages.items(), 1):
                self._wal.append(pgno, self.page(pgno, fill), size if number == len(pages) else 0)
        name = SegmentName(self.generation, self._index, self._sent)
        data = bytes(self._wal.data[self._sent :])
        self._sent = len(self._wal.data)
        return self._store(name, data, transactions=transactions)

    def restart(self) -> None:
        """The next segment begins a new WAL."""
        self._index, self._sent, self._wal = self._index + 1, 0, None

    def page(self, pgno: int, fill: int) -> bytes:
        """A page that says which one it is; page 1 says how large pages are."""
        page = bytearray(pgno.to_bytes(4) + bytes([fill]) * (self.page_size - 4))
        if pgno == 1:
            page[16:18] = (1 if self.page_size == 65536 else self.page_size).to_bytes(2)
        return bytes(page)

    def image(self, count: int) -> bytes:
        """What the first `count` objects must restore to: the last snapshot, then WAL by WAL the newest pages."""
        entries = self.log[:count]
        at = max(number for number, entry in enumerate(entries) if isinstance(entry.name, SnapshotName))
        first, image = entries[at].name.index, bytearray(entries[at].image)
        for index in range(first, self._index + 1):
            newest: dict[int, int] = {}
            size = 0
            for entry in entries:
                if entry.name.index == index:
                    for pages, after in entry.transactions:
                        newest |= pages
                        size = after
            if size:
                image = bytearray(bytes(image).ljust(size * self.page_size, b"\0")[: size * self.page_size])
                for pgno, fill in newest.items():
                    if pgno <= size:
                        image[(pgno - 1) * self.page_size : pgno * self.page_size] = self.page(pgno, fill)
        return bytes(image)

    def _store(self, name: V3Name, data: bytes, image: bytes = b"", transactions: Sequence[Transaction] = ()) -> Entry:
        path = store(self.root, name, packed(data), self.now_ns)
        entry = Entry(name, self.now_ns, path, image, tuple(transactions))
        self.log.append(entry)
        self.now_ns += STEP_NS
        return entry


def three_wals(root: Path, page_size: int = 512) -> Backup:
    """A snapshot at index 0, two segments of index 0, a snapshot at 1, two segments of index 1, one of index 2."""
    backup = Backup(root, page_size)
    backup.snapshot()
    backup.segment(({1: 2, 2: 2}, 2), ({3: 3}, 3))
    backup.segment(({4: 4, 1: 4}, 4))
    backup.restart()
    backup.snapshot()
    backup.segment(({2: 5}, 4))
    backup.segment(({3: 6, 5: 6}, 5))
    backup.restart()
    backup.segment(({1: 7}, 2))
    return backup
