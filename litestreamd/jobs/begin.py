"""The first start of a database without a state of ours: a fresh line of TXIDs, or a history that is continued.

In: the open database, the lines whose roots were listed. Out: a head, and the first image where all roots are empty.
Promise: nothing is written anywhere before every listed root was found to be empty or ours to continue.
"""

from __future__ import annotations

import os
from array import array
from dataclasses import dataclass, replace

from litestreamd.basics.checksum import rolling
from litestreamd.basics.errors import NotAvailable
from litestreamd.database.batches import read_page
from litestreamd.database.capture import Capture
from litestreamd.database.image import Image, position_at
from litestreamd.database.ledger import Head
from litestreamd.database.live import LiveDatabase
from litestreamd.jobs.admit import Proofs, decide
from litestreamd.jobs.image import PreparedImage
from litestreamd.jobs.replica_state import read_state
from litestreamd.jobs.ship import Line
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.plan.position import Position
from litestreamd.replica.root import Newest
from litestreamd.wal.frames import FRAME_HEADER_SIZE, frame_offset, frame_size, parse_frames


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first start led to: the image of a fresh line (for the caller to hand out), or the line whose history is
    continued and why."""

    image: PreparedImage | None = None
    continued: Line | None = None
    why: str = ""


def begin(capture: Capture, lines: list[Line], proofs: Proofs, now_ms: int) -> Beginning:
    """Give the capture its head. `lines` have arrived. Raises ConflictError."""
    found = [(line.root.newest.stored.name.max_txid, line) for line in lines if line.root and line.root.newest]
    if not found:
        for line in lines:
            assert line.root is not None
            decide(line, capture.state, line.root, proofs, now_ms)
        return Beginning(image=_start_fresh(capture, now_ms))
    _, furthest = max(found, key=lambda pair: pair[0])
    return Beginning(continued=furthest, why=_continue_from(capture, furthest, proofs, now_ms))


def _start_fresh(capture: Capture, now_ms: int) -> PreparedImage:
    """TXID 1 is the database as it stands, TXID 2 changes nothing: level 0 `2-2` and level 9 `1-2`. With a `1-1` a
    database that nobody ever writes would be due for a second image of the same pages."""
    header = capture.live.header()
    capture.start(1, now_ms, header)
    first = capture.stamp(header, now_ms).txid
    return PreparedImage(capture.head, first, capture.image(header))


def _continue_from(capture: Capture, line: Line, proofs: Proofs, now_ms: int) -> str:
    """Adopt the root's newest state: the next file holds what the live database differs by, if anything. Out: why."""
    assert line.root is not None and line.root.newest is not None
    newest, live = line.root.newest, capture.live
    header = live.header()
    with Image(live, header) as image:
        ours = array("Q", (checksum for _, checksum in image.checksums()))
        position = position_at(image, header)
    same, theirs = _compare(line, newest, ours, position)
    proofs = replace(proofs, same_pages=same, litestream_head_in_wal=head_in_wal(line, live))
    why = decide(line, capture.state, line.root, proofs, now_ms)
    capture.adopt(_adopted(newest, position if theirs is None or same else None), ours if theirs is None else theirs)
    return why


def _compare(line: Line, newest: Newest, ours: array[int], position: Position) -> tuple[bool, array[int] | None]:
    """Whether the root's newest state equals the live pages; and, unless its proof says so, its checksums."""

    proof = newest.header.proof
    alike = (newest.header.page_size, newest.header.commit) == (position.page_size, position.commit)
    if alike and proof is not None and proof.after == rolling(ours):
        return True, None
    assert line.root is not None
    try:
        theirs = read_state(line.replica, line.root)
    except NotAvailable:  # its first image never arrived: there is nothing to differ from
        return False, None
    return alike and theirs.checksums == ours, theirs.checksums


def adopt_root(capture: Capture, line: Line, restorable: bool) -> None:
    """Our own root came back ahead of our state: go on from what it holds, or at least after its TXIDs."""
    assert line.root is not None and line.root.newest is not None
    if restorable:
        capture.adopt(_adopted(line.root.newest, None), read_state(line.replica, line.root).checksums)
        return
    txid, head = line.root.newest.stored.name.max_txid, capture.head
    capture.adopt(replace(head, txid=txid), list(capture.state.hashes(head.position.commit)))


def _adopted(newest: Newest, position: Position | None) -> Head:
    header = newest.header
    nowhere = Position(bytes(8), 0, bytes(8), 0, header.page_size, header.commit)
    return Head(
        txid=newest.stored.name.max_txid,
        timestamp_ms=header.timestamp_ms,
        position=position or nowhere,
        checksum=0,
        file_checksum=newest.file_checksum,
        continuous=position is not None,
    )


def head_in_wal(line: Line, live: LiveDatabase) -> bool:
    """Whether Litestream made the root's newest file from frames that the live WAL still holds: same salts, and the
    last frame's page is the one in the file."""
    newest = line.root.newest if line.root is not None else None
    if newest is None or not live.is_open:
        return False
    header = live.header()
    theirs = newest.header
    salts = theirs.salt1.to_bytes(4, "big") + theirs.salt2.to_bytes(4, "big")
    last = (theirs.wal_offset + theirs.wal_size - 32) // frame_size(theirs.page_size)
    if theirs.proof is not None or not theirs.wal_size or salts != header.salts or last > header.max_frame:
        return False
    wal_fd = live.open_wal()
    try:
        fields = os.pread(wal_fd, frame_size(theirs.page_size), frame_offset(last, theirs.page_size))
        page = read_page(wal_fd, theirs.page_size, last)
    finally:
        os.close(wal_fd)
    if len(fields) < FRAME_HEADER_SIZE + theirs.page_size:
        return False
    pgno, _, frame_salts, _ = next(parse_frames(fields, theirs.page_size))
    return frame_salts == salts and _page_of(line, newest, pgno) == page


def _page_of(line: Line, newest: Newest, pgno: int) -> bytes | None:
    for event in read_pages(line.replica.open(newest.stored.name)):
        if isinstance(event, Pages):
            for number, page in event.pages:
                if number == pgno:
                    return page
    return None
