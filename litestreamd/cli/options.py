"""Options in Litestream's spelling: `-name VALUE`, `-name=VALUE` and the same with two dashes.

In: what a command accepts (`Option` values) and the words of the command line.
Out: `Arguments`, with typed access to every declared option.
Promises: options and arguments may come in any order, `--` ends the options, nothing is abbreviated,
and every mistake is a UsageError of one sentence.
"""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from litestreamd.basics.errors import UsageError
from litestreamd.basics.quantities import parse_duration

Value = TypeVar("Value")

_TRUE = frozenset({"1", "t", "true"})
_FALSE = frozenset({"0", "f", "false"})
HELP_NAMES = frozenset({"h", "help"})


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `value` is the placeholder of its value (`PATH`); None makes it a switch. `also`: other names."""

    name: str
    help: str
    value: str | None = None
    also: tuple[str, ...] = ()


CONFIG = Option(
    "config",
    "configuration file (default: of an INSTANCE /etc/litestreamd/INSTANCE.yml, else $LITESTREAM_CONFIG, else "
    "/etc/litestream.yml)",
    "PATH",
)
NO_EXPAND_ENV = Option("no-expand-env", "leave ${VAR} in the configuration as it is")
JSON = Option("json", "print JSON instead of text")


@dataclass(frozen=True, slots=True)
class Arguments:
    """A command line that was understood: `given` maps option names to values, `words` are the rest in order."""

    given: Mapping[str, str]
    words: tuple[str, ...] = ()
    help_wanted: bool = False
    every: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def switch(self, name: str) -> bool:
        """True when the switch was given (`-name`, `-name=true`)."""
        return self.given.get(name, "false") == "true"

    def text(self, name: str) -> str | None:
        """The value as written, or None when the option was not given."""
        return self.given.get(name)

    def texts(self, name: str) -> tuple[str, ...]:
        """The values of an option that may be given several times, in order."""
        return tuple(self.every.get(name, ()))

    def read(self, name: str, parse: Callable[[str], Value]) -> Value | None:
        """The value through `parse`, whose UsageError gets the option's name in front; None when not given."""
        text = self.given.get(name)
        if text is None:
            return None
        try:
            return parse(text)
        except UsageError as error:
            raise UsageError(f"-{name}: {error}") from None

    def duration(self, name: str, default_s: float) -> float:
        """Seconds, from a duration such as 30s."""
        seconds = self.read(name, parse_duration)
        return default_s if seconds is None else seconds

    def number(self, name: str, default: int, at_least: int = 0) -> int:
        """A whole number, not below `at_least`."""
        text = self.given.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < at_least:
            raise UsageError(f"-{name}: {text!r} is not a whole number from {at_least} on")
        return int(text)

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """One of a few words."""
        text = self.given.get(name, default)
        if text not in choices:
            raise UsageError(f"-{name}: {text!r} is not one of {', '.join(choices)}")
        return text


def parse_arguments(words: Sequence[str], options: Sequence[Option]) -> Arguments:
    """Read the words after the command's name. A repeated option counts as given last, unless it is asked for by
    `texts`. Raises UsageError."""
    known = {name: option for option in options for name in (option.name, *option.also)}
    given: dict[str, str] = {}
    every: dict[str, list[str]] = {}
    rest: list[str] = []
    remaining = iter(words)
    for word in remaining:
        if word == "--":
            rest.extend(remaining)
        elif not word.startswith("-") or word == "-":
            rest.append(word)
        else:
            name, equals, value = word[1:].removeprefix("-").partition("=")
            if name in HELP_NAMES and name not in known:
                return Arguments(given, tuple(rest), help_wanted=True)
            option = known.get(name)
            if option is None:
                raise UsageError(_unknown(word.partition("=")[0], name, known))
            given[option.name] = _value(option, value if equals else None, remaining, known)
            every.setdefault(option.name, []).append(given[option.name])
    return Arguments(given, tuple(rest), every=every)


def _value(option: Option, attached: str | None, remaining: Iterator[str], known: Mapping[str, Option]) -> str:
    """The option's value: behind its `=`, else (unless it is a switch) the next word."""
    if option.value is None:
        return "true" if attached is None else _switch_value(option, attached)
    if attached is not None:
        return attached
    value = next(remaining, None)
    if value is None:
        raise UsageError(f"-{option.name} needs a value: -{option.name} {option.value}")
    if value.startswith("-") and value.lstrip("-").partition("=")[0] in known:
        raise UsageError(
            f"-{option.name} needs a value, but the next word is the option {value}"
            f" (write -{option.name}={value} if that is the value)"
        )
    return value


def _switch_value(option: Option, text: str) -> str:
    if text.lower() in _TRUE:
        return "true"
    if text.lower() in _FALSE:
        return "false"
    raise UsageError(f"-{option.name} is a switch: give it alone, or with =true or =false")


def _unknown(shown: str, name: str, known: Mapping[str, Option]) -> str:
    """`shown` leaves the value out: it may be a secret."""
    return f"unknown option {shown}{nearest(name, known, '-')}"


def nearest(word: str, known: Mapping[str, object], prefix: str = "") -> str:
    """` (did you mean X?)` when something known is close to `word`, else nothing."""
    matches = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {prefix}{matches[0]}?)" if matches else ""
