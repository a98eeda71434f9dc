"""One database under protection: its tasks among the staff's, from the first look to the final sync.

In: its settings, its replication. Out: tasks that run until `end`, which brings everything to the replicas.
Promise: `end` answers True only when every replica has everything that was committed before it was called.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from litestreamd.basics.errors import LitestreamdError
from litestreamd.config.model import DatabaseSettings
from litestreamd.daemon.log import LOGGER
from litestreamd.daemon.staff import Staff
from litestreamd.jobs.barrier import Barrier
from litestreamd.jobs.history import History
from litestreamd.jobs.replicate import Replication
from litestreamd.jobs.ship import Line

FINAL_LOOK_S = 0.5


class Protection:
    """Made, begun and ended once."""

    def __init__(self, settings: DatabaseSettings, replication: Replication, staff: Staff) -> None:
        self.settings = settings
        self.replication = replication
        self._staff = staff

    def begin(self) -> None:
        """Let its tasks run."""
        replication = self.replication
        self._staff.add_capture(replication)
        for spec, line, history in zip(self.settings.replicas, replication.lines, replication.histories, strict=True):
            self._staff.add_line(line, spec.store.service)
            self._staff.add_history(history, spec.store.service)

    def barrier(self) -> Barrier:
        """Ask for all that is committed by now, and have it captured and shipped at once."""
        barrier = self.replication.outlook.barriers.ask()
        for task in (self.replication, *self.replication.lines, *self.replication.histories):
            self._staff.wake(task)
        return barrier

    def wake_histories(self) -> None:
        """There is something for them to look at."""
        for history in self.replication.histories:
            self._staff.wake(history)

    def hurry(self, deadline: float) -> None:
        """It is going to end: what is not needed for that is not begun any more. `deadline` in monotonic seconds."""
        for line in self.replication.lines:
            line.deadline = deadline
        for history in self.replication.histories:
            history.hurry(deadline)

    def end(self, deadline: float) -> bool:
        """Capture the rest and let the lines run until they have it, the deadline has come, or nothing but refusals is
        left: what needs the operator once will not do without him half a second later. At least one try."""
        replication = self.replication
        self.hurry(deadline)
        self._staff.remove(replication)
        try:
            self._ship_the_rest(deadline)
        except LitestreamdError as error:
            LOGGER.error("%s: %s", replication.settings.database, error)
        for task in (*replication.lines, *replication.histories):
            self._staff.remove(task)  # nothing of this database runs any more when it is closed
        behind = replication.close().behind
        if not replication.captured:
            LOGGER.error("%s: could not be captured: no replica has its last commits", replication.settings.database)
        return replication.captured and not behind

    def _ship_the_rest(self, deadline: float) -> None:
        told: set[tuple[str, str]] = set()
        hopeless: set[str] = set()
        while not self.replication.finish():
            pauses = self._run_all()
            refusals = {
                (line.replica.name, str(line.error))
                for line in self.replication.lines
                if line.error is not None and not line.error.retry
            }
            hopeless |= {name for name, _ in refusals & told}
            told |= refusals
            left = deadline - time.monotonic()
            if left <= 0 or self.replication.lacking <= hopeless:
                break
            if any(pauses):
                # Some store does not answer: the next try is worth a moment.
                time.sleep(min(left, FINAL_LOOK_S))

    def _run_all(self) -> list[float | None]:
        """One try of every replica, all at once: one that hangs must not take the time of the others. Out: their
        pauses."""
        with ThreadPoolExecutor(len(self.replication.lines)) as pool:
            tried = pool.map(self._run_one, self.replication.lines, self.replication.histories)
        return [pause for pauses in tried for pause in pauses]

    def _run_one(self, line: Line, history: History) -> list[float | None]:
        self._staff.remove(line)  # what was begun before has to end first
        self._staff.remove(history)
        pauses = [line.run(woken=True).after]
        if history.is_needed:
            pauses.append(history.run(woken=True).after)
        return pauses
