"""What leaves the spool when its quota is full although not every replica has it.

In: the quota as configured, the spool's entries, how far every replica is. Out: what goes, and who is then owed it.
The rule: oldest first, down to three quarters of the quota, so that it does not happen again at once. The newest entry
always stays, whatever its size: replicas that are up to date go on with it, and a catch-up ends with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Quota:
    """Room for the spool: `size` bytes, or, where that is None, a `share` (0 to 1) of what the disk has free without
    the spool. A share follows the disk: it does not shrink because the spool itself grows."""

    size: int | None = None
    share: float = 0.25

    def room(self, free: int, stored: int) -> int:
        """The quota in bytes, on a disk with `free` bytes left while the spool holds `stored`."""
        return self.size if self.size is not None else int((free + stored) * self.share)


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
