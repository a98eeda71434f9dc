"""What a store really does, whatever it says: asked once with a few small objects, and remembered.

In: a bucket. Out: its Habits. Asked are: of many creates of one name at once, does exactly one succeed; does the end of
an upload in parts respect a name that is taken; is a body that does not fit its Content-MD5 refused.
Remembered in the process for each bucket, and in the bucket for a month (`litestreamd/.habits/`, which is no note).
"""

import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from litestreamd.basics.errors import LitestreamdError, StoreError
from litestreamd.replica.s3.bucket import GONE, TAKEN, UNKNOWN, Bucket, Told
from litestreamd.replica.s3.client import content_md5
from litestreamd.replica.s3.keys import Layout

CREATE_ONLY = {"If-None-Match": "*"}
_RACERS, _ROUNDS, _MOST_ROUNDS = 8, 12, 18
"""A store that is not atomic lets one racer win by luck in up to four of ten rounds (Swift 2.38, busy machine): of
twelve rounds one in 60,000 times. It mostly shows in the first; only a store that is atomic is asked twelve times."""
_ANY_NO = UNKNOWN | TAKEN | {"400", "409"}


@dataclass(frozen=True, slots=True)
class Habits:
    """create_only: of several creates one succeeds. create_only_large: also when it comes in parts. verifies_md5: what
    does not fit its Content-MD5 is refused."""

    create_only: bool
    create_only_large: bool
    verifies_md5: bool


_known: dict[tuple[str | None, str], Habits] = {}
_turns: dict[tuple[str | None, str], threading.Lock] = {}


def habits_of(bucket: Bucket, layout: Layout) -> Habits:
    """What is known of the store, or found out now. Errors of the port."""
    where = bucket.settings.endpoint, bucket.settings.bucket
    with _turns.setdefault(where, threading.Lock()):
        if where not in _known:
            _known[where] = _recall(bucket, layout) or _find_out(bucket, layout)
        return _known[where]


def known_habits(bucket: Bucket) -> Habits | None:
    """What is known without asking."""
    return _known.get((bucket.settings.endpoint, bucket.settings.bucket))


def _note_key(bucket: Bucket, layout: Layout) -> str:
    """One a month and place, so that a replica that was copied to another store does not bring its judgement along."""
    place = sha256(f"{bucket.settings.endpoint} {bucket.settings.bucket}".encode()).hexdigest()[:16]
    return layout.notes(f".habits/{place}-{time.strftime('%Y-%m', time.gmtime())}.json")


def _recall(bucket: Bucket, layout: Layout) -> Habits | None:
    with suppress(Told, ValueError, TypeError):
        return Habits(**json.loads(b"".join(bucket.read(_note_key(bucket, layout)))))
    return None


def _find_out(bucket: Bucket, layout: Layout) -> Habits:
    probe = _Probe(bucket, layout.notes(f".habits/probe-{os.urandom(8).hex()}"))
    try:
        probe.begin()
        one = probe.one_winner()
        habits = Habits(one is True, probe.keeps_name_of_parts(), probe.verifies_md5())
    finally:
        probe.clean()
    if one is not None:
        bucket.call("put_object", Key=_note_key(bucket, layout), Body=json.dumps(asdict(habits)).encode())
    return habits


class _Probe:
    """A few objects whose keys begin with `key`, removed by `clean`."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket = bucket
        self._key = key
        self._made: list[str] = []

    def begin(self) -> None:
        """One plain create: what is wrong with the place altogether is told as it is, and not taken for a habit."""
        self._made.append(self._key)
        self._bucket.call("put_object", Key=self._key, Body=b"first")

    def one_winner(self) -> bool | None:
        """Whether of creates that race for one name exactly one succeeds, every time. None: could not be told, for the
        store failed at it."""
        clean = 0
        for number in range(_MOST_ROUNDS):
            won = self._race(f"{self._key}-{number}")
            if won is not None and won != 1:
                return False
            clean += won is not None
            if clean == _ROUNDS:
                return True
        return None

    def _race(self, key: str) -> int | None:
        """How many created it; None when one of them does not know."""
        self._made.append(key)
        barrier = threading.Barrier(_RACERS)

        def create(number: int) -> bool | None:
            barrier.wait(60)
            return self._created(key, str(number).encode())

        with ThreadPoolExecutor(_RACERS) as pool:
            won = list(pool.map(create, range(_RACERS)))
        return None if None in won else won.count(True)

    def _created(self, key: str, body: bytes) -> bool | None:
        try:
            self._bucket.call("put_object", _ANY_NO, CREATE_ONLY, Key=key, Body=body)
        except Told:
            return False
        except StoreError:
            return None
        return True

    def keeps_name_of_parts(self) -> bool:
        """Whether an upload in parts leaves alone what has its name already."""
        call: Callable[..., Any] = self._bucket.call
        whose = {"Key": self._key}
        with suppress(Told):
            whose["UploadId"] = call("create_multipart_upload", UNKNOWN, **whose)["UploadId"]
            part = {"PartNumber": 1, "ETag": call("upload_part", PartNumber=1, Body=b"second", **whose)["ETag"]}
            try:
                told = {"MultipartUpload": {"Parts": [part]}}
                call("complete_multipart_upload", _ANY_NO, CREATE_ONLY, **whose, **told)
            except Told as answer:
                call("abort_multipart_upload", GONE | {"NoSuchUpload"}, **whose)
                return answer.code in TAKEN
        return False

    def verifies_md5(self) -> bool:
        """Whether a body that does not fit its Content-MD5 is refused."""
        self._made.append(f"{self._key}-md5")
        wrong = {"Content-MD5": content_md5(b"another body")}
        try:
            self._bucket.call("put_object", {"BadDigest", "InvalidDigest", "400"}, wrong, Key=self._made[-1], Body=b"x")
        except Told:
            return True
        except StoreError:
            pass  # whatever that means, it is no promise
        return False

    def clean(self) -> None:
        """Remove what was made; without the right to delete it stays, a few bytes."""
        for key in self._made:
            with suppress(LitestreamdError, Told):
                self._bucket.call("delete_object", GONE, Key=key)
