"""How the history on a replica is kept: `levels`, `l0-*`, `retention.enabled`, `snapshot.*`.

In: the sections of the file that may have these keys, outermost first (top, database, replica).
Out: Rules; the nearest place wins, key by key. Faults are noted, also where two keys contradict each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from litestreamd.basics.quantities import format_duration
from litestreamd.config import nodes
from litestreamd.config.faults import shown_key
from litestreamd.config.nodes import Mark, Node, kind_of
from litestreamd.config.reading import Reading, parse_positive_span
from litestreamd.config.section import Section
from litestreamd.plan.rules import Keep, Rules

MAX_LEVELS = 8
_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
_HOUR, _DAY = 3600.0, 86400.0
_KEPT_EVERY_S: Mapping[str, float] = {"hourly": _HOUR, "daily": _DAY, "weekly": 7 * _DAY, "monthly": 31 * _DAY}

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class PlacedRules:
    """Rules, and where those keys stand that were given (the nearest place; later ones are nearer)."""

    rules: Rules = field(default_factory=Rules)
    given: Mapping[str, tuple[int, Mark]] = field(default_factory=dict)
    depth: int = 0


def read_rules(section: Section, reading: Reading, outer: PlacedRules) -> PlacedRules:
    """The rules at one place of the file; what it leaves out comes from `outer`."""
    rules, snapshot, retention = outer.rules, section.section("snapshot"), section.section("retention")
    keep = snapshot.section("keep")
    node = section.node("levels")
    read = Rules(
        levels_s=rules.levels_s if node is None else _levels(node, reading) or rules.levels_s,
        l0_retention_s=section.duration("l0-retention", rules.l0_retention_s),
        l0_check_s=section.duration("l0-retention-check-interval", rules.l0_check_s, positive=True),
        snapshot_interval_s=snapshot.duration("interval", rules.snapshot_interval_s, positive=True),
        snapshot_retention_s=snapshot.duration("retention", rules.snapshot_retention_s, positive=True),
        keep=Keep(*(keep.number(one.name, getattr(rules.keep, one.name), at_least=0) for one in fields(Keep))),
        enabled=retention.choice("enabled", _BOOLEANS, rules.enabled),
    )
    depth = outer.depth + 1
    named = {"l0-retention": (section, "l0-retention"), "snapshot.interval": (snapshot, "interval")}
    named |= {"snapshot.retention": (snapshot, "retention"), "levels": (section, "levels")}
    named |= {f"snapshot.keep.{word}": (keep, word) for word in _KEPT_EVERY_S}
    here = {name: (depth, at.place_of(key)) for name, (at, key) in named.items() if at.node(key) is not None}
    return PlacedRules(read, {**outer.given, **here}, depth)


def settle_rules(placed: PlacedRules, reading: Reading) -> Rules:
    """The rules of one replica, once nothing nearer can change them. Notes what contradicts itself."""
    rules = placed.rules
    window_s = rules.snapshot_retention_s
    if "l0-retention" not in placed.given:
        rules = replace(rules, l0_retention_s=min(rules.l0_retention_s, window_s))
    if not rules.enabled:
        return rules
    window = f"snapshot.retention ({format_duration(window_s)})"
    if rules.l0_retention_s > window_s:
        reading.faults.add(
            _nearest(placed, "l0-retention", "snapshot.retention"),
            f"l0-retention ({format_duration(rules.l0_retention_s)}) is longer than {window}: nothing can be restored"
            " from before that window; lower l0-retention, or raise snapshot.retention",
        )
    longest_s = rules.levels_s[-1]
    if longest_s > window_s and {"levels", "snapshot.retention"} & placed.given.keys():
        reading.faults.warn(
            _nearest(placed, "levels", "snapshot.retention"),
            f"the last of the levels ({format_duration(longest_s)}) is longer than {window}: its files are deleted"
            " soon after they are made; fewer levels, or a longer snapshot.retention, cost less",
        )
    for word, every_s in _KEPT_EVERY_S.items():
        if getattr(rules.keep, word) and rules.snapshot_interval_s > every_s:
            every = format_duration(every_s)
            reading.faults.add(
                _nearest(placed, f"snapshot.keep.{word}", "snapshot.interval"),
                f"snapshot.keep.{word} needs a snapshot every {every}, and snapshot.interval is"
                f" {format_duration(rules.snapshot_interval_s)}: write snapshot: {{interval: {every}}}"
                f" or leave {word} out",
            )
    return rules


def _nearest(placed: PlacedRules, *names: str) -> Mark:
    """Where the nearest of these keys stands; one of them was given."""
    return max(placed.given[name] for name in names if name in placed.given)[1]


def _levels(node: Node, reading: Reading) -> tuple[float, ...]:
    """The intervals of level 1, 2, ... in seconds; nothing after a fault."""
    faults = reading.faults
    if not isinstance(node, nodes.Sequence):
        faults.add(node.mark, f"levels takes a list (- interval: 30s), not {kind_of(node)}")
        return ()
    if not node.items:
        faults.add(node.mark, "levels is empty: name at least one level, or leave the key out")
    if len(node.items) > MAX_LEVELS:
        faults.add(node.items[MAX_LEVELS].mark, f"there are {MAX_LEVELS} levels at most: leave the others out")
        return ()
    levels: list[float] = []
    for item in node.items:
        interval = _interval(item, reading)
        seconds = None if interval is None else reading.parsed(interval, "levels", parse_positive_span)
        if seconds is None or interval is None:
            return ()
        if levels and seconds <= levels[-1]:
            faults.add(
                interval.mark,
                f"levels: this interval ({format_duration(seconds)}) is not longer than the one before it"
                f" ({format_duration(levels[-1])}): each level merges the files of the one below",
            )
            return ()
        levels.append(seconds)
    return tuple(levels)


def _interval(item: Node, reading: Reading) -> Node | None:
    """The value of `interval`, the only key of a level."""
    faults = reading.faults
    if not isinstance(item, nodes.Mapping):
        faults.add(item.mark, f"a level takes the key interval ({{interval: 30s}}), not {kind_of(item)}")
        return None
    for key, _ in item.items:
        if key.text != "interval":
            faults.add(key.mark, f"unknown key levels.{shown_key(key.text)}: a level has an interval and nothing else")
    interval = item.get("interval")
    if interval is None or (isinstance(interval, nodes.Scalar) and interval.is_null):
        faults.add(item.mark, "this level has no interval: write {interval: 30s}")
        return None
    return interval
