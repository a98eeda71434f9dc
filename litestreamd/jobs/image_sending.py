"""Full images of one database on their way to one replica: asked for, given, sent.

In: a reason; images that the capture prepares. Out: a level-9 object. Promise: one image at a time; an image that is
not wanted any more, or cannot be finished, is let go at once: it keeps old pages on disk.
"""

import math
import time
from collections.abc import Iterator

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import DamagedData, EnvironmentFault, LitestreamdError
from litestreamd.jobs.events import ImageGivenUp, ImageStarted, Pushed
from litestreamd.jobs.image import PreparedImage
from litestreamd.jobs.owned_root import OwnedRoot
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.replica.port import Created


class ImageSending:
    """`awaited`: the capture is to prepare an image; `new_txid`: of a state that has no image yet; `catch_up`: of the
    pages only that the replica is owed. `give` is the capture's, the rest the history's. `deadline`: the monotonic time
    after which an image is broken off."""

    def __init__(self, owned: OwnedRoot, around: Surroundings) -> None:
        self.awaited = False
        self.new_txid = self.catch_up = False
        self.deadline = math.inf
        self.image: PreparedImage | None = None
        self._reason = ""
        self._owned = owned
        self._around = around

    def ask(self, reason: str, new_txid: bool = False, catch_up: bool = False) -> None:
        """Asked for only when it can be sent: an image makes the capture keep old pages."""
        if not self.awaited:
            self._reason, self.new_txid, self.catch_up, self.awaited = reason, new_txid, catch_up, True
            self._around.news()

    def give(self, image: PreparedImage) -> None:
        """The image that is awaited."""
        self.image, self.awaited = image, False
        name = self._owned.replica.name
        self._around.observe(ImageStarted(self._around.database, name, image.image.count, self._reason))

    def withdraw(self) -> None:
        """The database is let go: nothing more is read for an image."""
        image = self.image
        if image is not None:
            image.close()

    def drop(self) -> None:
        """Neither wanted nor awaited any more."""
        self.awaited = False
        if self.image is not None:
            self.image.close()
            self.image = None

    def send(self, image: PreparedImage) -> None:
        """Stream it to the replica. Raises DamagedData when the live pages are not what they should be,
        EnvironmentFault when it was given up, ConflictError, errors of the port."""
        start, sent, name = time.monotonic(), 0, image.name

        def body() -> Iterator[bytes]:
            nonlocal sent
            for chunk in image.body():
                if sent and time.monotonic() > self.deadline:
                    raise EnvironmentFault("The image was broken off: the time for the final sync is over.")
                sent += len(chunk)
                yield chunk

        passing("image.head-created")
        try:
            if self._owned.create(name, body, image.head.timestamp_ms, image.most) is Created.EXISTS:
                self._owned.accept_same_state(name, image.header())
        except DamagedData as error:
            if image.since is None:
                self._around.stop.set(str(error))
            raise
        except LitestreamdError as error:
            self._tell_given_up(str(error))
            raise
        finally:
            self.drop()
        passing("image.created")
        if image.since is None:
            self._around.stop.clear()
        replica, seconds = self._owned.replica.name, time.monotonic() - start
        told = Pushed(self._around.database, replica, name.level, name.min_txid, name.max_txid, sent, seconds)
        self._around.observe(told)

    def _tell_given_up(self, why: str) -> None:
        self._around.observe(ImageGivenUp(self._around.database, self._owned.replica.name, why))
