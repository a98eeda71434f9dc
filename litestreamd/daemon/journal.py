"""The journal as the place for log lines: structured fields instead of text to be taken apart again.

In: log records, with an event or with fields of their own (`extra={"fields": {...}}`). Out: journal entries.
Used when stderr is connected to the journal (systemd.exec(5), $JOURNAL_STREAM) and python3-systemd is there; without it
lines go to stderr with their priority in front (sd-daemon(3)), and have no fields.
"""

import logging
import os
import sys
from contextlib import suppress

from litestreamd.daemon.messages import journal_fields

try:
    from systemd.journal import JournalHandler
except ImportError:
    JournalHandler = None

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


def stderr_is_journal() -> bool:
    """Whether what is written to stderr ends up in the journal."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    with suppress(OSError, ValueError):
        stderr = os.fstat(sys.stderr.fileno())
        return (stderr.st_dev, stderr.st_ino) == (int(device), int(inode))
    return False


def journal_handler() -> logging.Handler | None:
    """A handler for the journal; None where there is none to write to."""
    if not stderr_is_journal():
        return None
    if JournalHandler is None:
        plain = logging.StreamHandler(sys.stderr)
        plain.setFormatter(_Prioritised())
        return plain
    handler: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER="litestreamd")
    handler.setFormatter(_TextOnly())
    handler.addFilter(_with_fields)
    return handler


def _with_fields(record: logging.LogRecord) -> bool:
    """JournalHandler sends every attribute whose name is that of a journal field."""
    event = getattr(record, "event", None)
    record.__dict__.update(journal_fields(event) if event is not None else getattr(record, "fields", {}))
    return True


class _TextOnly(logging.Formatter):
    """The journal has time, priority and traceback in fields of their own; a traceback is shown as well."""


class _Prioritised(logging.Formatter):
    """`<6>text`, every line of it."""

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())
