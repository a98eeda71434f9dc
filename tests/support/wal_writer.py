"""WAL and -shm bytes made to order, by an encoder that shares no line with the code under test.

In: pages and commit sizes. Out: the bytes SQLite would have left, with what a reader must find in them.
"""

from dataclasses import dataclass, field
from struct import pack, unpack

MASK = 0xFFFFFFFF


def sums(data: bytes, big_endian: bool, s1: int = 0, s2: int = 0) -> tuple[int, int]:
    """The checksum, word by word as SQLite's documentation states it."""
    words = unpack(f"{'>' if big_endian else '<'}{len(data) // 4}I", data)
    for i in range(0, len(words), 2):
        s1 = (s1 + words[i] + s2) & MASK
        s2 = (s2 + words[i + 1] + s1) & MASK
    return s1, s2


@dataclass
class WalWriter:
    """A WAL under construction. `restart` begins the next generation over the beginning of the file, as SQLite does."""

    page_size: int = 512
    big_endian: bool = False
    salt1: int = 0x01020304
    salt2: int = 0x05060708
    sequence: int = 0
    data: bytearray = field(default_factory=bytearray)
    frames: int = 0
    committed: int = 0
    size: int = 0
    pages: dict[int, int] = field(default_factory=dict)
    _open: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._begin()

    @property
    def salts(self) -> bytes:
        return pack(">II", self.salt1, self.salt2)

    def append(self, pgno: int, page: bytes, commit: int = 0) -> None:
        """Write one frame; `commit` other than 0 makes it a commit frame of that database size."""
        start = pack(">II", pgno, commit)
        self._sums = sums(page, self.big_endian, *sums(start, self.big_endian, *self._sums))
        frame = start + self.salts + pack(">II", *self._sums) + page
        offset = 32 + self.frames * (24 + self.page_size)
        self.data[offset : offset + len(frame)] = frame
        self.frames += 1
        self._open[pgno] = self.frames
        if commit:
            self.pages |= self._open
            self._open.clear()
            self.committed, self.size = self.frames, commit

    def restart(self, salt2: int) -> None:
        """The next header and no frame yet; what the file held behind it stays."""
        self.sequence, self.salt1, self.salt2 = self.sequence + 1, (self.salt1 + 1) & MASK, salt2
        self._begin()

    def expected_pages(self) -> dict[int, int]:
        """Page number -> newest committed frame, within the last commit's size."""
        return {pgno: frame for pgno, frame in self.pages.items() if pgno <= self.size}

    def end_offset(self) -> int:
        """Where the last commit frame ends; 0 when nothing is committed."""
        return 32 + self.committed * (24 + self.page_size) if self.committed else 0

    def index(self, change: int, backfilled: int = 0, byte_order: str = "little") -> bytes:
        """The first 136 bytes of the -shm file that belongs to the committed state."""
        sign = "<" if byte_order == "little" else ">"
        offset = 32 + (self.committed - 1) * (24 + self.page_size)
        last = unpack(">II", self.data[offset + 16 : offset + 24]) if self.committed else (0, 0)
        size = 1 if self.page_size == 65536 else self.page_size
        copy = pack(f"{sign}IIIBBHIIII", 3007000, 0, change, 1, self.big_endian, size, self.committed, self.size, *last)
        copy += self.salts
        copy += pack(f"{sign}II", *sums(copy, byte_order == "big"))
        marks = (0, self.committed, MASK, MASK, MASK)
        return copy + copy + pack(f"{sign}6I", backfilled, *marks) + bytes(8) + pack(f"{sign}II", backfilled, 0)

    def _begin(self) -> None:
        start = pack(">IIIII", 0x377F0682 | self.big_endian, 3007000, self.page_size, self.sequence, self.salt1)
        start += pack(">I", self.salt2)
        self._sums = sums(start, self.big_endian)
        self.data[:32] = start + pack(">II", *self._sums)
        self.frames = self.committed = self.size = 0
        self.pages.clear()
        self._open.clear()
