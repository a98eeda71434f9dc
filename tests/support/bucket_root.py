"""The root of a replica in a bucket as the tests see it: names and bodies, past the code under test.

In: how to reach a server, a bucket, a path. Out: what a configuration or a command line of either program says to name
it, and its objects.
"""

from dataclasses import dataclass
from typing import Any

from tests.support.folder_listing import NAME
from tests.support.s3_access import Access


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    """One object; as tests/support/folder_listing.Listed, with its key."""

    level: int
    min_txid: int
    max_txid: int
    size: int
    key: str


@dataclass(frozen=True, slots=True)
class BucketRoot:
    """`access` may lead through a proxy; what the tests themselves look at they look at through `direct`."""

    access: Access
    bucket: str
    path: str = "app"
    direct: Access | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def entry(self) -> dict[str, object]:
        """The keys of a replica in a configuration, for both programs."""
        return {
            "type": "s3",
            "bucket": self.bucket,
            "path": self.path,
            "endpoint": self.access.endpoint,
            "region": self.access.region,
            "force-path-style": True,
            "access-key-id": self.access.access_key,
            "secret-access-key": self.access.secret_key,
        }

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.path}?endpoint={self.access.endpoint}&region={self.access.region}&forcePathStyle=true"

    @property
    def environment(self) -> dict[str, str]:
        """What a command needs that gets the URL only."""
        return {
            "LITESTREAM_ACCESS_KEY_ID": self.access.access_key,
            "LITESTREAM_SECRET_ACCESS_KEY": self.access.secret_key,
        }

    @property
    def client(self) -> Any:
        return (self.direct or self.access).boto3_client(attempts=5)

    def sizes(self) -> dict[str, int]:
        """Every key below the path, with its size."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=f"{self.path}/")
        return {each["Key"]: each["Size"] for page in pages for each in page.get("Contents", ())}

    def objects(self, levels: range | tuple[int, ...] = range(10)) -> list[Stored]:
        """Every LTX object at the given levels."""
        found = []
        for key, size in self.sizes().items():
            level, _, file = key.removeprefix(f"{self.path}/").partition("/")
            match = NAME.fullmatch(file)
            if match and len(level) == 4 and int(level, 16) in levels:
                found.append(Stored(int(level, 16), int(match[1], 16), int(match[2], 16), size, key))
        return sorted(found)

    def head(self) -> int:
        """The highest TXID, 0 on an empty root."""
        return max((each.max_txid for each in self.objects()), default=0)

    def body(self, key: str) -> bytes:
        found: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return found
