"""Whether the WAL on disk goes on from where the captured state stands, after a restart of ours.

In: a position that was stored, a header read under a fresh guard, the -wal. Out: the position to go on from, or
why the pages have to be compared.
Promise: "goes on" is proven: the stored checksum of our last frame is cumulative from a random salt, so
finding it there means an identical prefix; the chain from there on verifies; the generation was
the same after the reading (a guard on read mark 0 does not protect frames that were not captured yet).
"""

import os
from dataclasses import dataclass, replace

from litestreamd.database.live import LiveDatabase
from litestreamd.plan.position import Compare, Position
from litestreamd.wal.checksum import Sums, chain
from litestreamd.wal.frames import FRAME_HEADER_SIZE, frame_offset, frame_size
from litestreamd.wal.header import HEADER_SIZE, WalHeader, parse_header
from litestreamd.wal.index import IndexHeader

PORTION = 4 << 20


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """How far the checksums of the WAL verify: frames that do, and commit frames after the asked-for one."""

    valid: int
    commits: int


def wal_header_matches(data: bytes, header: IndexHeader) -> bool:
    """Whether the -wal's first bytes are a valid header of the index's generation and page size."""
    found = parse_header(data)
    return isinstance(found, WalHeader) and found.salts == header.salts and found.page_size == header.page_size


def check_chain(live: LiveDatabase, header: IndexHeader, after: int) -> ChainCheck:
    """`verify_chain` of the live WAL."""
    if not header.max_frame:
        return ChainCheck(0, 0)
    wal_fd = live.open_wal()
    try:
        return verify_chain(wal_fd, header, after)
    finally:
        os.close(wal_fd)


def verify_chain(wal_fd: int, header: IndexHeader, after: int) -> ChainCheck:
    """Verify all frames up to max_frame from the first on; count the commits among frames after `after`.

    It tells a chain that SQLite before 3.50.4 broke: below max_frame every frame of a sound WAL verifies.
    """
    found = parse_header(os.pread(wal_fd, HEADER_SIZE, 0))
    if not isinstance(found, WalHeader):
        return ChainCheck(0, 0)
    sums: Sums = found.checksum
    step = frame_size(found.page_size)
    together, number, commits = max(1, PORTION // step), 1, 0
    while number <= header.max_frame:
        count = min(together, header.max_frame + 1 - number)
        portion = os.pread(wal_fd, count * step, frame_offset(number, found.page_size))
        portion = portion[: len(portion) - len(portion) % step]
        result = chain(portion, found.page_size, found.big_endian, found.salts, sums)
        view = memoryview(portion)
        commits += sum(any(view[at * step + 4 : at * step + 8]) for at in range(result.valid) if number + at > after)
        sums, number = result.sums, number + result.valid
        if result.valid < count:
            break
    return ChainCheck(number - 1, commits)


def resume(live: LiveDatabase, position: Position, header: IndexHeader, check: ChainCheck) -> Position | Compare:
    """The position with iChange counted anew (a recovery may have reset it), or why not. `check` is of this header."""
    finding = _finding(position, header)
    if finding is not None:
        return Compare(finding)
    if check.valid != header.max_frame:
        return Compare("the checksums of the WAL do not verify")
    wal_fd = live.open_wal()
    try:
        if not _holds(wal_fd, position, header):
            return Compare("the last captured frame is not in the WAL any more")
    finally:
        os.close(wal_fd)
    if live.header().salts != header.salts:
        return Compare("the WAL was restarted while it was read")
    return replace(position, change=(header.change - check.commits) % (1 << 32))


def _finding(position: Position, header: IndexHeader) -> str | None:
    if header.max_frame and header.page_size != position.page_size:
        return "the page size changed"
    if not position.frame:
        # An index rebuilt over an empty WAL has zero salts every time: equal salts prove nothing here.
        return "nothing of the WAL was captured that could prove what happened since"
    if header.salts != position.salts:
        return "the WAL was restarted or rebuilt while nobody watched"
    if header.max_frame < position.frame:
        return "the WAL lost frames that were captured"
    return None


def _holds(wal_fd: int, position: Position, header: IndexHeader) -> bool:
    """Whether the -wal is of the generation and has our last frame, byte for byte by its cumulative checksum."""
    if header.max_frame and not wal_header_matches(os.pread(wal_fd, HEADER_SIZE, 0), header):
        return False
    frame = os.pread(wal_fd, FRAME_HEADER_SIZE, frame_offset(position.frame, position.page_size))
    return (frame[8:16], frame[16:24]) == (position.salts, position.checksum)
