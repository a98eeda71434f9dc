"""A replication driven by hand: its tasks run in the test's thread, in a time that only the test moves.

In: a database (the application is another process), the roots of folder replicas. Out: a `Drive` that lets due and
signalled tasks run, as the daemon's scheduler would, the events it told, and images of what the replicas hold.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from litestreamd.jobs.events import Captured, Closed, Event, Problem
from litestreamd.jobs.history import History
from litestreamd.jobs.pace import Next
from litestreamd.jobs.replicate import Replication
from litestreamd.jobs.settings import Settings
from litestreamd.jobs.ship import Line
from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.checkpoint import Limits
from litestreamd.plan.restore import AtTxid, Latest, plan_restore
from litestreamd.plan.rules import Rules
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Replica
from litestreamd.replica.writers import Writer
from tests.support import folder_listing, images
from tests.support.live import App
from tests.support.ltx_reading import decode

NEVER = Limits(min_pages=1 << 30, truncate_pages=0, interval_s=0)
DEFAULT = Limits(min_pages=1000, truncate_pages=121359, interval_s=60)
RULES = Rules(levels_s=(), enabled=False, snapshot_interval_s=1e9)
"""Nothing but level 0 and the images that it needs."""
E = TypeVar("E", bound=Event)


class Time:
    """A clock that stands still; `now_s` counts from an arbitrary moment."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.wall_ms = 1_800_000_000_000

    def now_ms(self) -> int:
        return self.wall_ms + round(self.now_s * 1000)

    def monotonic(self) -> float:
        return self.now_s


@dataclasses.dataclass
class Turn:
    """A task and when it wants to run: `due` in the drive's time (None: only when signalled)."""

    task: Replication | Line | History
    due: float | None = 0.0
    signalled: bool = False
    deaf: bool = False


class Drive:
    """One incarnation of a replication. Make another one (same arguments) for the next."""

    node = 0x1000

    def __init__(self, path: Path, *roots: Path, time: Time | None = None, **settings: Any) -> None:
        Drive.node += 1
        self.path, self.roots, self.time = path, roots, time or Time()
        self.events: list[Event] = []
        state = settings.pop("state", path.with_name(path.name + "-state"))
        machine = settings.pop("machine", "machine")
        rules = settings.pop("rules", RULES)
        replicas: list[Replica] = settings.pop("replicas", [FolderReplica(root, root.name) for root in roots])
        each_rules: list[Rules] = rules if isinstance(rules, list) else [rules] * len(replicas)
        writer = Writer(Drive.node, machine, "host", "instance", self.time.now_ms(), 0)
        chosen = {"limits": NEVER, **settings}
        self.replication = Replication(
            Settings(database=path, state=state, writer=writer, **chosen),
            list(zip(replicas, each_rules, strict=True)), self.time, self.events.append, self._signal,
        )  # fmt: skip
        tasks = (self.replication, *self.replication.lines, *self.replication.histories)
        self.turns = {id(task): Turn(task) for task in tasks}

    # Time

    def settle(self) -> Self:
        """Run what is due or signalled, until nothing is."""
        for _ in range(1000):
            turn = next((turn for turn in self.turns.values() if self._ready(turn)), None)
            if turn is None:
                return self
            self._run(turn)
        raise AssertionError("the tasks never come to rest")

    def elapse(self, seconds: float) -> Self:
        """Let time pass, each task running when it is due."""
        end = self.time.now_s + seconds
        while True:
            self.settle()
            due = min((turn.due for turn in self.turns.values() if turn.due is not None), default=end)
            if due > end:
                self.time.now_s = end
                return self.settle()
            self.time.now_s = max(self.time.now_s, due)

    def until(self, question: Callable[[], object], most_s: float = 120) -> Self:
        """Let time pass until the answer is true."""
        end = self.time.now_s + most_s
        while not question():
            assert self.time.now_s < end, f"not within {most_s:g} simulated seconds: {self.events[-5:]}"
            self.elapse(0.25)
        return self

    def event(self) -> Self:
        """What inotify does after a write of the application; then everything comes to rest."""
        self._signal(self.replication)
        return self.settle()

    def wake(self) -> Self:
        """Everything is tried again now, whatever it waits for."""
        for turn in self.turns.values():
            turn.due, turn.deaf = self.time.now_s, False
        return self.settle()

    def stop(self) -> Closed:
        """The end as the supervisor makes it, with one try."""
        for _ in range(5):
            if self.replication.finish():
                break
            for line in self.replication.lines:
                line.run(woken=True)
            for history in self.replication.histories:
                if history.is_needed:
                    history.run(woken=True)
        return self.replication.close()

    def die(self) -> None:
        """Let everything go without a word, as a kill does (there is no polite way to ask for it)."""
        live = self.replication._live
        for history in self.replication.histories:
            history.close()
        self.replication._state.rest()
        live.close()

    # What happened

    def seen(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def problems(self) -> list[str]:
        return [event.error for event in self.seen(Problem)]

    @property
    def captured(self) -> list[int]:
        return [event.txid for event in self.seen(Captured)]

    def assert_equal(self, app: App) -> Self:
        """Every replica gives, byte for byte, what the application sees."""
        seen = app.image()
        for root in self.roots:
            difference = images.first_difference(image_of(root), seen, 4096)
            assert not difference, f"{root.name}: {difference}"
        return self

    def _ready(self, turn: Turn) -> bool:
        return (turn.signalled and not turn.deaf) or (turn.due is not None and turn.due <= self.time.now_s)

    def _run(self, turn: Turn) -> None:
        woken, turn.signalled, turn.deaf = turn.signalled, False, False
        wish: Next = turn.task.run(woken)
        turn.due = None if wish.after is None else self.time.now_s + wish.after
        turn.deaf = not wish.watch

    def _signal(self, task: object) -> None:
        turn = self.turns.get(id(task))
        if turn is not None and not turn.deaf:
            turn.signalled = True


def image_of(root: Path, txid: int | None = None) -> bytes:
    """The database that a replica holds, newest or at a TXID; every proof on the way is looked at."""
    replica = FolderReplica(root, "reader")
    plan = plan_restore(tuple(replica.list()), Latest() if txid is None else AtTxid(txid))
    image, page_size, after, reached = bytearray(), 0, None, 0
    for step in plan.steps:
        file = decode(b"".join(replica.open(step.name)))
        header = file.header
        assert header.page_size == page_size or step.name.level == SNAPSHOT_LEVEL, "the page size changed in between"
        if header.proof and after is not None and header.min_txid == reached + 1:
            assert header.proof.before == after, f"{step.name} does not follow what is before it"
        page_size, reached, after = header.page_size, header.max_txid, header.proof.after if header.proof else None
        del image[header.commit * page_size :]
        image.extend(bytes(header.commit * page_size - len(image)))
        for pgno, page in file.pages:
            image[(pgno - 1) * page_size : pgno * page_size] = page
    return bytes(image)


def names(root: Path) -> list[str]:
    """What a replica holds, as `level/min-max` in decimal."""
    return [f"{each.level}/{each.min_txid}-{each.max_txid}" for each in folder_listing.objects(root)]
