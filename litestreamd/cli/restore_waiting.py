"""A restore that a unit waits for: it goes on trying while the store does not answer, and says so.

In: the restore as a function, for how long. Out: what it returns, or the last error when the time is over.
Why here and not by Restart= of the unit: the application's start is given up with the first failure of what it requires
(systemd before 254 has no way around that).
"""

import logging
import time
from collections.abc import Callable

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import LitestreamdError, RightsError, StoreError
from litestreamd.basics.quantities import format_duration
from litestreamd.cli.restore_report import say
from litestreamd.daemon.announce import announce
from litestreamd.daemon.notify import Notifier

FIRST_S, LONGEST_S = 1.0, 15.0
REMIND_S = 60.0
SPARE_S = 600.0
"""What one try may take on top, and what lies between two signs of progress."""


class Waiting:
    """One restore. `status` is told to the service manager with every sign of progress."""

    def __init__(self, database: str, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._seconds = seconds
        self._clock = clock
        self._notifier = Notifier()
        self._told = ("", 0.0)

    def run(self, restore: Callable[[], None]) -> None:
        """Until it works, or nothing but time could help and that is over. Raises its errors."""
        end, pause = self._clock() + self._seconds, FIRST_S
        while True:
            self._notifier.extend(SPARE_S)
            try:
                return restore()
            except (StoreError, RightsError) as error:
                left = end - self._clock()
                if left <= 0:
                    raise
                pause = min(pause, left)
                self._tell(error, left, pause)
                time.sleep(pause)
                pause = min(LONGEST_S, pause * 2)

    def progress(self, text: str) -> None:
        """Something was done; `text` says how far it is."""
        self._notifier.extend(SPARE_S)
        self._notifier.status(f"restoring {self._database}: {text}")

    def _tell(self, error: LitestreamdError, left: float, pause: float) -> None:
        until = format_time(round((time.time() + left) * 1000))
        sentence = f"{self._database} is missing and cannot be restored yet: {error}"
        self._notifier.status(f"{sentence} (tried again until {until})")
        self._notifier.extend(pause + SPARE_S)
        text, told_at = self._told
        if text == str(error) and self._clock() - told_at < REMIND_S:
            return
        self._told = str(error), self._clock()
        again = f"{sentence}; tried again every {format_duration(LONGEST_S)} until {until}"
        fields = {"db": self._database, "error": error, "error_class": type(error).__name__}
        if not announce("restore-waiting", again, logging.ERROR, **fields):
            say(again)
