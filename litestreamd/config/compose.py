"""YAML bytes to nodes with places, within fixed bounds.

In: the bytes of a file. Out: the root node, or None when faults say why there is none.
Promises: bounded time and memory whatever the bytes are (size, nesting, number of values with all
aliases written out); nothing is raised; every node knows its place.
"""

from collections.abc import Iterator
from typing import NoReturn

from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from litestreamd.config.events import CONTROL, Unreadable, decode, events, place_of
from litestreamd.config.faults import Faults, shown_key
from litestreamd.config.nodes import Mapping, Mark, Node, Scalar, Sequence, kind_of

MAX_DEPTH = 20
MAX_VALUES = 100_000


def compose(data: bytes, faults: Faults) -> Node | None:
    """Read one document. An empty file is None without a fault."""
    text = decode(data, faults)
    if text is None:
        return None
    try:
        return _Composer(events(text, faults), faults).document()
    except Unreadable:
        return None


class _Composer:
    """Builds nodes from events; `_anchors` holds what an alias may name, None while it is still being read."""

    def __init__(self, events: Iterator[Event], faults: Faults) -> None:
        self._events = events
        self._faults = faults
        self._anchors: dict[str, Node | None] = {}
        self._values = 0

    def document(self) -> Node | None:
        root: Node | None = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._stop(place_of(event.start_mark), "a second document begins here: a configuration has one")
            elif isinstance(event, NodeEvent):
                root = self._node(event, 0)
        return root

    def _node(self, event: Event, depth: int) -> Node:
        mark = place_of(event.start_mark)
        self._count(mark, 1)
        if depth > MAX_DEPTH:
            self._stop(mark, f"values are nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, AliasEvent):
            return self._alias(event, mark)
        assert isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent)
        if event.tag is not None:
            self._faults.add(mark, "a tag (!name) has no place in a configuration: quote the value if it begins with !")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node: Node
        if isinstance(event, ScalarEvent):
            node = self._scalar(event, mark)
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(mark, depth)
        else:
            node = self._mapping(mark, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: ScalarEvent, mark: Mark) -> Scalar:
        if CONTROL.search(event.value):
            self._faults.add(mark, "this value has a control character in it")
        return Scalar(mark, event.value, plain=event.style is None or event.style == "")

    def _sequence(self, mark: Mark, depth: int) -> Sequence:
        items = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return Sequence(mark, tuple(items), 1 + sum(map(_weight, items)))

    def _mapping(self, mark: Mark, depth: int) -> Mapping:
        items: dict[str, tuple[Scalar, Node]] = {}
        merged: list[Mapping] = []
        weight = 1
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            weight += _weight(key) + _weight(value)
            if not isinstance(key, Scalar):
                self._faults.add(key.mark, f"a key must be a single word, not {kind_of(key)}")
            elif key.plain and key.text == "<<":
                merged += self._merged(key, value)
            elif key.text in items:
                first = items[key.text][0].mark.line
                self._faults.add(key.mark, f"the key {shown_key(key.text)} was given before, on line {first}")
            else:
                items[key.text] = (key, value)
        for other in merged:
            for key, value in other.items:
                items.setdefault(key.text, (key, value))
        return Mapping(mark, tuple(items.values()), weight)

    def _merged(self, key: Scalar, value: Node) -> list[Mapping]:
        """The mappings that `<<` names, the first of them winning (yaml.org/type/merge.html)."""
        sources = value.items if isinstance(value, Sequence) else (value,)
        mappings = [source for source in sources if isinstance(source, Mapping)]
        if len(mappings) != len(sources):
            self._faults.add(key.mark, "<< merges a mapping or a list of mappings, and nothing else")
        return mappings

    def _alias(self, event: AliasEvent, mark: Mark) -> Node:
        name = event.anchor or ""
        node = self._anchors.get(name)
        if node is None:
            if name in self._anchors:
                self._stop(mark, "this alias stands inside the very value it names")
            self._stop(mark, "this alias (*name) has no anchor (&name) before it: quote the value if it begins with *")
        self._count(mark, _weight(node))
        return node

    def _count(self, mark: Mark, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            self._stop(mark, f"more than {MAX_VALUES} values, aliases written out")

    def _stop(self, mark: Mark, sentence: str) -> NoReturn:
        self._faults.add(mark, sentence)
        raise Unreadable


def _weight(node: Node) -> int:
    return 1 if isinstance(node, Scalar) else node.weight
