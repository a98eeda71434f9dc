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

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
# Pieces of what PyYAML's two parsers say, and what it means for the writer of the file.
_PROBLEMS = (
    ("mapping values are not allowed", "a second colon in one line: quote the value, or mend the indentation"),
    ("cannot start any token", "a value cannot begin with this character: quote it"),
    ("find expected key", "this line is indented differently from the ones it belongs to"),
    ("expected <block end>", "this line is indented differently from the ones it belongs to"),
    ("'-' indicator", "this line is indented differently from the ones it belongs to"),
    ("node content", "a value is missing here, or a bracket before it is not closed"),
    ("expected ','", "a comma or a closing bracket is missing before this"),
    ("could not find expected ':'", "a colon is missing behind this key"),
    ("found undefined tag handle", "a value cannot begin with !: quote it"),
)
_START = Mark(1, 1)

# The parser in C when PyYAML was built with it: a hundred times faster.
LOADER: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
    loader = LOADER(text)
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
    """What the parser complains of, in our words: its own may quote half a password, and differ between
    PyYAML's two parsers."""
    problem = error.problem or ""
    if "unexpected end of stream" in problem:  # the mark is the end of the file; where the text begins says more
        return place_of(error.context_mark), "this quoted text never ends"
    place = place_of(error.problem_mark)
    lines = text.split("\n")
    if place.line > len(lines):  # libyaml places the end of a file without a last line break on the next line
        place = Mark(len(lines), len(lines[-1]) + 1)
    if lines[place.line - 1][place.column - 1 : place.column] == "\t":
        return place, "a tab cannot indent YAML: use spaces"
    return place, next((sentence for piece, sentence in _PROBLEMS if piece in problem), "this is not valid YAML")


def place_of(mark: _Position | None) -> Mark:
    """PyYAML counts from 0, people from 1."""
    return _START if mark is None else Mark(mark.line + 1, mark.column + 1)
