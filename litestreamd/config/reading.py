"""What reading one file shares, and how a single value becomes a typed one.

In: a node of the document. Out: a value, or None with a fault noted at the node's place.
Promises: a fault shows a value as it was written, never what ${VAR} stood for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from litestreamd.basics.errors import UsageError
from litestreamd.basics.quantities import format_size, parse_duration, parse_size
from litestreamd.config.expand import expand
from litestreamd.config.faults import Faults, shown
from litestreamd.config.nodes import Node, Scalar, kind_of
from litestreamd.plan.spool_quota import Quota

Value = TypeVar("Value")

_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")

_HUNDRED_YEARS_S = 100 * 365 * 86400.0
_MAX_NUMBER = (1 << 63) - 1
_SHORTEST_S = 0.001

LONGEST_QUANTITY = 40
"""Characters of a number, a size or a duration; Python itself fails on numbers that are long enough."""

SMALLEST_ROOM = 1 << 20
"""Less room on disk than this, in bytes, is a typing error."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Where faults go, and the environment for ${VAR} (None: ${VAR} stays as it is)."""

    faults: Faults
    environment: Mapping[str, str] | None

    def text(self, node: Node, name: str, secret: bool = False) -> str | None:
        """The text of a single value with ${VAR} replaced; `secret` as in `expand`."""
        if not isinstance(node, Scalar):
            self.faults.add(node.mark, f"{name} takes a single value, not {kind_of(node)}")
            return None
        if self.environment is None:
            return node.text
        text, mistakes = expand(node.text, self.environment, secret)
        for mistake in mistakes:
            self.faults.add(node.mark, f"{name}: {mistake}")
        return None if mistakes else text

    def parsed(self, node: Node, name: str, parse: Callable[[str], Value]) -> Value | None:
        """The text through `parse`, whose UsageError says what is wrong with it."""
        text = self.text(node, name)
        if text is None or not isinstance(node, Scalar):
            return None
        text = text.strip()
        try:
            if len(text) > LONGEST_QUANTITY:
                raise UsageError("is too long for this value")
            return parse(text)
        except UsageError as error:
            complaint = str(error).removeprefix(f"{text!r} ")  # the text after ${VAR}: see the promise
            self.faults.add(node.mark, f"{name}: {shown(node.text)} {complaint}")
            return None


def parse_span(text: str) -> float:
    """A duration of at most a hundred years, in seconds."""
    seconds = parse_duration(text)
    if seconds > _HUNDRED_YEARS_S:
        raise UsageError("is longer than 100 years")
    return seconds


def parse_positive_span(text: str) -> float:
    """As `parse_span`, at least a millisecond."""
    seconds = parse_span(text)
    if seconds <= 0:
        raise UsageError("must be longer than 0")
    if seconds < _SHORTEST_S:
        raise UsageError("is shorter than 1ms, the shortest time here")
    return seconds


def parse_room(text: str, at_least: int) -> int:
    """A size in bytes."""
    size = parse_size(text)
    if size < at_least:
        raise UsageError(f"is less than {format_size(at_least)}, the smallest size here")
    return size


def parse_quota(text: str) -> Quota:
    """A size, or a percentage of the free room of a disk (`25%`)."""
    if not text.endswith("%"):
        return Quota(size=parse_room(text, SMALLEST_ROOM))
    number = text.removesuffix("%").strip()
    if not _PERCENT.fullmatch(number) or not 0 < float(number) <= 100:
        raise UsageError("is not a percentage above 0% and up to 100%")
    return Quota(share=float(number) / 100)


def parse_number(text: str) -> int:
    """A whole number of at most 64 bits."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or int(digits) > _MAX_NUMBER:
        raise UsageError("is not a whole number")
    return int(text)


def parse_mode(text: str) -> int:
    """Permission bits in octal, as chmod takes them."""
    digits = text.removeprefix("0o").removeprefix("0")
    if not 1 <= len(digits) <= 4 or set(digits) - set("01234567"):
        raise UsageError("is not a file mode in octal, such as 0640")
    return int(digits, 8)
