"""What is wrong with a configuration, gathered while it is read and told all at once.

In: sentences with their places. Out: lines `file:line:column: sentence`, sorted by place.
A sentence never contains a value that may be a secret, nor a line break.
"""

from litestreamd.basics.errors import ConfigError
from litestreamd.config.nodes import Mark

_SHOWN = 60


class Faults:
    """Faults and warnings of one file. The same sentence at the same place counts once (aliases are read twice)."""

    def __init__(self, source: str) -> None:
        """`source` is the file's name as the operator knows it."""
        self._source = source
        self._faults: set[tuple[Mark, str]] = set()
        self._warnings: set[tuple[Mark, str]] = set()

    def add(self, mark: Mark, sentence: str) -> None:
        """Something that must be changed before the configuration can be used."""
        self._faults.add((mark, sentence))

    def warn(self, mark: Mark, sentence: str) -> None:
        """Something that is accepted and worth a word."""
        self._warnings.add((mark, sentence))

    def raise_any(self) -> None:
        """Raise one ConfigError with all faults, if there are any."""
        if self._faults:
            raise self.error()

    def error(self) -> ConfigError:
        """All faults as one error."""
        return ConfigError("\n".join(self._lines(self._faults)))

    def warnings(self) -> tuple[str, ...]:
        """All warnings, in the order of the file."""
        return tuple(self._lines(self._warnings))

    def _lines(self, entries: set[tuple[Mark, str]]) -> list[str]:
        return [f"{self._source}:{mark.line}:{mark.column}: {sentence}" for mark, sentence in sorted(entries)]


def shown(text: str) -> str:
    """A value for a message: quoted, on one line, cut after 60 characters."""
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def shown_key(text: str) -> str:
    """A key for a message: bare when it looks like one, else quoted."""
    bare = text.isascii() and text.replace("-", "").replace("_", "").replace(".", "").isalnum() and len(text) <= _SHOWN
    return text if bare else shown(text)
