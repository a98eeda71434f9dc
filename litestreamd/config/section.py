"""One mapping of the document, held against the table of keys, with typed access to its values.

In: a mapping, its place in the table, and the `Reading` that the whole file shares.
Out: values of the asked type; the default when a key is absent, null or wrong (then the fault is noted).
Promises: every key is judged once, when the section is made; nothing is raised.
"""

import difflib
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from litestreamd.basics.errors import UsageError
from litestreamd.config import keys, nodes
from litestreamd.config.faults import shown_key
from litestreamd.config.keys import Place, State
from litestreamd.config.nodes import Mark, Node, Scalar
from litestreamd.config.reading import (
    Reading,
    parse_mode,
    parse_number,
    parse_positive_span,
    parse_quota,
    parse_room,
    parse_span,
)
from litestreamd.plan.spool_quota import Quota

Value = TypeVar("Value")

_FLAGS = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
_HOME = {Place.GLOBAL: "at the top", Place.DATABASE: "in an entry of dbs", Place.REPLICA: "in a replica"}


class Section:
    """One mapping. `mark` is its place in the file."""

    def __init__(
        self, node: nodes.Mapping, place: Place, reading: Reading, prefix: str = "", foreign: bool = False
    ) -> None:
        """`prefix`: the dotted name of a nested mapping (`logging.`). `foreign`: a replica of a type that
        was refused already; the keys of its type are not refused again."""
        self.mark = node.mark
        self._place, self._reading, self._prefix, self._foreign = place, reading, prefix, foreign
        self._values: dict[str, Node] = {}
        self._sections: dict[str, Section] = {}
        for key, value in node.items:
            self._judge(key, value)

    def _judge(self, key: Scalar, value: Node) -> None:
        """Sort one key by what the table says of it."""
        name = self._prefix + key.text
        faults = self._reading.faults
        row = keys.find(self._place, name)
        if keys.is_section(self._place, name) and (row is None or isinstance(value, nodes.Mapping) or _is_null(value)):
            self._open(key.text, name, value)  # `retention` alone is an old key, with keys below it a section
        elif row is None:
            faults.add(key.mark, self._unknown(key.text))
        elif row.state is State.HONOURED:
            if not _is_null(value):
                self._values[key.text] = value
        elif row.state is State.NO_EFFECT:
            faults.warn(key.mark, f"{name} has no effect in this version: {row.note}")
        elif row.state is State.REFUSED:
            faults.add(key.mark, f"{name} is refused: {row.note}")
        elif not self._foreign:
            faults.add(key.mark, f"{name} is not in this version: {row.note}")

    def _open(self, word: str, name: str, value: Node) -> None:
        """A nested mapping: judge its keys too."""
        if isinstance(value, nodes.Mapping):
            self._sections[word] = Section(value, self._place, self._reading, f"{name}.", self._foreign)
        elif not _is_null(value):
            below = ", ".join(keys.names_below(self._place, f"{name}."))
            self._reading.faults.add(value.mark, f"{name} takes a mapping, with the keys {below}")

    def _unknown(self, word: str) -> str:
        """What to say of a key that is not in the table at this place."""
        name = self._prefix + word
        elsewhere = keys.places_of(name)
        if elsewhere:
            return f"{shown_key(name)} does not belong here: its place is {_HOME[elsewhere[-1]]}"
        near = difflib.get_close_matches(word[:100], keys.names_below(self._place, self._prefix), n=1, cutoff=0.6)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return f"unknown key {shown_key(name)}{hint}"

    def node(self, name: str) -> Node | None:
        """The node of an honoured key; None when it is absent or null."""
        return self._values.get(name)

    def place_of(self, name: str) -> Mark:
        """Where the value of a key stands; where the section begins when it is absent."""
        node = self._values.get(name)
        return self.mark if node is None else node.mark

    def fault(self, name: str, sentence: str) -> None:
        """Note a fault at the value of a key."""
        self._reading.faults.add(self.place_of(name), sentence)

    def section(self, name: str) -> "Section":
        """A nested mapping; an empty one when it is absent."""
        empty = nodes.Mapping(self.mark, (), 1)
        return self._sections.get(name) or Section(empty, self._place, self._reading, f"{self._prefix}{name}.")

    def text(self, name: str, secret: bool = False) -> str | None:
        """A text that is not empty; None when absent. `secret` as in `Reading.text`."""
        node = self._values.get(name)
        text = None if node is None else self._reading.text(node, self._prefix + name, secret)
        if text is not None and not text.strip():
            self.fault(name, f"{self._prefix}{name} is empty")
            return None
        return text

    def value(self, name: str, parse: Callable[[str], Value]) -> Value | None:
        """What `parse` makes of a value; None when absent. Its complaint is told after the value: "is not ..."."""
        node = self._values.get(name)
        return None if node is None else self._reading.parsed(node, self._prefix + name, parse)

    def hidden(self, name: str, parse: Callable[[str], Value]) -> Value | None:
        """As `value`, of any length and never shown: the complaint is the whole sentence."""
        text = self.text(name, secret=True)
        try:
            return None if text is None else parse(text.strip())
        except UsageError as error:
            self.fault(name, str(error))
            return None

    def duration(self, name: str, default_s: float, positive: bool = False) -> float:
        """Seconds; `positive` refuses zero."""
        return self._parsed(name, default_s, parse_positive_span if positive else parse_span)

    def size(self, name: str, default: int, at_least: int = 0) -> int:
        """Bytes."""
        return self._parsed(name, default, partial(parse_room, at_least=at_least))

    def quota(self, name: str, default: Quota) -> Quota:
        """Bytes, or a share of the disk."""
        return self._parsed(name, default, parse_quota)

    def number(self, name: str, default: int, at_least: int | None = None) -> int:
        """A whole number."""

        def parse(text: str) -> int:
            number = parse_number(text)
            if at_least is not None and number < at_least:
                raise UsageError(f"must be at least {at_least}")
            return number

        return self._parsed(name, default, parse)

    def flag(self, name: str, default: bool) -> bool:
        """True or false, in any of YAML's words."""
        return self.choice(name, _FLAGS, default)

    def mode(self, name: str, default: int | None) -> int | None:
        """Permission bits."""
        return self._parsed(name, default, parse_mode)

    def choice(self, name: str, choices: Mapping[str, Value], default: Value) -> Value:
        """One of a few words, in any case; out: what it stands for."""

        def parse(text: str) -> Value:
            if text.lower() not in choices:
                raise UsageError(f"is not one of {', '.join(choices)}")
            return choices[text.lower()]

        return self._parsed(name, default, parse)

    def _parsed(self, name: str, default: Value, parse: Callable[[str], Value]) -> Value:
        value = self.value(name, parse)
        return default if value is None else value


def _is_null(value: Node) -> bool:
    return isinstance(value, Scalar) and value.is_null
