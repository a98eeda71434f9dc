"""Which objects of a replica become one object of the next level, and when.

In: a complete listing, rules, the time. Out: merges that are due; when the next one will be. Promised: the sources of a
merge follow each other without a hole, lie one level below, above all that its level holds, and are never taken twice.

Sources are grouped by windows of wall time, and a window is merged once it is over. On level 1 a single source is
enough, for that frees level 0; above, a single one waits for a sibling: it restores as well where it is. Nothing is
merged across the beginning of a TXID that has a snapshot: the page size may have changed there. A complete image (an
object that begins at TXID 1) climbs no level while a snapshot does its service.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.restore import Stored
from litestreamd.plan.rules import Rules

FAN_IN = 128
"""At most so many sources a merge: each one is open at once."""

FUTURE = 16
"""So many sources dated in a window that has not begun are merged all the same: the clock went back."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Objects that become one of `level`: oldest first, without a hole, all from the level below."""

    level: int
    sources: tuple[Stored, ...]

    @property
    def name(self) -> ObjectName:
        """The object they become."""
        return ObjectName(self.level, self.sources[0].name.min_txid, self.sources[-1].name.max_txid)


def due_merges(objects: Sequence[Stored], rules: Rules, now_ms: int) -> list[Merge]:
    """What is due on the lowest level where something is, in the order in which it has to be done. What that level
    gets may belong to a merge of the next one: ask again."""
    for level in _levels(objects, rules):
        due = [group.merge for group in level.groups[: level.count_due(now_ms)] if group.is_enough]
        if due:
            return due
    return []


def next_merge_ms(objects: Sequence[Stored], rules: Rules, now_ms: int) -> int | None:
    """When a merge of what is there now will be due (`now_ms`: one is); None when nothing waits."""
    times = []
    for level in _levels(objects, rules):
        due = level.count_due(now_ms)
        times += [now_ms for group in level.groups[:due] if group.is_enough]
        times += [(group.window + 1) * level.interval_ms for group in level.groups[due:] if group.is_enough]
    return max(now_ms, min(times)) if times else None


def closing_merges(objects: Sequence[Stored], rules: Rules) -> list[Merge]:
    """What brings level 1 up to the newest level-0 object, whether windows are over or not."""
    if not rules.levels_s:
        return []
    return [group.merge for group in _level(objects, 1, rules.levels_s[0]).groups]


@dataclass(slots=True)
class _Group:
    """Sources of one merge; `window` is the newest one's."""

    level: int
    window: int
    sources: list[Stored]
    closed: bool = False
    """Nothing that comes later will join it: a single source then goes up alone, for a hole that it would leave on this
    level stops Litestream on the next one."""

    @property
    def is_enough(self) -> bool:
        return self.level == 1 or len(self.sources) > 1 or self.closed

    @property
    def merge(self) -> Merge:
        return Merge(self.level, tuple(self.sources))


@dataclass(frozen=True, slots=True)
class _Level:
    """All that waits below a level; the groups' windows never go back."""

    interval_ms: int
    groups: list[_Group]

    def count_due(self, now_ms: int) -> int:
        """How many groups, from the oldest on: a later one never goes before an earlier one, which would then be below
        what its level holds for ever."""
        current = now_ms // self.interval_ms
        over = sum(group.window < current for group in self.groups)
        future = sum(len(group.sources) for group in self.groups if group.window > current)
        begun = any(group.window == current for group in self.groups)
        return len(self.groups) if future >= FUTURE and not begun else over


def _levels(objects: Sequence[Stored], rules: Rules) -> Iterator[_Level]:
    for level, interval_s in enumerate(rules.levels_s, start=1):
        yield _level(objects, level, interval_s)


def _level(objects: Sequence[Stored], level: int, interval_s: float) -> _Level:
    interval_ms = max(1, round(interval_s * 1000))
    groups: list[_Group] = []
    window = end = 0
    images = {stored.name.max_txid for stored in objects if stored.name.level == SNAPSHOT_LEVEL}
    for source in _sources(objects, level):
        window = max(window, source.created_ms // interval_ms)
        # Where an image stands, another page size may have begun.
        follows = end + 1 == source.name.min_txid and source.name.min_txid not in images
        if groups and not follows:
            groups[-1].closed = True
        group = groups[-1] if groups and follows else None
        if group is None or len(group.sources) == FAN_IN or (group.is_enough and group.window != window):
            group = _Group(level, window, [])
            groups.append(group)
        group.sources.append(source)
        group.window = window
        end = source.name.max_txid
    return _Level(interval_ms, groups)


def _sources(objects: Sequence[Stored], level: int) -> Iterator[Stored]:
    """What lies on the level below, above all that `level` holds; of objects that overlap the first and longest."""
    end = max((stored.name.max_txid for stored in objects if stored.name.level == level), default=0)
    image = max((stored.name.max_txid for stored in objects if stored.name.level == SNAPSHOT_LEVEL), default=0)
    below = [stored for stored in objects if stored.name.level == level - 1 and stored.name.min_txid > end]
    below.sort(key=lambda stored: (stored.name.min_txid, -stored.name.max_txid))
    for stored in below:
        if stored.name.min_txid <= end or (stored.name.min_txid == 1 and stored.name.max_txid <= image):
            continue
        end = stored.name.max_txid
        yield stored
