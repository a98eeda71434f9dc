"""The history of one replica: everything above level 0, one piece of work after another.

In: the line that ships level 0, what its root holds, rules, images that the capture prepares. Out: full images, merged
objects, deletions on the replica; events. What is due is decided in plan/ (compaction, snapshots, retention); nothing
due means no request.
Promise: an object is deleted only while every restore point that the rules promise is reachable without it; what does
not prove itself deletes nothing, is told, and is healed with a new full image.

The recipe of `run`: what the line waits for (jobs.supply); damage; merges; the snapshot; deletions; rest.
"""

import math

from litestreamd.basics.errors import LitestreamdError, ObjectMissing
from litestreamd.jobs.compact import SourceDamaged
from litestreamd.jobs.events import Found, Problem, Recovered
from litestreamd.jobs.expire import Expiry, UnfitReplacement
from litestreamd.jobs.heal import Healing
from litestreamd.jobs.image_sending import ImageSending
from litestreamd.jobs.merging import Merging
from litestreamd.jobs.pace import Backoff, Next
from litestreamd.jobs.ship import Line, Stage
from litestreamd.jobs.supply import BUSY_S, Supply
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.plan.compaction import Merge, due_merges, next_merge_ms
from litestreamd.plan.findings import Kind, findings
from litestreamd.plan.retention import expired, next_expiry_ms
from litestreamd.plan.rules import Rules
from litestreamd.plan.snapshots import next_snapshot_ms, snapshot_due

RETRY_FIRST_S, RETRY_LONGEST_S, REFUSED_RETRY_S = 1.0, 300.0, 60.0
AWAITED_S, SHORTEST_REST_S, LONGEST_REST_S = 60.0, 0.05, 3600.0
IMAGE_RETRY_FIRST_S = 10.0


class History:
    """One replica's. `run` is called by one thread at a time; `images` is the capture's side of it."""

    def __init__(self, line: Line, rules: Rules, around: Surroundings) -> None:
        self.line = line
        self.images = ImageSending(line.owned, around)
        self._rules = rules
        self._around = around
        self._owned = line.owned
        self._owned.names_stay_s = rules.l0_retention_s or math.inf
        self._merging = Merging(line.owned, around)
        self._expiry = Expiry(line.owned, around)
        self._healing = Healing(line.owned, around)
        self._supply = Supply(line, rules, around, self.images, self._merging, self._merge)
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._image_backoff = Backoff(IMAGE_RETRY_FIRST_S, LONGEST_REST_S)
        self._no_image_before = 0.0
        self._looked_through = False
        self._ending = False

    def __str__(self) -> str:
        return f"history of {self._around.database} on {self._owned.replica.name}"

    @property
    def merged_through(self) -> int:
        """Spool entries up to this TXID are of no more use to a merge."""
        if not self._rules.levels_s or self.line.stage is not Stage.ADMITTED:
            return self.line.cursor
        return self._owned.merged_through

    def hurry(self, deadline: float) -> None:
        """The process wants to end: only what the replica cannot do without is still done, until the deadline."""
        self.images.deadline, self._merging.deadline, self._ending = deadline, deadline, True
        if not self.is_needed:
            # What runs now can be made again after the next start; what turns out to be needed yet may be made.
            self._merging.deadline = -math.inf
            self.images.awaited = False
            self.images.withdraw()

    @property
    def is_needed(self) -> bool:
        """Whether the replica lacks something that only this task can give."""
        line = self.line
        return line.stage is Stage.ADMITTED and (line.needs_image is not None or line.backlog or line.gap)

    def run(self, woken: bool) -> Next:  # noqa: ARG002  a task's shape
        """Do what is due. Never raises an error of the tree: it is told, and tried again."""
        self._merging.deadline = self.images.deadline
        try:
            pause = self._advance()
        except LitestreamdError as error:
            return self._failed(error)
        # Waiting for the next image is no success: one that is given up again and again must not be begun every second.
        if self.line.needs_image is None and self._backoff.worked():
            self._around.observe(Recovered(self._around.database, self._owned.replica.name))
        return pause

    def close(self) -> None:
        """Let an image go that will not be sent any more."""
        self.images.drop()

    def _failed(self, error: LitestreamdError) -> Next:
        self.images.drop()
        if self._ending and not self.is_needed:
            return Next(None)
        seconds = self._backoff.failed()
        seconds = seconds if error.retry else REFUSED_RETRY_S
        name = self._owned.replica.name
        told = Problem(self._around.database, name, str(error), type(error).__name__, seconds)
        self._around.observe(told)
        return Next(seconds, watch=False)

    def _advance(self) -> Next:
        line = self.line
        if line.stage is not Stage.ADMITTED:
            self.images.drop()
            self._looked_through = False
            return Next(None)
        if (pause := self._supply.give()) is not None:
            return pause
        if self._ending:
            self.images.drop()
            return Next(None)
        return self._keep()

    def _keep(self) -> Next:
        """What keeps the history short, and whole."""
        self._look_through()
        self._take_report()
        if self._healing.reason is not None and self._image_may_be_made():
            pause = self._send_image(self._healing.reason, new_txid=True)
            if pause is not None:
                return pause
            self._healing.finish()
            self._take_report()
        while not self._ending and (merges := due_merges(self._owned.objects, self._rules, self._now())):
            self._merge(merges[0])
        if self._image_may_be_made() and snapshot_due(self._owned.objects, self._rules, self._now()):
            return self._send_image("a snapshot is due") or Next(0)
        self._expire()
        return self._rest()

    def _look_through(self) -> None:
        """Once per admission: what is odd about the listing is said."""
        if self._looked_through:
            return
        self._looked_through = True
        if self._owned.lost:
            self._healing.lost(self._owned.lost)
        for finding in findings(self._owned.objects):
            lost = finding.kind in (Kind.HOLE, Kind.UNREACHABLE)
            self._around.observe(Found(self._around.database, self._owned.replica.name, finding.sentence, lost))

    def _take_report(self) -> None:
        """What a verification has found wrong; the note stays until that is healed."""
        names = self.line.reported.load()
        for name in names:
            self._healing.reported(name)
        if names and self._healing.reason is None:
            self.line.reported.remove()

    def _merge(self, merge: Merge) -> None:
        """One merge; what turns out damaged is remembered for healing. Raises it."""
        try:
            self._merging.merge(merge.level, merge.sources)
        except ObjectMissing:
            # The listing is not true any more: everything is looked at anew.
            self.line.look_again()
            self.line.wake()
            raise
        except SourceDamaged as error:
            self._healing.found(error.name, error)
            raise

    def _image_may_be_made(self) -> bool:
        return self._around.clock.monotonic() >= self._no_image_before

    def _send_image(self, reason: str, new_txid: bool = False) -> Next | None:
        """None: it is on the replica. After a failure the next try waits: an image is dear."""
        image = self.images.image
        if image is not None and image.since is not None:
            self.images.drop()
            image = None
        if image is None:
            self.images.ask(reason, new_txid=new_txid)
            return Next(AWAITED_S)
        if not self.line.ready_for(image.first):
            return Next(BUSY_S)
        try:
            self.images.send(image)
        except LitestreamdError:
            pause = LONGEST_REST_S if self._around.stop.is_set else self._image_backoff.failed()
            self._no_image_before = self._around.clock.monotonic() + pause
            raise
        self._image_backoff.worked()
        return None

    def _expire(self) -> None:
        try:
            # What is gone may have been all that something else was kept for.
            while doomed := expired(self._owned.objects, self._rules, self._now()):
                if not self._expiry.delete(doomed):
                    return
        except UnfitReplacement as error:
            self._healing.found(error.name, error)
            raise

    def _rest(self) -> Next:
        """Until something is due; a push wakes us before when that is far away."""
        now, objects = self._now(), self._owned.objects
        pauses = [self._until(plan(objects, self._rules, now), now) for plan in (next_merge_ms, next_snapshot_ms)]
        no_image_s = self._no_image_before - self._around.clock.monotonic()
        pauses[1] = max(pauses[1], no_image_s)
        if self._healing.reason is not None:
            pauses.append(no_image_s)
        if not self._around.stop.is_set:
            pauses.append(self._until(next_expiry_ms(objects, self._rules, now), now))
        pause = max(SHORTEST_REST_S, min(pauses))
        if math.isinf(pause):
            return Next(None)
        pause = min(pause, LONGEST_REST_S)
        soon = bool(self._rules.levels_s) and pause <= self._rules.levels_s[0]
        return Next(pause, watch=not soon)

    def _until(self, due_ms: int | None, now_ms: int) -> float:
        """Seconds until a time; for ever, if there is none."""
        return math.inf if due_ms is None else (due_ms - now_ms) / 1000

    def _now(self) -> int:
        return self._around.clock.now_ms()
