"""What commands print, held against files in tests/golden.

In: command lines, and what differs from one run to the next. Out: an AssertionError with the difference.
`LITESTREAMD_WRITE_GOLDEN=1` writes the files anew: look at what git says of them before you commit it.

Text: one file for each command, `NAME.txt`, with every call: its words, standard output, standard error, exit code.
JSON: `NAME.json`, the keys of what every call prints, all the way down, with the types of their values; a `?` behind a
key that not every element of a list has.

What is replaced in text, in this order: the folder of the test by DIR, then what `SUBSTITUTIONS` lists. Where a
replacement is as long as what it replaces matters to no reader, so runs of spaces become two, as in a table.
"""

import difflib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import litestreamd
from tests.support.programs import TREE

FOLDER = TREE / "tests" / "golden"
WRITE = os.environ.get("LITESTREAMD_WRITE_GOLDEN") == "1"

SUBSTITUTIONS: tuple[tuple[str, str], ...] = (
    (r"(?<![-\d])(?!2025-06-15T15:06:4)20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,9}Z", "TIME"),
    (r"\b(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+ ago\b", "AGE ago"),
    (r"\bfor (?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+\)", "for AGE)"),
    (r"\bup (?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+\)", "up AGE)"),
    (r"\bin (?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+\b", "in DURATION"),
    (r"\.before-20\d\d-[-\dT.]+Z", ".before-STAMP"),
    (r"\bpid \d+", "pid PID"),
    (r"\blitestreamd on [\w.-]+, epoch", "litestreamd on HOST, epoch"),
    (r"\bowner [\w-]+:[\w-]+ \((?:as its folder|who restored it)\)", "owner USER:GROUP (FOLDER)"),
    (rf"\b{re.escape(litestreamd.__version__)}(?![\w.])", "VERSION"),
)
"""Times of today (those of a made history are told as they are), ages, durations, processes, the machine's name, who
runs the tests, the version."""

SIZES = (r"\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB)\b", "SIZE")
COLUMN_SIZES = (r"(?m)(?<=  )\d{2,5}(?=  |$)", "SIZE")
"""How well pages compress depends on the library."""

COUNTED = frozenset({"uploads", "upload_bytes", "upload_s", "errors", "requests"})
"""Objects whose keys are what was counted."""


class Golden:
    """The calls of one command. `call` carries one out: words -> exit code, standard output, standard error."""

    def __init__(
        self, name: str, folder: Path, call: Callable[[Sequence[str]], tuple[int, str, str]], *more: tuple[str, str]
    ) -> None:
        self._name, self._folder, self._call, self._more = name, folder, call, more
        self._texts: list[str] = []
        self._shapes: dict[str, Any] = {}

    def text(self, *words: object) -> str:
        """One call; out: what it printed on standard output, as it is compared."""
        code, out, err = self._call([str(word) for word in words])
        shown = [
            f"$ litestreamd {' '.join(map(str, words))}\n{out}",
            err and f"--- stderr\n{err}",
            f"--- exit {code}\n",
        ]
        self._texts.append(self._normal("".join(shown)))
        return self._texts[-1]

    def json(self, *words: object) -> None:
        """One call that prints JSON."""
        _, out, _ = self._call([str(word) for word in words])
        self._shapes[self._normal(" ".join(map(str, words))).strip()] = shape_of(json.loads(out))

    def check(self) -> None:
        """All calls against the files."""
        if self._texts:
            compare(FOLDER / f"{self._name}.txt", "\n".join(self._texts))
        if self._shapes:
            compare(FOLDER / f"{self._name}.json", json.dumps(self._shapes, indent=2) + "\n")

    def _normal(self, text: str) -> str:
        text = text.replace(str(self._folder), "DIR")
        for pattern, replacement in (*SUBSTITUTIONS, *self._more):
            text = re.sub(pattern, replacement, text)
        return re.sub(r"(?<=\S) {2,}", "  ", text)


def compare(path: Path, found: str) -> None:
    """With the file, unless it is to be written."""
    if WRITE:
        path.write_text(found)
        return
    assert path.exists(), f"{path} is missing: LITESTREAMD_WRITE_GOLDEN=1 writes it"
    wanted = path.read_text()
    difference = "".join(difflib.unified_diff(wanted.splitlines(True), found.splitlines(True), str(path), "printed"))
    assert wanted == found, difference


def shape_of(value: Any, key: str = "") -> Any:
    """Keys with the types of their values; of a list what its elements have, taken together; ["nothing"] when empty."""
    if isinstance(value, Mapping):
        if key in COUNTED:
            return {"*": _together([shape_of(each) for each in value.values()])} if value else {}
        return {name: shape_of(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [_together([shape_of(each) for each in value])]
    return {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "text"}[type(value)]


def _together(shapes: list[Any]) -> Any:
    if not shapes:
        return "nothing"
    if all(isinstance(shape, dict) for shape in shapes):
        names = dict.fromkeys(name for shape in shapes for name in shape)
        optional = {name for name in names if not all(name in shape for shape in shapes)}
        merged = {name: _together([shape[name] for shape in shapes if name in shape]) for name in names}
        return {f"{name}?" if name in optional else name: merged[name] for name in names}
    distinct = list(dict.fromkeys(json.dumps(shape) for shape in shapes))
    return (
        json.loads(distinct[0]) if len(distinct) == 1 else {"either": [json.loads(each) for each in sorted(distinct)]}
    )
