"""Requests to one bucket: the only way from this room to the network.

In: an operation of boto3 and its parameters. Out: its answer; what the caller expects to be told "no" about (a key that
is not there, a name that is taken) comes back as `Told`, everything else as an error of the tree.
Promised: credentials that the store refuses are fetched anew from their source, and the request is made once more with
those.
"""

import os
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from litestreamd.basics.errors import RightsError, StoreError
from litestreamd.replica.port import CHUNK
from litestreamd.replica.s3.client import (
    ClientKey,
    SharedClient,
    Timeouts,
    client_key,
    content_md5,
    renew,
    shared_client,
)
from litestreamd.replica.s3.connections import last_connection, within
from litestreamd.replica.s3.credentials import find_keys
from litestreamd.replica.s3.dialects import dialect_of
from litestreamd.replica.s3.faults import code_of, status_of, store_fault, translated
from litestreamd.replica.s3.settings import S3Settings

GONE = frozenset({"NoSuchKey", "404", "NotFound"})
TAKEN = frozenset({"PreconditionFailed", "412"})
UNKNOWN = frozenset({"NotImplemented", "501", "MethodNotAllowed", "405", "UnsupportedOperation"})
BEYOND = frozenset({"InvalidRange", "416"})

_RENEW_S = 30.0
"""Credentials are not fetched anew more often than this: a right that is missing is not a key that was rotated."""

_ENCRYPTED = frozenset({
    "put_object", "get_object", "head_object", "create_multipart_upload", "upload_part", "complete_multipart_upload",
})  # fmt: skip
_KEPT = frozenset({"put_object", "create_multipart_upload"})


class Told(Exception):
    """An answer that the caller has named beforehand. `code`: as the caller named it, a code or a status."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Bucket:
    """One per replica; several threads may call at once."""

    def __init__(self, settings: S3Settings, name: str, timeouts: Timeouts | None = None) -> None:
        self.settings = settings
        self.place = settings.url
        self._name = name
        self._timeouts = timeouts or Timeouts()
        self._renewed_at = float("-inf")
        self._key: ClientKey | None = None
        self.requests: Counter[str] = Counter()
        self._customer_key = _customer_key(settings)
        self._how_kept = _how_kept(settings)

    @property
    def sends_md5(self) -> bool:
        """Whether bodies go with their Content-MD5."""
        wanted = self.settings.require_content_md5
        return dialect_of(self.settings.endpoint).content_md5 if wanted is None else wanted

    def call(
        self, operation: str, /, expected: Collection[str] = (), headers: Mapping[str, str] | None = None, **given: Any
    ) -> Any:
        """One request. Raises Told for an expected code, else the errors of the port."""
        try:
            return self._ask(operation, expected, headers or {}, given)
        except RightsError:
            if time.monotonic() - self._renewed_at < _RENEW_S:
                raise
            self._renewed_at = time.monotonic()
            return self._ask(operation, expected, headers or {}, given)

    def renew(self) -> None:
        """Ask the source of the credentials for them before the next request."""
        key, self._key = self._key, None
        if key is not None:
            renew(key, shared_client(key))

    def has(self, key: str) -> bool:
        """Whether there is an object of this key."""
        try:
            self.call("head_object", GONE, Key=key)
        except Told:
            return False
        return True

    def read(self, key: str, offset: int = 0, length: int | None = None, at_once: int = CHUNK) -> Iterator[bytes]:
        """The bytes of an object in pieces of at most `at_once`. Raises Told(GONE); nothing beyond its end."""
        if length == 0:
            return
        try:
            body = self.call("get_object", GONE | BEYOND, Key=key, **_range(offset, length))["Body"]
        except Told as told:
            if told.code in BEYOND:
                return
            raise
        connection = last_connection()
        try:
            with translated(self.place):
                while chunk := self._next_chunk(body, connection, at_once):
                    yield chunk
        finally:
            body.close()

    def _next_chunk(self, body: Any, connection: Any, at_once: int) -> bytes:
        with within(self._timeouts.for_body(at_once), connection):
            chunk: bytes = body.read(at_once)
            return chunk

    def pages(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        """All objects whose keys begin with this, a thousand a request; each as ListObjectsV2 gives it."""
        more: dict[str, Any] = {}
        while True:
            page = self.call("list_objects_v2", Prefix=prefix, **more)
            yield from page.get("Contents", ())
            if page.get("IsTruncated") is False:
                return
            following = page.get("NextContinuationToken")
            if not following or more.get("ContinuationToken") == following:
                # Half a listing, or none, must never pass for a whole one.
                raise StoreError(f"{self.place}: the listing broke off")
            more = {"ContinuationToken": following}

    def _client(self) -> tuple[ClientKey, SharedClient]:
        key = self._key  # another thread may forget it at any moment
        if key is None:
            key = client_key(self.settings, find_keys(self.settings, self._name, os.environ), self._timeouts)
            self._key = key
        return key, shared_client(key)

    def _ask(self, operation: str, expected: Collection[str], headers: Mapping[str, str], given: Any) -> Any:
        key, client = self._client()
        try:
            return self._send(client, operation, expected, headers, given)
        except RightsError:
            # Whatever comes next asks for the credentials anew.
            self._key = None
            renew(key, client)
            raise

    def _send(
        self, client: SharedClient, operation: str, expected: Collection[str], headers: Mapping[str, str], given: Any
    ) -> Any:
        parameters = {"Bucket": self.settings.bucket, **given}
        if operation in _ENCRYPTED:
            headers = {**headers, **self._customer_key}
        if operation in _KEPT:
            parameters |= self._how_kept
        with translated(self.place):
            try:
                self.requests[operation] += 1
                return client.call(operation, headers, parameters)
            except ClientError as error:
                if (answer := _expected(error, expected)) is not None:
                    raise Told(answer) from error
                raise store_fault(error, self.place) from error


def _expected(error: ClientError, expected: Collection[str]) -> str | None:
    """What the caller counts with, by its code, else by its status. A bucket that is not there never is."""
    code, status = code_of(error), str(status_of(error))
    if code in expected:
        return code
    return status if status in expected and code != "NoSuchBucket" else None


def _range(offset: int, length: int | None) -> dict[str, Any]:
    if length is not None:
        return {"Range": f"bytes={offset}-{offset + length - 1}"}
    return {"Range": f"bytes={offset}-"} if offset else {}


def _customer_key(settings: S3Settings) -> dict[str, str]:
    """As headers: which operations take it as a parameter differs from one boto3 to the next."""
    key = settings.customer_key
    if key is None:
        return {}
    header = "x-amz-server-side-encryption-customer"
    return {
        f"{header}-algorithm": key.algorithm,
        f"{header}-key": key.key,
        f"{header}-key-md5": content_md5(b64decode(key.key)),
    }


def _how_kept(settings: S3Settings) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if settings.storage_class:
        kept["StorageClass"] = settings.storage_class
    if settings.sse_kms_key_id:
        kept |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.sse_kms_key_id}
    return kept
