"""What a capture brought, told: to the observer as events, to the lines as something to ship."""

from litestreamd.database.capture import Taken
from litestreamd.jobs.events import Captured, Compared, Observer
from litestreamd.jobs.lines import Lines


class TakenTeller:
    """One per database."""

    def __init__(self, database: str, lines: Lines, observe: Observer) -> None:
        self._database = database
        self._lines = lines
        self._observe = observe

    def tell(self, taken: list[Taken]) -> None:
        """Each in turn."""
        for one in taken:
            if one.reason is not None:
                self._observe(Compared(self._database, one.reason, one.pages))
            self._observe(Captured(self._database, one.txid, one.pages, one.frames, one.size))
            if one.new_line:
                self._lines.need_images("the page size changed", one.txid - 1)
        if taken:
            self._lines.wake()
