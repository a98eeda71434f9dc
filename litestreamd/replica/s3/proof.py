"""The proof that a store has what it was sent.

In: an object that was just created, the digests of what was sent, what the store said. Out: nothing, or a StoreError
after the object was removed again: it is ours, nobody has counted on it yet.

Enough for an object that went in one request is an ETag that is the MD5 of the body: the store computed that from what
it has. For one that went in parts also the size it has in the end. Where tags are something else (SSE-C, SSE-KMS, some
stores): the size, if the store refuses bodies that do not fit their Content-MD5; and what was sent is read back, the
first object of each kind and every so many after it; where nothing else tells, always.
"""

import hashlib
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from litestreamd.basics.errors import LitestreamdError, StoreError
from litestreamd.replica.s3.bucket import GONE, Bucket, Told

_SAMPLED = 64
"""One of so many objects is read back where only the store's word stands for the rest."""


@dataclass(frozen=True, slots=True)
class Item:
    """What is created. metadata: for the store to remember. kind: objects of one kind are alike."""

    key: str
    kind: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Piece:
    """What went in one request: its size and MD5."""

    size: int
    md5: bytes

    @classmethod
    def of(cls, data: bytes) -> "Piece":
        """For these bytes."""
        return cls(len(data), hashlib.md5(data, usedforsecurity=False).digest())

    @property
    def content_md5(self) -> str:
        """The header's value."""
        return b64encode(self.md5).decode()

    def is_tag(self, tag: str | None) -> bool:
        """Whether the store's tag is our MD5."""
        return (tag or "").strip('"').lower() == self.md5.hex()


class Proof:
    """One per replica; counts what it has seen of each kind."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._seen: Counter[str] = Counter()

    def check(self, item: Item, pieces: Sequence[Piece], agreed: bool, verified: bool) -> None:
        """`agreed`: every tag was our MD5. `verified`: the store has compared each body with the MD5 sent along. Raises
        StoreError, errors of the port."""
        if agreed and len(pieces) == 1:
            return
        try:
            sound = self._size(item.key) == sum(piece.size for piece in pieces)
            if sound and not agreed and (not verified or self._is_sample(item.kind)):
                sound = self._same(item.key, pieces)
        except Told:
            sound = False
        if not sound:
            self._remove(item.key)
            raise StoreError(f"{self._bucket.place}: the store has other bytes than it was sent of {item.key}")

    def _is_sample(self, kind: str) -> bool:
        self._seen[kind] += 1
        return self._seen[kind] % _SAMPLED == 1

    def _size(self, key: str) -> int:
        return int(self._bucket.call("head_object", GONE, Key=key)["ContentLength"])

    def _same(self, key: str, pieces: Sequence[Piece]) -> bool:
        """Read it back, piece by piece."""
        offset = 0
        for piece in pieces:
            digest = hashlib.md5(usedforsecurity=False)
            for chunk in self._bucket.read(key, offset, piece.size):
                digest.update(chunk)
            if digest.digest() != piece.md5:
                return False
            offset += piece.size
        return True

    def _remove(self, key: str) -> None:
        with suppress(LitestreamdError, Told):
            self._bucket.call("delete_object", GONE, Key=key)
