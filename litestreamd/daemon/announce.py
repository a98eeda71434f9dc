"""What a command says to the journal, with fields and MESSAGE_ID.

In: the name of a message (daemon/messages.py), a sentence, fields. Out: an entry.
`announce` is for commands that run as a service, and elsewhere only print; `record` is for what has to be found in the
journal whoever did it.
"""

import logging

from litestreamd.daemon import log
from litestreamd.daemon.journal import stderr_is_journal
from litestreamd.daemon.messages import MESSAGE_IDS

try:
    from systemd import journal
except ImportError:
    journal = None

_INFO = 6


def announce(message: str, sentence: str, level: int = logging.INFO, **fields: object) -> bool:
    """Whether it was said: only when stderr is the journal. `fields` are named without LITESTREAMD_, in small letters;
    None is left out."""
    if not stderr_is_journal():
        return False
    if not log.LOGGER.handlers:
        log.set_up("info", "text")
    log.LOGGER.log(level, "%s", sentence, extra={"fields": _told(message, fields)})
    return True


def record(message: str, sentence: str, **fields: object) -> None:
    """Say it wherever stderr goes, if there is a journal and the library that writes to it."""
    if journal is not None:
        journal.send(sentence, PRIORITY=_INFO, SYSLOG_IDENTIFIER="litestreamd", **_told(message, fields))


def _told(message: str, fields: dict[str, object]) -> dict[str, str]:
    told = {f"LITESTREAMD_{name.upper()}": str(value) for name, value in fields.items() if value is not None}
    return told | {"MESSAGE_ID": MESSAGE_IDS[message]}
