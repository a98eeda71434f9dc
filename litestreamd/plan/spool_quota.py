"""What leaves the spool when its quota is full although not every replica has it.

In: the quota as configured, the spool's entries, how far every replica is. Out: what goes, and who is then owed it.
The rule: oldest first, down to three quarters of the quota, so that it does not happen again at once. The newest entry
always stays, whatever its size: replicas that are up to date go on with it, and a catch-up ends with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

RESERVE_BYTES = 32 << 20
"""Free room that is left to the application, on small disks a quarter of what is free."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Room for all that is stored for a while, the spool and old pages kept for full images: `size` bytes, or, where
    that is None, a `share` (0 to 1) of what the disk has free without them. A share follows the disk: it does not
    shrink because the spool itself grows. A size is no promise: the application's reserve is left even so."""

    size: int | None = None
    share: float = 0.25

    def room(self, free: int, stored: int) -> int:
        """The quota in bytes, on a disk with `free` bytes left while `stored` bytes of ours are on it."""
        most = free + stored
        return min(self.size if self.size is not None else int(most * self.share), most - reserve(most))

    def spool_room(self, free: int, spooled: int, kept: int) -> int:
        """What the spool may take of it: all that old pages leave, but half in any case: an image can begin again."""
        quota = self.room(free, spooled + kept)
        return max(quota // 2, quota - kept)


def reserve(free: int) -> int:
    """What stays free for the application, of `free` bytes that the disk would have without us."""
    return min(RESERVE_BYTES, free // 4)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Entries up to TXID `through` leave the spool (0: none). `owed`: for each replica that lacks some of them the TXID
    after which it does; they may go only when that is written down."""

    through: int = 0
    owed: Mapping[str, int] = field(default_factory=dict)


def leaving(entries: Sequence[tuple[int, int]], covered: Mapping[str, int], room: int) -> Leaving:
    """Decide. `entries`: (TXID, bytes), ascending. `covered`: for each replica up to which TXID it needs nothing from
    the spool, because it has it, is owed it already, or gets a full image anyway. `room`: the quota in bytes."""
    stored = sum(size for _, size in entries)
    if stored <= room:
        return Leaving()
    through = 0
    for txid, size in entries[:-1]:
        if stored * 4 <= room * 3:
            break
        through, stored = txid, stored - size
    return Leaving(through, {name: txid for name, txid in covered.items() if txid < through})
