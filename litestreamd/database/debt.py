"""What a replica lacks of files that had to leave the spool before it had them: not the files, but what they changed.

In: the ledgers of those files, and of all later ones, in order. Out: which pages one file must hold that takes the
replica from TXID `txid` to the newest state, and how that file proves itself.

The proof: `before` is the rolling checksum at `txid`, `old` the xor of the page checksums that the changed pages had
there. Then before xor old is what the unchanged pages give, and that xor the checksums of the pages that are sent is
the rolling checksum of the newest state, or else a page is wrong, missing or too many.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from litestreamd.basics.checksum import FLAG, crc64, lock_page
from litestreamd.basics.errors import DamagedData
from litestreamd.database.ledger import Head, Ledger
from litestreamd.database.page_set import PageSet

_TAG = b"LSDDEBT1"
_FIXED = struct.Struct(">8sQQQQQIII")
_CRC = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Since:
    """What a catch-up file goes on from: the TXID that the replica has, the rolling checksum there, and what the pages
    that the file does not hold give of it."""

    txid: int
    before: int
    rest: int


@dataclass(slots=True)
class Debt:
    """A replica has everything up to `txid` and nothing after it. The ledgers up to `through` are counted in; `after`
    and `commit` are the rolling checksum and the pages of the database there, `page_size` bytes a page."""

    txid: int
    before: int
    through: int
    after: int
    page_size: int
    commit: int
    old: int = 0
    pages: PageSet = field(default_factory=PageSet)

    def add(self, ledger: Ledger) -> bool:
        """Count the next file in; one that is in already changes nothing. False when it does not follow: a gap, another
        page size, another line. Then the debt is void, and the replica needs a full image."""
        head, step = ledger.head, ledger.step
        if head.txid <= self.through:
            return True
        follows = head.txid == self.through + 1 and head.position.page_size == self.page_size
        if not follows or step.apply(self.after) != head.checksum:
            return False
        add, old = self.pages.add, self.old
        for pgno, before in zip(step.pgnos, step.old, strict=True):
            if add(pgno):
                old ^= before
        self.old, self.through, self.after, self.commit = old, head.txid, head.checksum, head.position.commit
        return True

    def rebase(self, txid: int, checksum: int) -> None:
        """The replica has got further, to `txid` (at most `through`) with this rolling checksum. Pages that it has by
        now stay in: more is sent than needed, and it proves itself all the same."""
        assert self.txid <= txid <= self.through
        self.old ^= self.before ^ checksum
        self.txid, self.before = txid, checksum

    def include(self, pgno: int, checksum: int) -> None:
        """Send a page that did not change too; `checksum` is its own."""
        if self.pages.add(pgno):
            self.old ^= checksum

    def meets(self, head: Head) -> bool:
        """Whether it reaches exactly the state of `head`."""
        return (self.through, self.after, self.page_size) == (head.txid, head.checksum, head.position.page_size)

    def copy(self) -> Debt:
        """One that goes its own way."""
        return replace(self, pages=PageSet(self.pages.encode()))

    def serves(self, cursor: int) -> bool:
        """Whether it begins no later than what a replica has, and tells what comes next."""
        return self.txid <= cursor < self.through

    @property
    def empty(self) -> bool:
        """No file is counted in."""
        return self.txid == self.through

    @property
    def since(self) -> Since:
        """What the catch-up file goes on from."""
        return Since(self.txid, self.before, FLAG | self.before ^ self.old)

    @property
    def count(self) -> int:
        """Pages that the catch-up file holds."""
        lock = lock_page(self.page_size)
        return self.pages.count(self.commit) - (lock <= self.commit and lock in self.pages)

    @property
    def image_is_cheaper(self) -> bool:
        """More than half of the pages: a full image costs little more, and begins the history anew."""
        return self.count * 2 > self.commit

    def encode(self) -> bytes:
        """The bytes of its file: tag 8, TXID, before, through, after, old (8 each), page size, commit, length of the
        bits (4 each), the bits, CRC-64 of all that 8; big-endian."""
        bits = self.pages.encode()
        head = _FIXED.pack(
            _TAG, self.txid, self.before, self.through, self.after, self.old, self.page_size, self.commit, len(bits)
        )
        return head + bits + _CRC.pack(crc64(head + bits, 0))


def debt_before(ledger: Ledger) -> Debt:
    """The debt of a replica that lacks this file and has the one before it; the file itself is not counted in yet."""
    head, step = ledger.head, ledger.step
    before = step.apply(head.checksum)  # a step leads back as well: it is a xor
    return Debt(head.txid - 1, before, head.txid - 1, before, head.position.page_size, head.position.commit)


def debt_at(head: Head) -> Debt:
    """The debt, still empty, of a replica that will have just this state."""
    at = head.position
    return Debt(head.txid, head.checksum, head.txid, head.checksum, at.page_size, at.commit)


def decode_debt(data: bytes) -> Debt:
    """Read what `encode` gave. Raises DamagedData."""
    if len(data) < _FIXED.size + _CRC.size or not data.startswith(_TAG):
        raise DamagedData("This is no list of the pages that a replica lacks.")
    tag_on, stored = data[: -_CRC.size], data[-_CRC.size :]
    _, txid, before, through, after, old, page_size, commit, length = _FIXED.unpack_from(tag_on)
    if _CRC.pack(crc64(tag_on, 0)) != stored or length != len(tag_on) - _FIXED.size:
        raise DamagedData("The list of the pages that a replica lacks is damaged.")
    return Debt(txid, before, through, after, page_size, commit, old, PageSet(tag_on[_FIXED.size :]))
