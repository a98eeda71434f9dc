"""What can go wrong between a client and a server, as values; and the rules that say to which requests it happens.

In: rules, changed by the test's thread while the proxy asks. Out: for each request the faults that apply to it.
Of the faults that end or bend an exchange one request gets one; `Latency`, `Bandwidth` and `Trickle` go with any.
"""

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from tests.support.s3_requests import Operation, Seen


@dataclass(frozen=True, slots=True)
class Fault:
    """Any of those below."""


@dataclass(frozen=True, slots=True)
class Latency(Fault):
    """The request waits before it goes on to the server."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Bandwidth(Fault):
    """Bytes per second of a body; None: as fast as it goes."""

    up: float | None = None
    down: float | None = None


@dataclass(frozen=True, slots=True)
class Trickle(Fault):
    """The answer, its head too, comes in pieces so small that no read ever times out."""

    piece: int = 1
    every_s: float = 0.01


@dataclass(frozen=True, slots=True)
class Status(Fault):
    """An answer of S3's shape that the server never gave. Without a code of S3: the usual one of the status."""

    status: int
    code: str = ""
    message: str = ""

    @property
    def s3_code(self) -> str:
        return self.code or USUAL.get(self.status, HTTPStatus(self.status).phrase.replace(" ", ""))


USUAL = {400: "RequestTimeout", 403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError", 503: "SlowDown"}
SLOW_DOWN = Status(503, "SlowDown", "Please reduce your request rate.")
INTERNAL_ERROR = Status(500, "InternalError", "We encountered an internal error. Please try again.")
ACCESS_DENIED = Status(403, "AccessDenied", "Access Denied")
UNKNOWN_KEY = Status(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
WRONG_SECRET = Status(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")
SKEWED = Status(
    403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
)
NO_BUCKET = Status(404, "NoSuchBucket", "The specified bucket does not exist")


@dataclass(frozen=True, slots=True)
class Lie(Fault):
    """200 and this body, and the server never hears of it."""

    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Refuse(Fault):
    """The connection is closed (FIN) after the head of the request; the server never hears of it."""


@dataclass(frozen=True, slots=True)
class ResetBefore(Fault):
    """The connection is reset after the head of the request; the server never hears of it."""


@dataclass(frozen=True, slots=True)
class ResetInUpload(Fault):
    """Both connections are reset after so many bytes of the request's body, at the latest before its last one."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class LoseResponse(Fault):
    """The server does it and answers; the client gets a reset."""


@dataclass(frozen=True, slots=True)
class CutResponse(Fault):
    """The client's connection ends after so many bytes of the answer's body, at the latest before its last one."""

    after: int = 0
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Corrupt(Fault):
    """One bit of this byte of a body is the other way round (of the last byte, if the body is shorter)."""

    at: int = 0
    upload: bool = False


@dataclass(frozen=True, slots=True)
class Hang(Fault):
    """Nothing happens until the proxy's `release` (or its end): with the whole request, before the server gets it
    (who then does it, even if the client has long gone); with the answer; or with the rest of its body."""

    where: Literal["request", "response", "body"] = "response"
    after: int = 0


@dataclass(frozen=True, slots=True)
class Twice(Fault):
    """The server gets the request two times, one after the other; the client gets this one of the answers."""

    answer: Literal[1, 2] = 2


Chooser = Callable[[Seen], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A request whose method, target (path with query, somewhere in it) and operation all fit gets the fault: the
    first `skip` of them do not, then `times` do (None: all)."""

    fault: Fault
    method: str = ""
    path: str = ""
    operation: Operation | None = None
    times: int | None = None
    skip: int = 0

    def fits(self, seen: Seen) -> bool:
        if self.method and not re.fullmatch(self.method, seen.method):
            return False
        return bool(re.search(self.path, seen.target)) and self.operation in (None, seen.operation)


class Rules:
    """Rules in force. All that fit apply; of faults of one kind the first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fitted: dict[Rule, int] = {}

    def add(self, rule: Rule) -> None:
        """From now on; one that is there already counts anew."""
        with self._lock:
            self._fitted.pop(rule, None)
            self._fitted[rule] = 0

    def remove(self, rule: Rule) -> None:
        with self._lock:
            self._fitted.pop(rule, None)

    def clear(self) -> None:
        with self._lock:
            self._fitted.clear()

    def __call__(self, seen: Seen) -> list[Fault]:
        with self._lock:
            return [rule.fault for rule in list(self._fitted) if rule.fits(seen) and self._due(rule)]

    def _due(self, rule: Rule) -> bool:
        count = self._fitted[rule] = self._fitted[rule] + 1
        return count > rule.skip and (rule.times is None or count <= rule.skip + rule.times)
