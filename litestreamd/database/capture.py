"""From a stable WAL-index header to new TXIDs: the capture of one database.

In: headers read under a guard that is still open, and the time. Out: durable spool entries.
Promise: the head covers exactly what the entries hold. Whatever is not proven to follow on (another
generation whose count of transactions does not match, an unknown past, an unreadable WAL) ends in a comparison of
every page with its hash, which is always right and costs only reading.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from litestreamd.basics.checksum import page_checksum
from litestreamd.database.acceptance import is_accepted, use_acceptance
from litestreamd.database.batches import Batch, newest_frames, read_batches, read_page
from litestreamd.database.captured import CapturedState, Move
from litestreamd.database.disk import free_bytes
from litestreamd.database.guard import sqlite_errors
from litestreamd.database.image import Image, position_at
from litestreamd.database.ledger import Head
from litestreamd.database.live import LiveDatabase
from litestreamd.database.live_check import RottenDatabase, structural_complaint
from litestreamd.database.moving_image import MovingImage
from litestreamd.database.page_set import PageSet
from litestreamd.database.resume import check_chain, resume, wal_header_matches
from litestreamd.plan.position import Compare, Frames, Position, Still, audit, next_step
from litestreamd.plan.spool_quota import Quota
from litestreamd.wal.checksum import stored
from litestreamd.wal.frames import frame_size
from litestreamd.wal.header import HEADER_SIZE
from litestreamd.wal.index import IndexHeader

UNBOUNDED = Quota(size=1 << 62)

LONG_BACKLOG = 64 << 20
"""Bytes of WAL from which on files are not made smaller than this, whatever limit was asked for."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One new TXID: pages in it, WAL frames behind it (0 after a comparison), bytes of its LTX file.

    `reason` says why pages were compared, None where frames were captured. After `new_line` (the page size changed)
    no replica can go on without a new full image.
    """

    txid: int
    pages: int
    frames: int
    size: int
    reason: str | None = None
    new_line: bool = False


class Capture:
    """Reads `live`, writes `state`. `broken_chain` is set when a WAL whose checksum chain SQLite broke (before
    3.50.4) has to be healed by a checkpoint."""

    def __init__(
        self, live: LiveDatabase, state: CapturedState, max_wal_bytes: int, image_room: Quota = UNBOUNDED
    ) -> None:
        self.live = live
        self.state = state
        self.broken_chain = False
        self._doubt: str | None = None
        self._max_wal_bytes = max_wal_bytes
        self._image_room = image_room

    @property
    def head(self) -> Head:
        """The newest captured state; only asked for once there is one."""
        assert self.state.head is not None
        return self.state.head

    @property
    def in_doubt(self) -> bool:
        """Whether the next `take` compares."""
        return self._why_doubt is not None

    @property
    def _why_doubt(self) -> str | None:
        return self._doubt or ("the operator takes it as it is" if is_accepted(self.state.folder) else None)

    def doubt(self, reason: str) -> None:
        """Make the next `take` compare."""
        self._doubt = reason

    def start(self, txid: int, timestamp_ms: int, header: IndexHeader, file_checksum: int = 0) -> Head:
        """Take the live pages as the state of `txid`, sending none: hash them all."""
        self._doubt = None
        with Image(self.live, header) as image:
            position = position_at(image, header)
            return self.state.replace(
                (checksum for _, checksum in image.checksums()),
                lambda rolled: Head(txid, timestamp_ms, position, rolled, file_checksum, continuous=True),
            )

    def adopt(self, head: Head, checksums: Iterable[int]) -> None:
        """Take over a state that a replica holds; unless `head` is continuous, the next `take` compares."""
        self.state.replace(checksums, lambda rolled: replace(head, checksum=rolled))
        self._doubt = None if head.continuous else "a replica's history was taken over"

    def inspect(self, header: IndexHeader) -> str | None:
        """After opening: verify the WAL from its first frame on, and go on in it if it is proven to follow the head.

        Out: None, or why the next `take` compares (always None without a head).
        """
        head = self.state.head
        check = check_chain(self.live, header, head.position.frame if head else 0)
        self.broken_chain = check.valid != header.max_frame
        if head is None:
            return None
        found: Position | Compare = Compare("the captured state came from a replica")
        if head.continuous:
            found = resume(self.live, head.position, header, check)
        if isinstance(found, Compare):
            self._doubt = found.reason
            return found.reason
        self.state.reposition(replace(head, position=found))
        return None

    def take(self, header: IndexHeader, now_ms: int) -> list[Taken]:
        """Capture everything up to `header`."""
        if (why := self._why_doubt) is not None:
            return self._compare(header, now_ms, why)
        step = next_step(self.head.position, header)
        if isinstance(step, Still):
            return []
        if isinstance(step, Compare):
            return self._compare(header, now_ms, step.reason)
        wal_fd = self.live.open_wal()
        try:
            outcome = self._take_frames(wal_fd, step, header, now_ms)
        finally:
            os.close(wal_fd)
        return self._compare(header, now_ms, outcome.reason) if isinstance(outcome, Compare) else outcome

    def stamp(self, header: IndexHeader, now_ms: int) -> Taken:
        """Make a TXID that changes nothing (page 1 as it is), unless there is something to take anyway."""
        taken = self.take(header, now_ms)
        if taken:
            return taken[-1]
        with Image(self.live, header) as image:
            page = image.page(1)
        step = self.state.step([1], [page_checksum(1, page)], self.head.position.commit)
        return self._store(Move(step, self.head.position, None, now_ms), [(1, page)], None)

    def image(self, header: IndexHeader, only: PageSet | None = None) -> MovingImage:
        """The pages of the state that was just captured (all, or only some), for a reader that takes its time."""
        return MovingImage(self.live, header, self.state.folder, self._room_for_old_pages, only)

    def _room_for_old_pages(self) -> int:
        """How much more may be kept for images: all of them and the spool share one quota."""
        taken = self.live.followers.kept_bytes + self.state.spool.bytes()
        return self._image_room.room(free_bytes(self.state.folder), taken) - taken

    def _take_frames(self, wal_fd: int, frames: Frames, header: IndexHeader, now_ms: int) -> list[Taken] | Compare:
        position = self.head.position
        if not wal_header_matches(os.pread(wal_fd, HEADER_SIZE, 0), header):
            return Compare("the WAL's header is not that of its index")

        backlog = (frames.last - frames.first + 1) * frame_size(position.page_size)
        limit = self._max_wal_bytes
        if limit and backlog > LONG_BACKLOG:
            # A file costs all its distinct pages: many small ones take longer than a busy application leaves time for.
            limit = max(limit, LONG_BACKLOG)

        def batches() -> Iterator[Batch]:
            return read_batches(wal_fd, position.page_size, header.salts, frames, position.commit, limit)

        first = next(batches(), None)
        if first is None:
            return Compare("the WAL holds no commit where its index says so")
        if first.last == frames.last:
            finding = self._finding(header, frames, first, first.commits)
            return finding or [self._take_batch(wal_fd, first, header, now_ms)]
        # A long backlog: all of it is looked at before any of it is stored.
        last, commits = first, 0
        for last in batches():
            commits += last.commits
            self.broken_chain |= not last.sound
        finding = self._finding(header, frames, last, commits)
        return finding or [self._take_batch(wal_fd, batch, header, now_ms) for batch in batches()]

    def _finding(self, header: IndexHeader, frames: Frames, last: Batch, commits: int) -> Compare | None:
        """Why frames that were read cannot be trusted, if so."""
        if last.last != frames.last or last.commit != header.page_count:
            return Compare("the last frame of the WAL does not commit what its index says")
        if not last.sound:
            self.broken_chain = True
        elif last.checksum != stored(header.frame_checksum):
            return Compare("the last frame of the WAL is not the one its index names")
        if self.live.header().salts != header.salts:
            return Compare("the WAL was restarted while it was read")
        return audit(self.head.position, header, commits)

    def _take_batch(self, wal_fd: int, batch: Batch, header: IndexHeader, now_ms: int) -> Taken:
        before = self.head.position
        size = before.page_size
        pgnos, frames = self._sources(wal_fd, batch, header)

        def pages() -> Iterator[tuple[int, bytes]]:
            for pgno, frame in zip(pgnos, frames, strict=True):
                if frame:
                    yield pgno, read_page(wal_fd, size, frame)
                else:
                    yield pgno, os.pread(self.live.fd, size, (pgno - 1) * size).ljust(size, b"\0")

        # Two passes over immutable frames instead of one that holds every page: the header, which comes first,
        # carries the checksum that only all pages give.
        step = self.state.step(pgnos, array("Q", (page_checksum(*page) for page in pages())), batch.commit)
        change = (before.change + batch.commits) % (1 << 32)
        position = Position(header.salts, batch.last, batch.checksum, change, size, batch.commit)
        return self._store(Move(step, position, Frames(batch.first, batch.last), now_ms), pages(), None)

    def _sources(self, wal_fd: int, batch: Batch, header: IndexHeader) -> tuple[array[int], array[int]]:
        """Page numbers in order, and the frame of each; frame 0 stands for the database file."""
        size = self.head.position.page_size
        doubtful = batch.doubtful(size)
        if doubtful:
            # What SQLite itself would read: the newest frame that is not in the database file yet, else the file.
            frames = newest_frames(wal_fd, size, Frames(header.backfilled + 1, batch.last))
            batch.newest.update((pgno, frames.get(pgno, 0)) for pgno in doubtful)
        return batch.pages(size)

    def _compare(self, header: IndexHeader, now_ms: int, reason: str) -> list[Taken]:
        """Send the pages that differ from their hashes, and those that are gone or new."""
        with Image(self.live, header) as image:
            if image.page_size != self.head.position.page_size:
                use_acceptance(self.state.folder)
                return [self._new_line(image, header, now_ms, reason)]
            changed, new = self._differences(image)
            position = position_at(image, header)
            if not changed and image.count == self.head.position.commit:
                self._doubt = None
                self.state.reposition(replace(self.head, position=position, continuous=True))
                use_acceptance(self.state.folder)
                return []
            self._refuse_rot(image.count)
            self._doubt = None
            if not changed:  # only shorter: Litestream wants a page in every file
                changed, new = [1], [page_checksum(1, image.page(1))]
            step = self.state.step(changed, new, image.count)
            pages = ((pgno, image.page(pgno)) for pgno in changed)
            taken = [self._store(Move(step, position, None, now_ms), pages, reason)]
        use_acceptance(self.state.folder)
        return taken

    def _refuse_rot(self, pages: int) -> None:
        """Nobody saw these pages being written: it may have been an application, or a disk that forgets. Raises
        RottenDatabase."""
        if is_accepted(self.state.folder):
            return
        with sqlite_errors(self.live.path):
            complaint = structural_complaint(self.live.guard.spare)
        if complaint is not None:
            raise RottenDatabase(
                f"{self.live.path} is damaged, so what differs is not taken for the truth (quick_check of {pages} "
                f"pages: {complaint}): stop its application and litestreamd and restore it with -force, or take it as "
                "it is with litestreamd accept"
            )

    def _differences(self, image: Image) -> tuple[list[int], list[int]]:
        changed, new = [], []
        live, known = image.checksums(), self.state.hashes(image.count)
        for (pgno, checksum), old in zip(live, known, strict=True):
            if checksum != old:
                changed.append(pgno)
                new.append(checksum)
        return changed, new

    def _new_line(self, image: Image, header: IndexHeader, now_ms: int, reason: str) -> Taken:
        """The page size changed: no page of before can be continued, every replica needs a new image."""
        head, page = self.head, image.page(1)
        position = position_at(image, header)
        self._doubt = None
        self.state.replace(
            (checksum for _, checksum in image.checksums()),
            lambda rolled: replace(head, position=position, checksum=rolled, continuous=True),
        )
        step = self.state.step([1], [page_checksum(1, page)], position.commit)
        return replace(self._store(Move(step, position, None, now_ms), [(1, page)], reason), new_line=True)

    def _store(self, move: Move, pages: Iterable[tuple[int, bytes]], reason: str | None) -> Taken:
        entry = self.state.store(move, pages)
        frames = move.frames.last - move.frames.first + 1 if move.frames else 0
        return Taken(entry.txid, len(move.step.pgnos), frames, entry.size, reason)
