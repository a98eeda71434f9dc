"""The captured state on disk: head, spool and page hashes, and how they move together.

In: steps (which pages change, with their checksums) and the pages. Out: one durable spool entry a step.
Promise: a crash anywhere leaves a state that `open` brings back whole: an entry is durable before page hashes and
head move; the hashes are a cache that later entries bring forward again; what `open` returns is proven
against the rolling checksum.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.checksum import rolling
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import DamagedData
from litestreamd.database.ledger import Head, Ledger, Step
from litestreamd.database.page_hashes import PageHashes
from litestreamd.database.spool import Spool, SpoolEntry
from litestreamd.database.state import State, load_state, save_state
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.header import Header, Proof
from litestreamd.plan.position import Frames, Position
from litestreamd.wal.frames import frame_offset, frame_size

RUN = 1 << 16


@dataclass(frozen=True, slots=True)
class Move:
    """What the next TXID does: the step, where the capture stands after it, and the WAL frames behind it
    (None after a comparison)."""

    step: Step
    position: Position
    frames: Frames | None
    now_ms: int


class CapturedState:
    """`head` is None until the directory knows the database. One thread writes; others may read the spool."""

    def __init__(self, folder: Path, node_id: int) -> None:
        self.spool = Spool(folder / "spool")
        self.head: Head | None = None
        self.node_ids: tuple[int, ...] = (node_id,)
        self.folder = folder
        self._hashes = PageHashes(folder / "pages.1")
        self._path = folder / "state.json"
        self._settled: Head | None = None
        self._owed: Ledger | None = None

    def open(self) -> None:
        """Read the state back. Raises DamagedData when it does not prove itself."""
        state = load_state(self._path)
        ledgers = self.spool.open()
        if state is None:
            if next(ledgers, None) is not None:
                raise DamagedData(f"{self._path} is missing although there is a spool; {self._way_out}.")
            return
        self._hashes.rest()
        self._hashes = PageHashes(self.folder / state.pages)
        self._remove_others(state.pages)
        self.node_ids = (*(node for node in state.node_ids if node != self.node_ids[-1]), self.node_ids[-1])
        head = state.head
        for ledger in ledgers:
            if ledger.head.txid > head.txid:
                self._apply(ledger)
                head = ledger.head
        if self._rolling(head.position.commit) != head.checksum:
            raise DamagedData(f"The page hashes beside {self._path} do not give their checksum; {self._way_out}.")
        self.head, self._settled = head, state.head

    def replace(self, checksums: Iterable[int], head_of: Callable[[int], Head]) -> Head:
        """Begin anew from page checksums in order (0 for the lock page); `head_of` gets their rolling checksum.

        They go to a file of their own, which state.json names from then on: a crash before leaves the old state.
        """
        kept = self._hashes, self.head, self._owed
        self._hashes = PageHashes(self._hashes.path.with_suffix(f".{int(self._hashes.path.suffix[1:]) + 1}"))
        self._owed = None
        try:
            head = self.head = head_of(self._rolling(self._store_all(checksums)))
            self.settle(force=True)
        except BaseException:
            self._hashes.rest()
            self._hashes, self.head, self._owed = kept
            raise
        kept[0].remove()
        return head

    def reposition(self, head: Head) -> None:
        """Move the head within the same TXID (same pages, another place in the WAL)."""
        self.head = head

    def hashes(self, count: int) -> Iterator[int]:
        """Page checksums of pages 1..count; 0 where there is none."""
        self._pay()
        for _, run in self._hashes.runs(count):
            yield from run

    def step(self, pgnos: Sequence[int], new: Sequence[int], commit: int) -> Step:
        """The step to the checksums `new` of ascending `pgnos` and a database of `commit` pages."""
        assert self.head is not None
        self._pay()
        gone = range(commit + 1, self.head.position.commit + 1)
        touched = array("I", [*pgnos, *gone])
        return Step(touched, self._hashes.lookup(touched), array("Q", [*new, *(0 for _ in gone)]))

    def store(self, move: Move, pages: Iterable[tuple[int, bytes]]) -> SpoolEntry:
        """Make the move: a durable entry with `pages`, then the head, then the hashes.

        When the hashes cannot follow (the disk is full now) the move is made all the same, for an entry may be on a
        replica the next moment; they follow before anything else is done with them.
        """
        header = self._header(move)

        def write_ltx(write: Callable[[bytes], object]) -> Ledger:
            encoder = Encoder(header, write)
            encoder.add(pages)
            summary = encoder.finish()
            checksum = move.step.apply(self._checksum)
            head = Head(
                header.max_txid, header.timestamp_ms, move.position, checksum, summary.file_checksum, continuous=True
            )
            return Ledger(head, move.step)

        passing("capture.before-spool")
        entry, ledger = self.spool.append(header.max_txid, write_ltx)
        self.head, self._owed = ledger.head, ledger
        self._pay()
        passing("pages.updated")
        return entry

    def settle(self, force: bool = False) -> None:
        """Make the page hashes durable up to the head and say so in state.json; spool entries may go after that."""
        if self.head is None or (self.head == self._settled and not force):
            return
        self._pay()
        self._hashes.sync()
        passing("settle.pages-synced")
        save_state(self._path, State(self.head, self._hashes.path.name, self.node_ids))
        passing("settle.state-written")
        self._settled = self.head

    def rest(self) -> None:
        """Keep no descriptor."""
        self._hashes.rest()

    @property
    def settled_txid(self) -> int:
        """Spool entries up to this TXID are not needed for the page hashes any more."""
        return self._settled.txid if self._settled else 0

    @property
    def _checksum(self) -> int:
        assert self.head is not None
        return self.head.checksum

    @property
    def _way_out(self) -> str:
        return f"move {self._path.parent} away and start again: the replica's state will be compared page by page"

    def _pay(self) -> None:
        """Bring the hashes up to the head."""
        if self._owed is not None:
            self._apply(self._owed)
            self._owed = None

    def _store_all(self, checksums: Iterable[int]) -> int:
        """Fill an empty file of hashes; out: how many."""
        self._hashes.truncate(0)
        run, first = array("Q"), 1
        for checksum in checksums:
            run.append(checksum)
            if len(run) == RUN:
                self._hashes.store_run(first, run)
                run, first = array("Q"), first + RUN
        self._hashes.store_run(first, run)
        return first - 1 + len(run)

    def _remove_others(self, name: str) -> None:
        """Page hashes that a crash in `replace` left behind."""
        for path in self.folder.glob("pages.*"):
            if path.name != name:
                PageHashes(path).remove()

    def _rolling(self, count: int) -> int:
        return rolling(self.hashes(count))

    def _header(self, move: Move) -> Header:
        assert self.head is not None
        position, frames = move.position, move.frames
        count = frames.last - frames.first + 1 if frames else 0
        return Header(
            page_size=position.page_size,
            commit=position.commit,
            min_txid=self.head.txid + 1,
            max_txid=self.head.txid + 1,
            timestamp_ms=max(move.now_ms, self.head.timestamp_ms + 1),
            # Without frames: from the first one, length 0. Litestream takes over from that.
            wal_offset=frame_offset(frames.first if frames else 1, position.page_size),
            wal_size=count * frame_size(position.page_size),
            salt1=int.from_bytes(position.salts[:4], "big"),
            salt2=int.from_bytes(position.salts[4:], "big"),
            node_id=self.node_ids[-1],
            proof=Proof(self.head.checksum, move.step.apply(self.head.checksum)),
        )

    def _apply(self, ledger: Ledger) -> None:
        step, commit = ledger.step, ledger.head.position.commit
        kept = len(step.pgnos)
        while kept and step.pgnos[kept - 1] > commit:
            kept -= 1
        self._hashes.store(step.pgnos[:kept], step.new[:kept])
        if self._hashes.count() != commit:
            self._hashes.truncate(commit)
