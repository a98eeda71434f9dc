"""Which objects of a replica may go, and which restore points stay (what the configuration promises).

In: a listing, the rules, the time. Out: objects to delete, in an order of which every beginning is safe; the TXIDs that
must stay within reach.

The window is `snapshot_retention_s` long. Promised are: the newest state; inside the window every point at which an
object above level 0 ends, and the state at its beginning, for which the newest full image from before it (the base)
stays; single level-0 files for `l0_retention_s`; the full images that `keep` names. Litestream deletes the base too,
so that its window can shrink to nothing.

Always true afterwards, for a Litestream that takes over: the newest level-0 object and the last object of each level
stay, and no level-0 object goes that something above level 0 does not stand for.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from litestreamd.basics.clock import EPOCH
from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import Stored
from litestreamd.plan.rules import Keep, Rules


def expired(objects: Sequence[Stored], rules: Rules, now_ms: int) -> tuple[Stored, ...]:
    """What may be deleted now: level 0 first, the oldest first."""
    if not rules.enabled or not objects:
        return ()
    view = _View(objects, rules, now_ms)
    doomed = [*_single_files(view), *_merged(view), *_images(view)]
    return tuple(sorted(doomed, key=lambda stored: stored.name))


def next_expiry_ms(objects: Sequence[Stored], rules: Rules, now_ms: int) -> int | None:
    """When something may be deleted next, if nothing else comes; None: never."""
    if not rules.enabled or not objects:
        return None
    if expired(objects, rules, now_ms):
        return now_ms
    view = _View(objects, rules, now_ms)
    times = {_grown_out(stored.created_ms, view.window_ms) for stored in view.may_leave_window()}
    if rules.l0_retention_s:
        singles = [stored for stored in view.level(0)[:-1] if view.stands_for(stored)]
        times |= {_to_check(_grown_out(stored.created_ms, view.single_ms), rules) for stored in singles[:1]}
    later = sorted(time for time in times if time > now_ms)
    # What is doomed at one of these times stays so: the first of them is found by halving.
    first = bisect_left(later, 1, key=lambda time: 1 if expired(objects, rules, time) else 0)
    return later[first] if first < len(later) else None


def promised(objects: Sequence[Stored], rules: Rules, now_ms: int) -> frozenset[int]:
    """TXIDs that must stay within reach, of those that are."""
    view = _View(objects, rules, now_ms)
    kept = {image.name.max_txid for image in view.named}
    reachable = _reachable(objects)
    above = {stored.name.max_txid for stored in objects if stored.name.level}
    beginning = 0
    for stored in objects:
        txid, single = stored.name.max_txid, stored.name.level == 0
        if stored.created_ms > (view.single_start if single else view.window_start):
            kept.add(txid)
        elif not single:
            beginning = max(beginning, txid)
    if beginning in above:
        kept.add(beginning)
    kept.add(max(reachable, default=0))
    return frozenset(kept & reachable)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """TXIDs from a state that can be restored on: everything up to `reach` needs no level 0."""

    start: int
    reach: int


class _View:
    """A listing in the light of the rules."""

    def __init__(self, objects: Sequence[Stored], rules: Rules, now_ms: int) -> None:
        self._by_level: list[list[Stored]] = [[] for _ in range(SNAPSHOT_LEVEL + 1)]
        for stored in sorted(objects, key=lambda each: each.name):
            self._by_level[stored.name.level].append(stored)
        self.single_ms = round(rules.l0_retention_s * 1000)
        # Single files within a base that is gone could not be restored.
        self.window_ms = max(round(rules.snapshot_retention_s * 1000), self.single_ms)
        self.window_start = now_ms - self.window_ms
        self.single_start = now_ms - self.single_ms if self.single_ms else self.window_start
        self.singles_go = rules.l0_retention_s > 0
        self.images = self._by_level[SNAPSHOT_LEVEL]
        older = [image for image in self.images if image.created_ms < self.window_start]
        self.base = older[-1] if older else None
        self.named = list(_named(self.images, rules.keep))
        self._stretches = list(self._reach())

    def level(self, number: int) -> list[Stored]:
        """The objects of a level, ascending."""
        return self._by_level[number]

    def may_leave_window(self) -> list[Stored]:
        """What may bring a change when it becomes older than the window: images, and what is dated oddly."""
        if not self.images:
            return []
        newest = self.images[-1]
        merged = (stored for level in range(1, SNAPSHOT_LEVEL) for stored in self._by_level[level])
        odd = [
            stored
            for stored in merged
            if stored.name.max_txid <= newest.name.max_txid and stored.created_ms > newest.created_ms
        ]
        return [*self.images, *odd]

    def before_base(self, stored: Stored) -> bool:
        """Whether no restore inside the window can use it."""
        return (
            self.base is not None
            and stored.name.max_txid <= self.base.name.max_txid
            and stored.created_ms < self.window_start
        )

    def stands_for(self, single: Stored) -> bool:
        """Whether what is above level 0 leads to its TXID, or beyond it, without it."""
        txid = single.name.max_txid
        if single.name.min_txid == 1:
            return self.before_base(single)
        return any(stretch.start <= txid <= stretch.reach for stretch in self._stretches) or self.before_base(single)

    def _reach(self) -> Iterable[_Stretch]:
        """How far the kept images lead by objects of levels 1 to 8."""
        merged = [stored for level in range(1, SNAPSHOT_LEVEL) for stored in self._by_level[level]]
        merged.sort(key=lambda stored: stored.name.min_txid)
        starts = {0} | {image.name.max_txid for image in self.images}
        starts |= {stored.name.max_txid for stored in self._by_level[0] if stored.name.min_txid == 1}
        at, reach = 0, -1
        for start in sorted(starts):
            if start <= reach:
                continue
            reach = start
            while at < len(merged) and merged[at].name.min_txid <= reach + 1:
                reach = max(reach, merged[at].name.max_txid)
                at += 1
            yield _Stretch(start, reach)


def _single_files(view: _View) -> Iterable[Stored]:
    """Level 0: ascending, until one is too young or nothing stands for it; never the newest."""
    if not view.singles_go:
        return
    for stored in view.level(0)[:-1]:
        if stored.created_ms >= view.single_start or not view.stands_for(stored):
            return
        yield stored


def _merged(view: _View) -> Iterable[Stored]:
    """Levels 1 to 8: what lies before the base; never the last of a level."""
    for level in range(1, SNAPSHOT_LEVEL):
        yield from (stored for stored in view.level(level)[:-1] if view.before_base(stored))


def _images(view: _View) -> Iterable[Stored]:
    """Full images before the base that nobody named."""
    named = {image.name for image in view.named}
    for image in view.images[:-1]:
        if view.base is not None and image.name < view.base.name and image.name not in named:
            yield image


def _named(images: Sequence[Stored], keep: Keep) -> Iterable[Stored]:
    """The newest image of each of the last so many hours, days, weeks and months that have one."""
    kinds: tuple[tuple[int, Callable[[int], object]], ...] = (
        (keep.hourly, lambda ms: ms // 3_600_000),
        (keep.daily, lambda ms: ms // 86_400_000),
        (keep.weekly, lambda ms: (EPOCH + timedelta(milliseconds=ms)).isocalendar()[:2]),
        (keep.monthly, lambda ms: (EPOCH + timedelta(milliseconds=ms)).strftime("%Y-%m")),
    )
    for count, bucket in kinds:
        newest: dict[object, Stored] = {}
        for image in reversed(images):
            newest.setdefault(bucket(image.created_ms), image)
        yield from list(newest.values())[:count]


def _reachable(objects: Sequence[Stored]) -> set[int]:
    """All TXIDs that can be restored (see plan.points)."""
    found: set[int] = set()
    reached = 0
    for name in sorted((stored.name for stored in objects), key=lambda each: each.max_txid):
        if name.level == SNAPSHOT_LEVEL or name.min_txid <= reached + 1 or name.max_txid in found:
            found.add(name.max_txid)
            reached = name.max_txid
    return found


def _grown_out(created_ms: int, age_ms: int) -> int:
    """From when on something is older than an age."""
    return created_ms + age_ms + 1


def _to_check(time_ms: int, rules: Rules) -> int:
    """The next time that level 0 is looked at."""
    check_ms = max(1, round(rules.l0_check_s * 1000))
    return -(-time_ms // check_ms) * check_ms
