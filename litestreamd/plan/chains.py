"""How each restore point of a replica is reached with the fewest level-0 files.

In: a complete listing. Out: for each TXID that `plan_restore` reaches exactly, the object that ends there and what it
continues. Promised: going from link to link down to its start gives a restore plan without a hole.

A snapshot dated later than the TXID it holds (Litestream dates them when it takes them) is no start for states older
than itself: a restore by time would not see it. From its own time on it is.
"""

import heapq
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import Stored


@dataclass(slots=True, eq=False)
class Link:
    """`stored` ends at `txid` and continues `before` (None: it is complete). `singles`: level-0 files on the way.
    `late`: a second way to a TXID, over a snapshot made later."""

    txid: int
    stored: Stored
    before: "Link | None"
    singles: int
    late: bool = False


def chains(objects: Iterable[Stored]) -> list[Link]:
    """All links, ascending by TXID; late ones wherever they come into use."""
    ends: dict[int, list[Stored]] = defaultdict(list)
    for stored in objects:
        ends[stored.name.max_txid].append(stored)
    walk = _Walk()
    for txid in sorted(ends):
        walk.visit(txid, ends[txid])
    return walk.links


class _Walk:
    """`_txids` and `_starts`: from where one can go on, ascending by TXID and by number of level-0 files."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self._txids: list[int] = [0]
        self._starts: list[Link | None] = [None]
        self._pending: list[tuple[int, int, Link]] = []

    def visit(self, txid: int, ends: list[Stored]) -> None:
        snapshots = [stored for stored in ends if stored.name.level == SNAPSHOT_LEVEL]
        others = [stored for stored in ends if stored.name.level < SNAPSHOT_LEVEL]
        if others:
            self._wake(min(stored.created_ms for stored in others))
        ways = [link for stored in others if (link := self._continued(txid, stored)) is not None]
        first_ms = min((link.stored.created_ms for link in ways), default=None)
        for stored in sorted(snapshots, key=lambda stored: stored.created_ms):
            link = Link(txid, stored, None, 0)
            if first_ms is None or stored.created_ms <= first_ms:
                ways, first_ms = [link], stored.created_ms
            else:
                link.late = True
                heapq.heappush(self._pending, (stored.created_ms, txid, link))
        if ways:
            self._push(min(ways, key=lambda link: (link.singles, link.stored.name.min_txid)))

    def _continued(self, txid: int, stored: Stored) -> Link | None:
        at = bisect_left(self._txids, stored.name.min_txid - 1)
        if at == len(self._txids):
            return None
        before = self._starts[at]
        singles = before.singles if before is not None else 0
        return Link(txid, stored, before, singles + (stored.name.level == 0))

    def _push(self, link: Link) -> None:
        self.links.append(link)
        while self._starts and (self._starts[-1].singles if self._starts[-1] else 0) >= link.singles:
            self._txids.pop()
            self._starts.pop()
        self._txids.append(link.txid)
        self._starts.append(link)

    def _wake(self, now_ms: int) -> None:
        """Snapshots that are visible from now on."""
        while self._pending and self._pending[0][0] <= now_ms:
            _, txid, link = heapq.heappop(self._pending)
            self.links.append(link)
            first = bisect_left(self._txids, txid + 1)
            following = self._starts[first] if first < len(self._starts) else None
            if following is None or following.singles:
                self._txids[:first] = [txid]
                self._starts[:first] = [link]
