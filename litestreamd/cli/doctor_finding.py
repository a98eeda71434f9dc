"""What the doctor finds: one line each.

In: a check. Out: a Finding: well, to be considered, or wrong, with the way out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from litestreamd.basics.errors import ExitCode, LitestreamdError


class Verdict(Enum):
    """How it stands."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """subject: what was looked at (`journal mode`, `replica s3`). fix: what to do, a command where there is one. code:
    what the doctor ends with when this is the first error."""

    subject: str
    verdict: Verdict
    sentence: str
    fix: str | None = None
    code: ExitCode = ExitCode.FAILED


def ok(subject: str, sentence: str) -> Finding:
    """All is well."""
    return Finding(subject, Verdict.OK, sentence)


def warning(subject: str, sentence: str, fix: str | None = None) -> Finding:
    """It works; somebody should know."""
    return Finding(subject, Verdict.WARNING, sentence, fix)


def error(subject: str, sentence: str, fix: str | None = None, code: ExitCode = ExitCode.FAILED) -> Finding:
    """It does not work, or will not."""
    return Finding(subject, Verdict.ERROR, sentence, fix, code)


def looked_at(subject: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of one check; what keeps it from being made is one of them, and the others go on."""
    try:
        yield from look()
    except LitestreamdError as fault:
        yield error(subject, str(fault), code=fault.exit_code)
    except OSError as fault:
        named = f"{fault.filename}: " if fault.filename is not None else ""
        yield warning(subject, f"cannot be looked at: {named}{fault.strerror or fault}")
