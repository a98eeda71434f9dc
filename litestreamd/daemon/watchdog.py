"""The watchdog: the service manager hears of life only as long as everybody who works makes progress.

In: `look` at least four times in `notifier.watchdog_s`. Out: WATCHDOG=1, or nothing and an error in the log.
Promised: a worker that has made no progress for half of that time is not passed over in silence. systemd then kills the
process with SIGABRT, faulthandler prints where every thread stood, and the unit starts again; no commit is lost by it,
for a guard that dies leaves the frames in the WAL.
"""

import faulthandler
import logging

from litestreamd.basics import pulse
from litestreamd.daemon.log import LOGGER
from litestreamd.daemon.notify import Notifier
from litestreamd.daemon.progress import Progress

LONGEST_SILENCE_S = 90.0
"""Without a watchdog it is said in the log after so long."""


class Watchdog:
    """One per process; used by the main thread."""

    def __init__(self, notifier: Notifier, progress: Progress) -> None:
        self._notifier = notifier
        self._progress = progress
        self._limit_s = notifier.watchdog_s / 2 if notifier.watchdog_s else LONGEST_SILENCE_S
        self._told = ""

    @property
    def interval_s(self) -> float:
        """How often to look."""
        return min(2.0, self._limit_s / 4)

    def start(self) -> None:
        """Listen for signs of life, and have the stacks printed when the process is killed for lack of them."""
        pulse.listen(self._progress.told)
        faulthandler.enable(all_threads=True)

    def look(self) -> None:
        """Tell the service manager that all is well, if it is."""
        silence = self._progress.silence()
        if silence.seconds < self._limit_s:
            self._notifier.alive()
            self._told = ""
        elif silence.thread != self._told:
            self._told = silence.thread
            what = "the watchdog of systemd will restart the service" if self._notifier.watchdog_s else "is it stuck?"
            LOGGER.log(
                logging.ERROR, "the thread %s (%s) has made no progress for %.0f s: %s",
                silence.thread, silence.work, silence.seconds, what,
            )  # fmt: skip
