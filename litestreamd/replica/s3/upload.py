"""Create an object once, proven, in one request or in parts: the write half of an S3 replica.

In: a key, the body, what the store is to remember with it. Out: CREATED or EXISTS.
Promised: the key appears with all bytes or not at all; that they arrived is proven (replica/s3/proof.py); an upload
that fails is aborted.

Up to SINGLE bytes go in one request (parts cost three more); memory is the parts in flight and one that fills.
Where the store does not refuse a name that is taken (replica/s3/habits.py), we look before we write: the weak fence.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from litestreamd.basics.errors import LitestreamdError, StoreError
from litestreamd.replica.ahead import done_ahead, worker_pool
from litestreamd.replica.bodies import begun, drained
from litestreamd.replica.port import Created
from litestreamd.replica.retrying import Patience
from litestreamd.replica.s3.bucket import GONE, TAKEN, UNKNOWN, Bucket, Told
from litestreamd.replica.s3.dialects import dialect_of
from litestreamd.replica.s3.habits import CREATE_ONLY, Habits
from litestreamd.replica.s3.proof import Item, Piece, Proof

SINGLE = 8 << 20
"""Bytes that go in one request."""

PART = 5 << 20
MOST_PARTS = 10_000
_MIB = 1 << 20
_IN_ONE_SEND = 256 << 10
"""A body up to this size goes to the socket with its head; a larger one piece by piece, each with its own time-out."""

_OVER = frozenset({"NoSuchUpload"})


class Uploads:
    """One per replica; several threads may create at once."""

    def __init__(self, bucket: Bucket, patience: Patience) -> None:
        settings, dialect = bucket.settings, dialect_of(bucket.settings.endpoint)
        self._bucket = bucket
        self._patience = patience
        self._proof = Proof(bucket)
        self._part_size = settings.part_size or PART
        self._concurrency = settings.concurrency or dialect.concurrency

    def create(self, item: Item, body: Iterable[bytes], most: int | None, habits: Habits) -> Created:
        """Create an object. Errors of the port; those of `body` pass through."""
        held, rest = begun(body, SINGLE)
        if rest is None:
            return self._create_small(item, b"".join(held), habits)
        return self._create_large(item, drained(held, rest), most, habits)

    def clear_unfinished(self, prefix: str) -> None:
        """Abort uploads in parts that nobody will go on with: their parts are billed, and no listing shows them."""
        while True:
            found = self._bucket.call("list_multipart_uploads", UNKNOWN, Prefix=prefix)
            for upload in found.get("Uploads", ()):
                whose = {name: upload[name] for name in ("Key", "UploadId")}
                self._bucket.call("abort_multipart_upload", GONE | _OVER, **whose)
            if not found.get("IsTruncated"):
                return

    def _create_small(self, item: Item, data: bytes, habits: Habits) -> Created:
        if not habits.create_only and self._bucket.has(item.key):
            return Created.EXISTS
        piece = Piece.of(data)
        headers = self._md5_of(piece) | (CREATE_ONLY if habits.create_only else {})
        try:
            answer = self._bucket.call(
                "put_object", TAKEN, headers, Key=item.key, Body=_sendable(data), **_remembered(item)
            )
        except Told:
            return Created.EXISTS
        self._proof.check(
            item, [piece], piece.is_tag(answer.get("ETag")), self._bucket.sends_md5 and habits.verifies_md5
        )
        return Created.CREATED

    def _create_large(self, item: Item, body: Iterable[bytes], most: int | None, habits: Habits) -> Created:
        if self._bucket.has(item.key):  # a gigabyte for a name that is taken would be a pity
            return Created.EXISTS
        begun = self._bucket.call("create_multipart_upload", Key=item.key, **_remembered(item))
        upload = {"Key": item.key, "UploadId": begun["UploadId"]}
        try:
            sent = self._send_parts(upload, body, most)
            created = self._complete(item, upload, sent, habits)
        except BaseException:
            self._abort(upload)
            raise
        if created is Created.CREATED:
            agreed = all(piece.is_tag(tag) for piece, tag in sent)
            pieces = [piece for piece, _ in sent]
            self._proof.check(item, pieces, agreed, self._bucket.sends_md5 and habits.verifies_md5)
        return created

    def _send_parts(
        self, upload: Mapping[str, Any], body: Iterable[bytes], most: int | None
    ) -> list[tuple[Piece, str]]:
        """Out: every part with the tag that the store gave it."""
        parts = enumerate(_cut(body, _part_size(self._part_size, most)), start=1)
        with worker_pool(self._concurrency) as pool:
            return list(done_ahead(pool, partial(self._send_part, upload), parts, self._concurrency))

    def _send_part(self, upload: Mapping[str, Any], numbered: tuple[int, bytes]) -> tuple[Piece, str]:
        number, data = numbered
        piece = Piece.of(data)

        def send() -> Any:
            body = _sendable(data)
            return self._bucket.call("upload_part", (), self._md5_of(piece), PartNumber=number, Body=body, **upload)

        return piece, self._patience.run(send)["ETag"]

    def _complete(
        self, item: Item, upload: Mapping[str, Any], sent: list[tuple[Piece, str]], habits: Habits
    ) -> Created:
        if not habits.create_only_large and self._bucket.has(item.key):
            self._abort(upload)
            return Created.EXISTS
        parts = [{"PartNumber": number, "ETag": tag} for number, (_, tag) in enumerate(sent, start=1)]
        headers = CREATE_ONLY if habits.create_only_large else {}

        def complete() -> Any:
            together = {"MultipartUpload": {"Parts": parts}}
            return self._bucket.call("complete_multipart_upload", TAKEN | _OVER, headers, **upload, **together)

        try:
            self._patience.run(complete)
        except Told as told:
            # Taken; or done already, and the answer was lost: then it is there, for the caller to look at.
            self._abort(upload)
            if told.code in TAKEN or self._bucket.has(item.key):
                return Created.EXISTS
            raise StoreError(f"{self._bucket.place}: the store has lost the upload of {item.key}") from told
        return Created.CREATED

    def _abort(self, upload: Mapping[str, Any]) -> None:
        with suppress(LitestreamdError, Told):
            self._bucket.call("abort_multipart_upload", GONE | _OVER, **upload)

    def _md5_of(self, piece: Piece) -> dict[str, str]:
        return {"Content-MD5": piece.content_md5} if self._bucket.sends_md5 else {}


def _remembered(item: Item) -> dict[str, Any]:
    return {"Metadata": dict(item.metadata), "ContentType": "application/octet-stream"}


def _sendable(data: bytes) -> bytes | io.BytesIO:
    return data if len(data) <= _IN_ONE_SEND else io.BytesIO(data)


def _part_size(wanted: int, most: int | None) -> int:
    """One size for all parts, some stores insist on that: large enough for `most` bytes in as many as there may be."""
    if most is None or most <= wanted * MOST_PARTS:
        return wanted
    return -(-most // (MOST_PARTS * _MIB)) * _MIB


def _cut(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of `size`; the last one is what is left, if anything is."""
    gathered: list[bytes] = []
    held = 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while held + len(rest) >= size:
            taken = size - held
            yield b"".join((*gathered, rest[:taken]))
            gathered, held, rest = [], 0, rest[taken:]
        if rest:
            gathered.append(bytes(rest))
            held += len(rest)
    if held:
        yield b"".join(gathered)
