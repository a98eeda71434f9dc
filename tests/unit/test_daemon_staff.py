"""Who does what: a store that hangs holds up what goes to it, and nothing else."""

import threading

from litestreamd.daemon.progress import Progress
from litestreamd.daemon.staff import MOST, Staff
from litestreamd.jobs.pace import Next
from tests.support.waiting import until


class Errand:
    """Waits for `gate` when it runs, and counts."""

    def __init__(self, gate: threading.Event | None = None) -> None:
        self.runs = 0
        self._gate = gate

    def run(self, woken: bool) -> Next:
        self.runs += 1
        if self._gate is not None:
            assert self._gate.wait(30)
        return Next(None)


def test_a_store_that_hangs_holds_up_nobody_else() -> None:
    crashes: list[BaseException] = []
    prepared: list[object] = []
    staff = Staff(prepared.append, crashes.append, Progress())
    gate = threading.Event()
    try:
        stuck = [Errand(gate) for _ in range(50)]
        for errand in stuck:
            staff.add_line(errand, "far")
            staff.add_history(errand, "far")
        until(lambda: sum(errand.runs for errand in stuck) == 2 * MOST, "all threads of the far store hang")
        capture, line, history = Errand(), Errand(), Errand()
        staff.add_capture(capture)
        staff.add_line(line, "near")
        staff.add_history(history, "near")
        until(lambda: capture.runs and line.runs and history.runs, "the others run")
        staff.signal(line)
        until(lambda: line.runs == 2, "and run again")
        assert prepared == [capture]
    finally:
        # The end does not wait for the store that hangs, nor does who goes elsewhere.
        staff.end()
        for task in (capture, line, history):
            staff.remove(task)
        assert all(errand.runs <= 2 for errand in stuck)
        gate.set()
        for errand in stuck:
            staff.remove(errand)
    assert crashes == []
