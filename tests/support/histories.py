"""Replicas with a known history: every state of a small database, and LTX objects that hold it.

In: a root, a page size, who wrote what. Out: objects in a folder replica, and the exact image after each TXID.
The images are the model the tests compare with; they are made by assignment to a list, not by the code under test.
"""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from litestreamd.basics.checksum import FLAG, lock_page, page_checksum
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.replica.folder.replica import FolderReplica

START_MS = 1_750_000_000_000


@dataclass
class History:
    """States of a database by TXID: lists of pages. `store` puts objects on the replica."""

    replica: FolderReplica
    page_size: int = 512
    proven: bool = True
    node_id: int = 7
    states: dict[int, list[bytes]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The newest TXID."""
        return max(self.states, default=0)

    def image(self, txid: int) -> bytes:
        """The database file after this TXID."""
        return b"".join(self.states[txid])

    def commit(self, pages: Sequence[bytes]) -> int:
        """A new state; out: its TXID."""
        self.states[self.last + 1] = list(pages)
        return self.last

    def store(self, level: int, first: int, last: int, proven: bool | None = None) -> ObjectName:
        """Make and store the object for these TXIDs; the whole database when it begins at 1."""
        name = ObjectName(level, first, last)
        body = encode(self.header(name, self.proven if proven is None else proven), self.pages(first, last))
        self.replica.create(name, [body], self.time_ms(last))
        return name

    def time_ms(self, txid: int) -> int:
        """When the object that ends with this TXID was made."""
        return START_MS + 1000 * txid

    def pages(self, first: int, last: int) -> list[tuple[int, bytes]]:
        """What any of these TXIDs changed, as it is after `last`. A page that is again what it was counts too: objects
        that overlap are applied one over the other."""
        changed: set[int] = set()
        for txid in range(first, last + 1):
            old, new = self.states.get(txid - 1, []), self.states[txid]
            changed |= {n for n, page in enumerate(new, 1) if n > len(old) or old[n - 1] != page}
        lock = lock_page(self.page_size)
        return [(n, page) for n, page in enumerate(self.states[last], 1) if n in changed and n != lock]

    def header(self, name: ObjectName, proven: bool) -> Header:
        """The header of the object of this name."""
        before = database_checksum(self.states.get(name.min_txid - 1, []), self.page_size)
        after = database_checksum(self.states[name.max_txid], self.page_size)
        return Header(
            page_size=self.page_size,
            commit=len(self.states[name.max_txid]),
            min_txid=name.min_txid,
            max_txid=name.max_txid,
            timestamp_ms=self.time_ms(name.max_txid),
            wal_offset=32 if name.level in (0, SNAPSHOT_LEVEL) else 0,
            node_id=self.node_id,
            proof=Proof(before, after) if proven else None,
        )


def encode(header: Header, pages: Sequence[tuple[int, bytes]]) -> bytes:
    """One LTX file."""
    parts: list[bytes] = []
    encoder = Encoder(header, parts.append)
    encoder.add(pages)
    encoder.finish()
    return b"".join(parts)


def database_checksum(pages: Sequence[bytes], page_size: int) -> int:
    """The rolling checksum of a whole image."""
    lock, value = lock_page(page_size), 0
    for number, page in enumerate(pages, 1):
        if number != lock:
            value ^= page_checksum(number, page)
    return FLAG | value


def sqlite_states(folder: Path, page_size: int, steps: int, seed: int = 1) -> list[list[bytes]]:
    """The images of a real database after each of so many transactions that grow, change and shrink it."""
    chance, path, states = random.Random(seed), folder / "model.db", []
    connection = apsw.Connection(str(path))
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA page_size={page_size}; PRAGMA auto_vacuum=FULL; CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
    for _ in range(steps):
        cursor.execute("BEGIN")
        for _ in range(chance.randrange(1, 12)):
            cursor.execute("INSERT INTO t(b) VALUES (?)", (chance.randbytes(chance.randrange(1, page_size)),))
        if chance.random() < 0.3:
            cursor.execute("DELETE FROM t WHERE a % 3 = ?", (chance.randrange(3),))
        cursor.execute("COMMIT")
        states.append(split(path.read_bytes(), page_size))
    connection.close()
    return states


def split(image: bytes, page_size: int) -> list[bytes]:
    """A database file as pages."""
    return [image[at : at + page_size] for at in range(0, len(image), page_size)]


def sqlite_history(folder: Path, root: Path, page_size: int = 512, steps: int = 8, proven: bool = True) -> History:
    """A history of a real database: snapshot 1-3, level 1 1-4, level 0 4..steps."""
    history = History(FolderReplica(root, "file"), page_size, proven)
    for state in sqlite_states(folder, page_size, steps):
        history.commit(state)
    history.store(9, 1, 3)
    history.store(1, 1, 4)
    for txid in range(4, steps + 1):
        history.store(0, txid, txid)
    return history


def damage(path: Path, change: Callable[[bytearray], None]) -> None:
    """Change the bytes of a stored object in place; its time stays."""
    status, data = path.stat(), bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def flip(at: int, bits: int = 0xFF) -> Callable[[bytearray], None]:
    """The change of one byte, for `damage`."""

    def change(body: bytearray) -> None:
        body[at] ^= bits

    return change


def object_path(root: Path, name: ObjectName) -> Path:
    """Where a folder replica keeps an object."""
    return root / "ltx" / str(name.level) / name.file_name
