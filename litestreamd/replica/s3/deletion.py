"""Remove objects, and see whether they are gone.

In: keys. Out: fewer objects. Promised: a store that says "deleted" and keeps them (R2 has) is found out by a sample,
the first at once; one that knows no batches gets them one by one, and is not asked again.
"""

from collections.abc import Sequence
from typing import Any

from litestreamd.basics.errors import LitestreamdError, RightsError, StoreError
from litestreamd.replica.s3.bucket import GONE, UNKNOWN, Bucket, Told
from litestreamd.replica.s3.client import BODY_MD5

TOGETHER = 1000
"""Keys in one request (DeleteObjects)."""

_SAMPLED = 20
"""After the first and then every so many requests we look whether one of the objects is really gone."""

_NO_BATCHES = UNKNOWN | {"InvalidRequest", "MalformedXML", "MissingContentLength", "411"}


class Deletions:
    """One per replica."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._batches = True
        self._requests = 0
        self._headers = {BODY_MD5: "yes"} if bucket.sends_md5 else {}

    def delete(self, keys: Sequence[str]) -> None:
        """Remove these; one that is gone already is no error. Errors of the port."""
        for first in range(0, len(keys), TOGETHER):
            self._delete(keys[first : first + TOGETHER])

    def _delete(self, keys: Sequence[str]) -> None:
        together = self._batches and len(keys) > 1
        if not together or not self._together(keys):
            self._singly(keys)
        self._requests += 1
        if self._requests % _SAMPLED != 1 or not self._bucket.has(keys[0]):
            return
        if together:
            self._batches = False
            self._singly(keys)
        if not together or self._bucket.has(keys[0]):
            raise StoreError(f"{self._bucket.place}: the store says that it has deleted {keys[0]}, and still has it")

    def _together(self, keys: Sequence[str]) -> bool:
        """One request; False: the store knows no such thing."""
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        try:
            answer = self._bucket.call("delete_objects", _NO_BATCHES, self._headers, Delete=wanted)
        except Told:
            self._batches = False
            return False
        for error in answer.get("Errors", ()):
            if error.get("Code") not in GONE:
                raise self._fault(error)
        return True

    def _singly(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._bucket.call("delete_object", GONE, Key=key)

    def _fault(self, error: Any) -> LitestreamdError:
        code = error.get("Code", "")
        told = f"{self._bucket.place}: the store did not delete {error.get('Key', 'an object')}: {code}"
        if code in ("AccessDenied", "403"):
            return RightsError(f"{told}; the key needs s3:DeleteObject (or set retention.enabled: false)")
        return StoreError(told)
