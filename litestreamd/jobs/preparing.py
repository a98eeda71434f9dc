"""Images prepared for the replicas that wait for one.

In: the capture, a history that wants an image, the time. Out: an image of exactly the newest captured state, all pages
or those that the replica is owed. Promise: its level-0 file is on the replica already, or in the spool to go there.
"""

from collections.abc import Callable

from litestreamd.basics.clock import Clock
from litestreamd.database.capture import Capture, Taken
from litestreamd.jobs.catch_up import prepare_catch_up
from litestreamd.jobs.history import History
from litestreamd.jobs.image import PreparedImage
from litestreamd.jobs.ship import Line
from litestreamd.ltx.names import ObjectName

Told = Callable[[list[Taken]], None]
"""Gets what was captured on the way."""


class Preparing:
    """One per database; used by the capture's thread."""

    def __init__(self, capture: Capture, clock: Clock) -> None:
        self._capture = capture
        self._clock = clock

    def give(self, history: History, told: Told) -> None:
        """What it waits for; when a catch-up is impossible or dear, the line needs a full image instead."""
        images = history.images
        image = self._catch_up(history.line, told) if images.catch_up else self._full(history, told)
        if image is not None:
            images.give(image)
        else:
            images.drop()
            history.line.require_image("what it lacks cannot be made up page by page", history.line.cursor)

    def _full(self, history: History, told: Told) -> PreparedImage:
        capture = self._capture
        header, now_ms = capture.live.header(), self._clock.now_ms()
        told(capture.take(header, now_ms))
        if history.images.new_txid or not self._has_level_0(history.line):
            told([capture.stamp(header, now_ms)])
        image = PreparedImage(capture.head, capture.head.txid, capture.image(header))
        history.line.debts.began(capture.head)
        return image

    def _catch_up(self, line: Line, told: Told) -> PreparedImage | None:
        capture, spool = self._capture, self._capture.state.spool
        header, now_ms = capture.live.header(), self._clock.now_ms()
        told(capture.take(header, now_ms))
        if spool.get(capture.head.txid) is None:
            told([capture.stamp(header, now_ms)])
        debt = line.debts.due(line.cursor, line.checksum, spool)
        if debt is None or debt.image_is_cheaper:
            return None
        image = prepare_catch_up(capture, header, debt)
        if image is not None:
            line.debts.began(capture.head)
        return image

    def _has_level_0(self, line: Line) -> bool:
        """Whether the head's level-0 file is in the spool, or on a replica that needs no image to go on from there."""
        txid = self._capture.head.txid
        if self._capture.state.spool.get(txid) is not None:
            return True
        return line.needs_image is None and line.owned.get(ObjectName(0, txid, txid)) is not None
