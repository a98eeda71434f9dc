"""Values of systemd unit files, as their parser takes them apart again.

In: paths, names. Out: text for the right-hand side of an assignment, or a UsageError for what no unit file can hold.
Sources: systemd.syntax(7) for quotes and backslashes, systemd.unit(5) for `%` and for the characters of unit names.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from litestreamd.basics.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z0-9/._+,@~=%-]+")
_INSTANCE = re.compile(r"[A-Za-z0-9:_.\\@-]+")
_LONGEST_NAME = 255


def paths_value(paths: Iterable[Path], may_be_missing: Iterable[Path] = ()) -> str:
    """A list of paths, each once, separated by spaces; the second ones with the `-` that lets them be missing."""
    words = [path_value(path) for path in paths] + [path_value(path, "-") for path in may_be_missing]
    return " ".join(dict.fromkeys(words))


def path_value(path: Path, mark: str = "") -> str:
    """One path: `%` doubled, and in quotes where it has a space, a colon or anything else that is not plain."""
    text = f"{mark}{path}"
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} is not UTF-8: a unit file cannot name it") from None
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise UsageError(f"{text!r} has a control character: a unit file cannot name it")
    text = text.replace("%", "%%")
    if _PLAIN.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def check_instance(instance: str, longest_unit: str) -> None:
    """Refuse what cannot be the instance of a unit. `longest_unit`: the longest name it goes into, with `@.`."""
    if not _INSTANCE.fullmatch(instance):
        raise UsageError(
            f"{instance!r} cannot be an instance: unit names have letters, digits and : _ . - \\ @ only"
            " (systemd-escape writes any other text with these)"
        )
    if len(instance) + len(longest_unit) > _LONGEST_NAME:
        raise UsageError(f"{instance!r} is too long for an instance: the name of a unit has {_LONGEST_NAME} characters")
