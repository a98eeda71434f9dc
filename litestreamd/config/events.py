"""YAML bytes to parser events: the text is checked first, and syntax errors become faults with places.

In: the bytes of a file. Out: PyYAML's events (YAML 1.1), one at a time, so that the reader's limits act
before a tree exists. No text of the file is quoted that could be a secret.
"""

import re
from collections.abc import Iterator
from typing import Protocol

import yaml
from yaml.events import Event

from litestreamd.config.faults import Faults
from litestreamd.config.nodes import Mark

MAX_BYTES = 1 << 20

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
# Quoted pieces of a parser's message that came from the file (a tag handle can be half a password).
_QUOTED = re.compile(r"'(?!<)[^']{2,}'")
_START = Mark(1, 1)

_LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Position(Protocol):
    """What the two parsers' marks share."""

    line: int
    column: int


class Unreadable(Exception):
    """Reading cannot go on; the fault is already noted."""


def decode(data: bytes, faults: Faults) -> str | None:
    """The text of the file; None with a fault when it is too large or no clean UTF-8."""
    if len(data) > MAX_BYTES:
        faults.add(_START, f"the file is larger than {MAX_BYTES >> 20} MiB")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        faults.add(_place(before), "this byte is not UTF-8")
        return None
    control = CONTROL.search(text)
    if control is not None:
        faults.add(_place(text[: control.start()]), f"a control character (U+{ord(control[0]):04X}) is not allowed")
        return None
    return text


def _place(before: str) -> Mark:
    """The place right behind this beginning of the file."""
    return Mark(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


def events(text: str, faults: Faults) -> Iterator[Event]:
    """The parser's events; a syntax error becomes a fault and Unreadable."""
    loader = _LOADER(text)
    try:
        while (event := loader.get_event()) is not None:
            yield event
    except yaml.MarkedYAMLError as error:
        faults.add(*_syntax_fault(error, text))
        raise Unreadable from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML leaks ValueError for escapes such as "\UFFFFFFFF" and for overlong version numbers.
        faults.add(_START, "this is not valid YAML")
        raise Unreadable from None
    finally:
        loader.dispose()


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> tuple[Mark, str]:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "cannot be read"
    if "end of stream" in problem and error.context_mark is not None:
        mark = error.context_mark  # where the unfinished thing begins says more than where the file ends
    if mark is None:
        return _START, "this is not valid YAML"
    lines = text.split("\n")
    if mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t":
        return place_of(mark), "a tab cannot indent YAML: use spaces"
    context = f"{error.context}, " if error.context else ""
    return place_of(mark), "this is not valid YAML: " + _QUOTED.sub("it", f"{context}{problem}")


def place_of(mark: _Position | None) -> Mark:
    """PyYAML counts from 0, people from 1."""
    return _START if mark is None else Mark(mark.line + 1, mark.column + 1)
