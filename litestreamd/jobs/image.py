"""A full image of the database, or all that changed since a TXID, on its way to one replica.

In: a moving image, and the head that describes its state. Out: the bytes of a level-9 file, or of one of level 1.
Promise: streamed page by page, with no second copy on local disk, no lock on the application and no hold on its WAL;
the rolling checksum is recomputed from every page that leaves, and a mismatch ends the stream before the file can
become visible.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from litestreamd.basics.checksum import FLAG, page_checksum
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import DamagedData
from litestreamd.database.debt import Since
from litestreamd.database.ledger import Head
from litestreamd.database.moving_image import MovingImage
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.ltx.pages import SIZED_HEADER, largest_block
from litestreamd.wal.frames import frame_offset, frame_size

_AROUND, _INDEX_ENTRY = 256, 20
"""Bytes of a file without its pages, and at most for each page in the index."""

_NOT_THE_PAGES = (
    "The pages of the live database do not give its recorded checksum: the image was not stored. Check the disk and the"
    " database (PRAGMA integrity_check) before anything else."
)
_NOT_THE_CHANGES = (
    "The changed pages of the live database do not lead to its recorded checksum: they were not stored. A full image"
    " tells whether the database is damaged, or the list of its changed pages."
)


@dataclass(slots=True)
class PreparedImage:
    """The state of TXID `head.txid`, ready to be streamed. `first` is the level-0 TXID that must be on the replica
    before it: a root with a snapshot alone would make Litestream start again at TXID 1. `since`: the image holds only
    the pages that a replica in that state lacks.

    Streamed by one thread; any thread may close it, which ends the stream with EnvironmentFault: no page is read from
    a database that was let go. Close it in any case: until then pages that change are kept for it.
    """

    head: Head
    first: int
    image: MovingImage
    since: Since | None = None

    @property
    def name(self) -> ObjectName:
        """`9/1-N`; `1/a-N` since TXID a - 1."""
        if self.since is not None:
            return ObjectName(1, self.since.txid + 1, self.head.txid)
        return ObjectName(SNAPSHOT_LEVEL, 1, self.head.txid)

    @property
    def most(self) -> int:
        """No more bytes than this will come."""
        page_size = self.head.position.page_size
        return _AROUND + self.head.position.commit * (largest_block(page_size) + SIZED_HEADER.size + _INDEX_ENTRY)

    def header(self) -> Header:
        """Litestream's headers of these levels: the WAL fields of a level-9 file name the last frame used."""
        position = self.head.position
        if self.since is not None:
            return Header(
                page_size=position.page_size,
                commit=position.commit,
                min_txid=self.since.txid + 1,
                max_txid=self.head.txid,
                timestamp_ms=self.head.timestamp_ms,
                proof=Proof(self.since.before, self.head.checksum),
            )
        used = position.frame > 0
        return Header(
            page_size=position.page_size,
            commit=position.commit,
            min_txid=1,
            max_txid=self.head.txid,
            timestamp_ms=self.head.timestamp_ms,
            wal_offset=frame_offset(max(position.frame, 1), position.page_size),
            wal_size=frame_size(position.page_size) if used else 0,
            salt1=int.from_bytes(position.salts[:4], "big"),
            salt2=int.from_bytes(position.salts[4:], "big"),
            proof=Proof(FLAG, self.head.checksum),
        )

    def body(self) -> Iterator[bytes]:
        """The file, about 1 MiB at a time. Raises DamagedData when the pages are not the head's, and EnvironmentFault
        when it was given up (no room for the pages that change) or closed meanwhile."""
        pieces: list[bytes] = []
        encoder = Encoder(self.header(), pieces.append)
        rolled, sent = self.since.rest if self.since else FLAG, 0
        while batch := self.image.read():
            for pgno, page in batch:
                rolled ^= page_checksum(pgno, page)
            encoder.add(batch)
            yield b"".join(pieces)
            pieces.clear()
            sent += len(batch)
            if sent * 2 >= self.image.count:
                passing("image.half-way")
        if rolled | FLAG != self.head.checksum:
            raise DamagedData(_NOT_THE_PAGES if self.since is None else _NOT_THE_CHANGES)
        encoder.finish()
        yield b"".join(pieces)

    def close(self) -> None:
        """Let the image go, once the pages that are being read are read."""
        self.image.close()
