"""Places in buckets of real S3 servers, each test with a path of its own.

In: a folder (then the server of this process serves), or what another process calls `where`. Out: replicas as the
program builds them.
"""

import json
import os
from functools import cache
from typing import Any, ClassVar

from litestreamd.replica.build import build_replica
from litestreamd.replica.port import Fence, Replica, ReplicaSpec
from litestreamd.replica.s3.settings import S3Settings, StaticKeys
from tests.support.s3_access import Access
from tests.support.s3_servers import shared


@cache
def _bucket(kind: str) -> str:
    return shared(kind).make_bucket("contract")


class BucketPlace:
    """A path in a bucket; one bucket for each server and process."""

    kind: ClassVar[str]
    server: ClassVar[str]
    fence: ClassVar[Fence]
    excludes: ClassVar[bool]
    shows_times = False
    lost_words = "the bucket does not exist"

    def __init__(self, where: str) -> None:
        if where.startswith("{"):
            told = json.loads(where)
            self.access, self.bucket, self.path = Access.from_json(told["access"]), told["bucket"], told["path"]
        else:
            self.access, self.bucket = shared(self.server).access, _bucket(self.server)
            self.path = f"test-{os.urandom(6).hex()}/app"

    @property
    def where(self) -> str:
        return json.dumps({"access": self.access.to_json(), "bucket": self.bucket, "path": self.path})

    def settings(self, **changed: Any) -> S3Settings:
        """How the configuration would name it."""
        keys = StaticKeys(self.access.access_key, self.access.secret_key)
        given = {"bucket": self.bucket, "path": self.path, "endpoint": self.access.endpoint, "keys": keys}
        return S3Settings(**{**given, "ca_bundle": self.access.ca_file, **changed})

    def replica(self) -> Replica:
        return build_replica(ReplicaSpec("s3", self.settings()))

    def lost(self) -> Replica:
        return build_replica(ReplicaSpec("s3", self.settings(bucket="nobody-has-made-this")))

    def plant(self, key: str, data: bytes, time_ns: int | None = None) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.path}/{key}", Body=data)

    def keys(self) -> set[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.path}/")
        found = {each["Key"].removeprefix(f"{self.path}/") for page in pages for each in page.get("Contents", ())}
        return {key for key in found if not key.startswith("litestreamd/.habits/")}

    @property
    def client(self) -> Any:
        """boto3's own."""
        return self.access.boto3_client(attempts=5)


class MiniStackPlace(BucketPlace):
    """An emulator of AWS that checks what AWS checks."""

    kind, server = "s3-ministack", "ministack"
    fence, excludes = Fence.STRONG, True


class SwiftPlace(BucketPlace):
    """OpenStack Swift: "create only" is looked at, and then raced."""

    kind, server = "s3-swift", "swift"
    fence, excludes = Fence.WEAK, False


class RadosPlace(BucketPlace):
    """Ceph's gateway of 2021: "create only" holds, but not at the end of an upload in parts."""

    kind, server = "s3-radosgw", "radosgw"
    fence, excludes = Fence.WEAK, True


class RclonePlace(BucketPlace):
    """rclone serves a folder: every condition is ignored in silence."""

    kind, server = "s3-rclone", "rclone"
    fence, excludes = Fence.WEAK, False
