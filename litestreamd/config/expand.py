"""${VAR} in a value: only this form, only after YAML is parsed, never silently empty.

In: a value as written and the environment. Out: the text to use, or the sentences that say why not.
"""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>[^}]*)(?P<end>\}?)|(?P<bare>[A-Za-z_][A-Za-z0-9_]*))?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def expand(text: str, environment: Mapping[str, str], secret: bool = False) -> tuple[str, list[str]]:
    """Replace ${NAME} by the variable's value and $$ by one dollar.

    Out: the text, and one sentence per mistake (then the text must not be used). `secret`: the value may
    hold a password, so the words behind a bare dollar are not repeated in the sentence.
    """
    mistakes: list[str] = []

    def replacement(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["braced"]
        if name is None:
            shown = "NAME" if secret or not match["bare"] else match["bare"]
            mistakes.append(f"a bare $ is ambiguous: write ${{{shown}}} for the variable, or $$ for a dollar sign")
        elif not match["end"] or not _NAME.fullmatch(name):
            mistakes.append("${...} takes the name of one variable: letters, digits and _; $$ is a dollar sign")
        elif name not in environment:
            mistakes.append(f"the environment variable {name} is not set (write $$ for a dollar sign)")
        elif not _is_clean(environment[name]):
            mistakes.append(f"the environment variable {name} is not UTF-8 text")
        else:
            return environment[name]
        return ""

    return _REFERENCE.sub(replacement, text), mistakes


def _is_clean(value: str) -> bool:
    """False for bytes that were no UTF-8 (the environment gives them as lone surrogates) and for NUL."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
