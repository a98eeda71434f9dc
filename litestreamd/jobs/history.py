"""The history of one replica: everything above level 0, one piece of work after another.

In: the line that ships level 0, what its root holds, rules, images that the capture prepares. Out: full images, merged
objects, deletions on the replica; events. What is due is decided in plan/ (compaction, snapshots, retention); nothing
due means no request.
Promise: an object is deleted only while every restore point that the rules promise is reachable without it; what does
not prove itself deletes nothing, is told, and is healed with a new full image.

The recipe of `run`: the image that the line waits for; a backlog; damage; merges; the snapshot; deletions; rest.
"""

import time

from litestreamd.basics.errors import LitestreamdError, ObjectMissing
from litestreamd.jobs.compact import SourceDamaged
from litestreamd.jobs.events import Found, Problem, Recovered
from litestreamd.jobs.expire import Expiry, UnfitReplacement
from litestreamd.jobs.heal import Healing
from litestreamd.jobs.image_sending import ImageSending
from litestreamd.jobs.merging import Merging, portions
from litestreamd.jobs.pace import Backoff, Next
from litestreamd.jobs.ship import BACKLOG, Line, Stage
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.plan.compaction import Merge, closing_merges, due_merges, next_merge_ms
from litestreamd.plan.findings import Kind, findings
from litestreamd.plan.retention import expired, next_expiry_ms
from litestreamd.plan.rules import Rules
from litestreamd.plan.snapshots import next_snapshot_ms, snapshot_due

RETRY_FIRST_S, RETRY_LONGEST_S, REFUSED_RETRY_S = 1.0, 300.0, 60.0
BUSY_S, AWAITED_S, LONGEST_REST_S = 0.5, 60.0, 3600.0


class History:
    """One replica's. `run` is called by one thread at a time; `images` is the capture's side of it."""

    def __init__(self, line: Line, rules: Rules, around: Surroundings) -> None:
        self.line = line
        self.images = ImageSending(line.owned, around)
        self._rules = rules
        self._around = around
        self._owned = line.owned
        self._merging = Merging(line.owned, around)
        self._expiry = Expiry(line.owned, around)
        self._healing = Healing(line.owned, around)
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._image_wish = 0
        self._looked_through = False
        self._ending = False
        line.merges_backlog = bool(rules.levels_s)

    @property
    def merged_through(self) -> int:
        """Spool entries up to this TXID are of no more use to a merge."""
        if not self._rules.levels_s or self.line.stage is not Stage.ADMITTED:
            return self.line.cursor
        return self._owned.merged_through

    def hurry(self, deadline: float) -> None:
        """The process wants to end: only what the replica cannot do without is still done, until the deadline."""
        self.images.deadline, self._ending = deadline, True
        if not self.is_needed:
            self.images.awaited = False
            self.images.withdraw()

    @property
    def is_needed(self) -> bool:
        """Whether the replica lacks something that only this task can give."""
        return self.line.stage is Stage.ADMITTED and (self.line.needs_image is not None or self.line.backlog)

    def run(self, woken: bool) -> Next:  # noqa: ARG002  a task's shape
        """Do what is due. Never raises an error of the tree: it is told, and tried again."""
        try:
            pause = self._advance()
        except LitestreamdError as error:
            return self._failed(error)
        if self._backoff.worked():
            self._around.observe(Recovered(self._around.database, self._owned.replica.name))
        return pause

    def close(self) -> None:
        """Let an image go that will not be sent any more."""
        self.images.drop()

    def _failed(self, error: LitestreamdError) -> Next:
        self.images.drop()
        if self._ending and not self.is_needed:
            return Next(None)
        seconds = self._backoff.failed() if error.retry else REFUSED_RETRY_S
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
        if line.needs_image is not None:
            return self._give_line_its_image(line.needs_image)
        if line.backlog:
            return self._catch_up()
        if self._ending:
            self.images.drop()
            return Next(None)
        return self._keep()

    def _give_line_its_image(self, reason: str) -> Next:
        image = self.images.image
        if image is not None and self._image_wish != self.line.wish:
            self.images.drop()
            image = None
        if image is None:
            self._image_wish = self.line.wish
            self.images.ask(reason)
            return Next(None)
        if not self.line.ready_for(image.first):
            return Next(BUSY_S)
        self.images.send(image)
        self.line.image_arrived(image.head.txid, self._image_wish)
        return Next(0)

    def _catch_up(self) -> Next:
        """A long backlog goes up merged. Level 1 is first brought up to where the replica stands, so that it has no
        hole below; what is merged then leaves the newest file to the line, for a level 0 that ends before level 1
        would make Litestream continue wrongly."""
        for merge in closing_merges(self._owned.objects, self._rules):
            self._merge(merge)
        waiting = self._around.spool.entries(after=self.line.cursor)
        for portion in portions(waiting, self._rules.levels_s[0]):
            if time.monotonic() > self.images.deadline or portion.entries[0].page_size != waiting[0].page_size:
                break
            self._merging.merge_spooled(portion)
            self.line.jumped(portion.last if portion.last < waiting[-1].txid else portion.last - 1)
        self.line.backlog = len(self._around.spool.entries(after=self.line.cursor)) > BACKLOG
        return Next(0 if self.line.backlog else None)

    def _keep(self) -> Next:
        """What keeps the history short, and whole."""
        self._look_through()
        if self._healing.reason is not None:
            return self._heal(self._healing.reason)
        while not self._ending and (merges := due_merges(self._owned.objects, self._rules, self._now())):
            self._merge(merges[0])
        if snapshot_due(self._owned.objects, self._rules, self._now()) or self.images.image is not None:
            return self._snapshot()
        self._expire()
        return self._rest()

    def _look_through(self) -> None:
        """Once per admission: what is odd about the listing is said."""
        if self._looked_through:
            return
        self._looked_through = True
        for finding in findings(self._owned.objects):
            lost = finding.kind in (Kind.HOLE, Kind.UNREACHABLE)
            self._around.observe(Found(self._around.database, self._owned.replica.name, finding.sentence, lost))

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

    def _heal(self, reason: str) -> Next:
        image = self.images.image
        if image is None:
            self.images.ask(reason, new_txid=True)
            return Next(AWAITED_S)
        if not self.line.ready_for(image.first):
            return Next(BUSY_S)
        self.images.send(image)
        self._healing.finish()
        return Next(0)

    def _snapshot(self) -> Next:
        image = self.images.image
        if image is None:
            self.images.ask("a snapshot is due")
            return Next(AWAITED_S)
        if not self.line.ready_for(image.first):
            return Next(BUSY_S)
        self.images.send(image)
        return Next(0)

    def _expire(self) -> None:
        try:
            self._expiry.delete(expired(self._owned.objects, self._rules, self._now()))
        except UnfitReplacement as error:
            self._healing.found(error.name, error)
            raise

    def _rest(self) -> Next:
        """Until something is due; a push wakes us before when that is far away."""
        now, objects = self._now(), self._owned.objects
        dues = [plan(objects, self._rules, now) for plan in (next_merge_ms, next_snapshot_ms, next_expiry_ms)]
        if self._around.stop.is_set:
            dues.pop()
        pauses = [max(0.05, (due - now) / 1000) for due in dues if due is not None]
        pause = min([*pauses, LONGEST_REST_S])
        soon = bool(self._rules.levels_s) and pause <= self._rules.levels_s[0]
        return Next(pause if pauses else None, watch=not soon)

    def _now(self) -> int:
        return self._around.clock.now_ms()
