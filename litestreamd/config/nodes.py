"""A YAML document as values that remember where they stand. Their repr hides the text: it may be a secret."""

from dataclasses import dataclass, field
from typing import NamedTuple

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Mark(NamedTuple):
    """A place in the file; both count from 1, the column in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value as written, before ${VAR} is replaced. `plain`: without quotes."""

    mark: Mark
    text: str = field(repr=False)
    plain: bool = True

    @property
    def is_null(self) -> bool:
        """True for a value that YAML calls null: nothing, `~`, `null`."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list. `weight` is the number of values in it when every alias is written out."""

    mark: Mark
    items: tuple["Node", ...]
    weight: int


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file, keys unique, `<<` already merged. `weight` as of a Sequence."""

    mark: Mark
    items: tuple[tuple[Scalar, "Node"], ...]
    weight: int

    def get(self, name: str) -> "Node | None":
        """The value of a key, None when it is not there."""
        return next((value for key, value in self.items if key.text == name), None)


Node = Scalar | Sequence | Mapping


def kind_of(node: Node) -> str:
    """What the node is, for a message."""
    if isinstance(node, Mapping):
        return "a mapping (key: value)"
    return "a list" if isinstance(node, Sequence) else "a single value"
