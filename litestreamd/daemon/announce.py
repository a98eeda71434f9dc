"""What a command that runs as a service says to the journal, with fields and MESSAGE_ID; elsewhere it only prints.

In: the name of a message (daemon/messages.py), a sentence, fields. Out: an entry, if stderr is the journal.
"""

import logging

from litestreamd.daemon import log
from litestreamd.daemon.journal import stderr_is_journal
from litestreamd.daemon.messages import MESSAGE_IDS


def announce(message: str, sentence: str, level: int = logging.INFO, **fields: object) -> bool:
    """Whether it was said. `fields` are named without LITESTREAMD_, in small letters; None is left out."""
    if not stderr_is_journal():
        return False
    if not log.LOGGER.handlers:
        log.set_up("info", "text")
    told = {f"LITESTREAMD_{name.upper()}": str(value) for name, value in fields.items() if value is not None}
    log.LOGGER.log(level, "%s", sentence, extra={"fields": told | {"MESSAGE_ID": MESSAGE_IDS[message]}})
    return True
