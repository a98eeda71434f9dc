"""What a command is, and the usage text it prints.

Each command is one file that ends in `COMMAND = Command(...)`; `cli.main` finds it by name, parses its
options, checks the number of its words and calls `run`, which returns an exit code or raises an error
of the tree (`basics.errors`) that main translates.
"""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from litestreamd.basics.errors import UsageError
from litestreamd.cli.options import Arguments, Option

_WIDTH = 78
_INDENT = " " * 6


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the program.

    `synopses` are the ways to call it, without its name (`[options] DB`); at least `words_min` and at
    most `words_max` (None: any number of) words that are not options are accepted.
    """

    name: str
    summary: str
    synopses: tuple[str, ...]
    options: tuple[Option, ...]
    run: Callable[[Arguments], int]
    words_min: int = 0
    words_max: int | None = 0
    examples: tuple[str, ...] = ()

    def check_words(self, arguments: Arguments, called: str) -> None:
        """Refuse too few or too many words. `called` is the command as the user calls it. Raises UsageError."""
        count = len(arguments.words)
        form = f"{called} {self.synopses[-1]}"
        if count < self.words_min:
            raise UsageError(f"an argument is missing: {form}")
        if self.words_max is not None and count > self.words_max:
            raise UsageError(f"{arguments.words[self.words_max]!r} is one argument too many: {form}")

    def usage(self, called: str) -> str:
        """The whole help text, lines of at most 78 characters where words allow."""
        sentence = self.summary[:1].upper() + self.summary[1:] + "."
        parts = [*textwrap.wrap(sentence, _WIDTH), "", "Usage:"]
        parts += [f"  {called} {synopsis}".rstrip() for synopsis in self.synopses]
        if self.options:
            parts += ["", "Options (one dash or two, -name VALUE or -name=VALUE):"]
            for option in self.options:
                parts += _option_lines(option)
        if self.examples:
            parts += ["", "Examples:"]
            parts += [f"  {called} {example}".rstrip() for example in self.examples]
        return "\n".join(parts) + "\n"


def _option_lines(option: Option) -> list[str]:
    names = [f"-{name}" for name in (option.name, *option.also)]
    head = "  " + ", ".join(f"{name} {option.value}" if option.value else name for name in names)
    return [head, *textwrap.wrap(option.help, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT)]
