"""Requests to S3 as somebody on the wire sees them: which operation it was, and what the provider would write down.

In: the heads of HTTP requests, path style. Out: operations; counts of them, as a bill has them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import parse_qsl, unquote, urlsplit


class Operation(StrEnum):
    """By the names that S3 gives them."""

    PUT = "PutObject"
    COPY = "CopyObject"
    GET = "GetObject"
    HEAD = "HeadObject"
    DELETE = "DeleteObject"
    DELETE_BATCH = "DeleteObjects"
    LIST = "ListObjectsV2"
    LIST_OLD = "ListObjects"
    LIST_BUCKETS = "ListBuckets"
    HEAD_BUCKET = "HeadBucket"
    CREATE_BUCKET = "CreateBucket"
    DELETE_BUCKET = "DeleteBucket"
    MULTIPART_CREATE = "CreateMultipartUpload"
    MULTIPART_PART = "UploadPart"
    MULTIPART_COPY = "UploadPartCopy"
    MULTIPART_COMPLETE = "CompleteMultipartUpload"
    MULTIPART_ABORT = "AbortMultipartUpload"
    MULTIPART_LIST = "ListMultipartUploads"
    MULTIPART_PARTS = "ListParts"
    OTHER = "other"
    """Settings of a bucket or an object: location, versioning, tagging, ..."""


@dataclass(slots=True)
class Seen:
    """One request. It is written down when its head has come; the rest follows, each before the client can know it."""

    at: float
    """Of time.monotonic."""
    connection: int
    """The client's connection, counted from 1."""
    method: str
    target: str
    """Path with query, as sent."""
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    faults: tuple[str, ...] = ()
    """What we did to it, by the names of the faults' classes."""
    status: int = 0
    """What the client was told; 0: nothing."""
    server_status: int = 0
    """What the server answered; 0: it was not asked, or its answer did not come."""
    deliveries: int = 0
    """How often the server got the request; one that it refused by its head counts."""
    up: int = 0
    """Bytes of the request's body that came from the client."""
    down: int = 0
    """Bytes of the answer's body that went to the client."""
    done: float = 0.0
    """When the client had all it would get, of time.monotonic; 0: it still waits."""
    operation: Operation = field(init=False)

    def __post_init__(self) -> None:
        self.operation = classify(self.method, self.target, self.headers)

    @property
    def bucket(self) -> str:
        return _names(self.target)[0]

    @property
    def key(self) -> str:
        return _names(self.target)[1]


def bill(requests: Iterable[Seen]) -> Counter[Operation]:
    """How often the server was asked for each operation; what never reached it costs nothing."""
    counts: Counter[Operation] = Counter()
    for seen in requests:
        counts[seen.operation] += seen.deliveries
    return +counts


def classify(method: str, target: str, headers: Mapping[str, str]) -> Operation:
    """What a request asks for."""
    bucket, key = _names(target)
    query = {name for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True)}
    if not bucket:
        return Operation.LIST_BUCKETS if method == "GET" else Operation.OTHER
    if not key:
        return _of_bucket(method, query)
    return _of_object(method, query, "x-amz-copy-source" in headers)


def _names(target: str) -> tuple[str, str]:
    """Bucket and key. Not urlsplit for the path: a key may begin with a slash."""
    bucket, _, key = target.partition("?")[0].removeprefix("/").partition("/")
    return unquote(bucket), unquote(key)


def _of_bucket(method: str, query: set[str]) -> Operation:
    if method == "POST" and "delete" in query:
        return Operation.DELETE_BATCH
    if method == "GET" and "uploads" in query:
        return Operation.MULTIPART_LIST
    if method == "GET" and "list-type" in query:
        return Operation.LIST
    if method == "GET" and not query - OF_LISTING:
        return Operation.LIST_OLD
    return Operation.OTHER if query - MARKS else BUCKETS.get(method, Operation.OTHER)


def _of_object(method: str, query: set[str], copies: bool) -> Operation:
    if "uploadId" in query:
        part = Operation.MULTIPART_COPY if copies else Operation.MULTIPART_PART
        return {**UPLOADS, "PUT": part}.get(method, Operation.OTHER)
    if method == "POST" and "uploads" in query:
        return Operation.MULTIPART_CREATE
    if query - MARKS - OF_OBJECT:
        return Operation.OTHER
    return Operation.COPY if copies and method == "PUT" else OBJECTS.get(method, Operation.OTHER)


MARKS = {"x-id"}
"""Some SDKs repeat the operation's name."""
OF_LISTING = {"prefix", "delimiter", "marker", "max-keys", "encoding-type"} | MARKS
OF_OBJECT = {"versionId", "partNumber"}
BUCKETS = {"HEAD": Operation.HEAD_BUCKET, "PUT": Operation.CREATE_BUCKET, "DELETE": Operation.DELETE_BUCKET}
OBJECTS = {
    "PUT": Operation.PUT,
    "GET": Operation.GET,
    "HEAD": Operation.HEAD,
    "DELETE": Operation.DELETE,
}
UPLOADS = {
    "POST": Operation.MULTIPART_COMPLETE,
    "DELETE": Operation.MULTIPART_ABORT,
    "GET": Operation.MULTIPART_PARTS,
}
