"""What a line cannot go on without, from level 1 up: a full image, a backlog that is merged, what left the spool.

In: the line, images that the capture prepares. Out: objects on the replica, and the line's cursor beyond them.
Promise: level 1 has no hole below what is put there; a Litestream that takes over finds a level-0 file where level 1
ends as soon as the line has sent its next one.
"""

import time
from collections.abc import Callable

from litestreamd.basics.errors import DamagedData
from litestreamd.jobs.image import PreparedImage
from litestreamd.jobs.image_sending import ImageSending
from litestreamd.jobs.merging import Merging, portions
from litestreamd.jobs.pace import Next
from litestreamd.jobs.ship import BACKLOG, Line
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.plan.compaction import Merge, closing_merges
from litestreamd.plan.rules import Rules

BUSY_S = 0.5
"""How soon to look again whether the line has sent what has to go before an image."""


class Supply:
    """One per replica, used by its history; `merge` carries a merge out there."""

    def __init__(
        self, line: Line, rules: Rules, around: Surroundings, images: ImageSending, merging: Merging,
        merge: Callable[[Merge], None],
    ) -> None:  # fmt: skip
        self._line = line
        self._rules = rules
        self._spool = around.spool
        self._images = images
        self._merging = merging
        self._merge = merge
        self._wish = 0
        line.merges_backlog = bool(rules.levels_s)

    def give(self) -> Next | None:
        """What the line waits for now. None: nothing."""
        if self._line.needs_image is not None:
            return self._image(self._line.needs_image)
        if self._line.gap:
            return self._what_left_the_spool()
        if self._line.backlog:
            return self._backlog()
        return None

    def _image(self, reason: str) -> Next:
        image = self._prepared(reason)
        if image is None or not self._line.ready_for(image.first):
            return Next(BUSY_S if image else None)
        if self._line.came_too_late(image.first):
            self._images.drop()
            return Next(0)
        self._images.send(image)
        self._line.image_arrived(image.head.txid, self._wish)
        return Next(0)

    def _what_left_the_spool(self) -> Next:
        """All pages that changed since, in one file, after level 1 was brought up to where the replica stands."""
        for merge in closing_merges(self._line.owned.objects, self._rules):
            self._merge(merge)
        image = self._prepared("what it lacks has left the spool", catch_up=True)
        if image is None:
            return Next(None)
        txid, debts = image.head.txid, self._line.debts
        try:
            self._images.send(image)
        except DamagedData:
            # The list of pages is wrong, or the database is damaged: a full image tells which.
            debts.void()
            self._line.require_image("what it lacks does not prove itself", self._line.cursor)
            raise
        except BaseException:
            debts.ended()
            raise
        # Its level-0 file goes next, unless it has left the spool meanwhile.
        self._line.jumped(txid - 1 if self._spool.get(txid) is not None else txid)
        debts.paid()
        return Next(0)

    def _prepared(self, reason: str, catch_up: bool = False) -> PreparedImage | None:
        """The image, once it is there; asked for, else. One that was prepared for another wish is too old."""
        image = self._images.image
        if image is not None and (self._wish != self._line.wish or (image.since is not None) != catch_up):
            self._images.drop()
            image = None
        if image is None:
            self._wish = self._line.wish
            self._images.ask(reason, catch_up=catch_up)
        return image

    def _backlog(self) -> Next:
        """A long backlog goes up merged. What is merged leaves the newest file to the line, for a level 0 that ends
        before level 1 would make Litestream continue wrongly."""
        for merge in closing_merges(self._line.owned.objects, self._rules):
            self._merge(merge)
        waiting = self._spool.entries(after=self._line.cursor)
        for portion in portions(waiting, self._rules.levels_s[0]):
            late = time.monotonic() > self._images.deadline
            if late or not portion.follows(self._line.cursor, waiting[0].page_size):
                break
            self._merging.merge_spooled(portion)
            self._line.jumped(portion.last if portion.last < waiting[-1].txid else portion.last - 1)
        self._line.backlog = len(self._spool.entries(after=self._line.cursor)) > BACKLOG
        return Next(0 if self._line.backlog else None)
