"""What the keys of S3 may hold, in a file and behind the question mark of a URL.

In: text. Out: a value. Raises UsageError: for what may be shown, with how to go on after it ("is not ..."); for what is
long or may be a secret, with a whole sentence that shows nothing of it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from litestreamd.basics.errors import UsageError
from litestreamd.basics.quantities import parse_size
from litestreamd.config.customer_key import algorithm, customer_key, customer_key_file
from litestreamd.config.endpoint import endpoint_url
from litestreamd.config.places import absolute

ALGORITHM = "sse_customer_algorithm"
"""Stands among the fields of S3Settings, and is none: there is one algorithm only."""

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_ACCESS_POINT = re.compile(
    r"(arn:aws[a-z0-9-]*:s3:(?P<region>[a-z0-9-]+):[0-9]{12}:accesspoint/[A-Za-z0-9.-]{1,63})(/.*)?", re.DOTALL
)
_WORD = re.compile(r"[!-~]+")
_NOT_IN_KEYS = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Parameter:
    """field: of S3Settings. hidden: no fault shows the value, and `parse` complains in whole sentences."""

    field: str
    parse: Callable[[str], Any]
    hidden: bool = False


def boolean(text: str) -> bool:
    """True or false."""
    if text.lower() not in _BOOLEANS:
        raise UsageError("is not true or false")
    return _BOOLEANS[text.lower()]


def part_size(text: str) -> int:
    """Bytes of a part, as S3 allows them."""
    size = parse_size(text)
    if not 5 * _MIB <= size <= 5 << 30:
        raise UsageError("is not between 5MiB and 5GiB, which is what S3 takes as a part")
    return size


def concurrency(text: str) -> int:
    """Parts in flight."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 64):
        raise UsageError("is not a number from 1 to 64")
    return int(text)


def word(name: str) -> Callable[[str], str]:
    """Of a key whose value becomes (part of) a header."""

    def parse(text: str) -> str:
        if not _WORD.fullmatch(text):
            raise UsageError(f"{name} takes one word of ASCII")
        return text

    return parse


def key_path(text: str) -> str:
    """What the keys of a replica begin with: what XML, and so a listing, can hold."""
    if _NOT_IN_KEYS.search(text):
        raise UsageError("the path in a bucket has to be UTF-8 without control characters")
    return text


def bucket_name(text: str) -> str:
    """The name of a bucket, or the ARN of an access point."""
    if text.lower().startswith("arn:"):
        name, path = access_point(text)
        if not path:
            return name
    elif _BUCKET.fullmatch(text):
        return text
    raise UsageError("bucket is the name of a bucket and nothing else: path says where in it")


def access_point(text: str) -> tuple[str, str]:
    """The ARN that a text begins with, and what comes after it: nothing, or a slash and a path."""
    match = _ACCESS_POINT.fullmatch(text)
    if match is None:
        raise UsageError("the ARN of an access point is arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME, then /PATH")
    return match[1], match[3] or ""


def region_of(bucket: str) -> str | None:
    """The region that the ARN of an access point tells; None for the name of a bucket."""
    match = _ACCESS_POINT.fullmatch(bucket)
    return match["region"] if match else None


PARAMETERS: Mapping[str, Parameter] = {
    "endpoint": Parameter("endpoint", endpoint_url, hidden=True),
    "region": Parameter("region", word("region"), hidden=True),
    "force-path-style": Parameter("force_path_style", boolean),
    "skip-verify": Parameter("skip_verify", boolean),
    "sign-payload": Parameter("sign_payload", boolean),
    "require-content-md5": Parameter("require_content_md5", boolean),
    "sign-accept-encoding": Parameter("sign_accept_encoding", boolean),
    "concurrency": Parameter("concurrency", concurrency),
    "part-size": Parameter("part_size", part_size),
    "storage-class": Parameter("storage_class", word("storage-class"), hidden=True),
    "sse-kms-key-id": Parameter("sse_kms_key_id", word("sse-kms-key-id"), hidden=True),
    "sse-customer-algorithm": Parameter(ALGORITHM, algorithm),
    "sse-customer-key": Parameter("customer_key", customer_key, hidden=True),
}
"""What a key of the file and a parameter of a URL may say alike."""


def keys_of_a_file(home: Mapping[str, str]) -> Mapping[str, Parameter]:
    """What only a file says, besides the access key. `home` is the environment for `~`."""
    return {
        "bucket": Parameter("bucket", bucket_name, hidden=True),
        "profile": Parameter("profile", str, hidden=True),
        "ca-bundle": Parameter("ca_bundle", lambda text: _bundle(text, home), hidden=True),
        "sse-customer-key-path": Parameter("customer_key", lambda text: customer_key_file(text, home), hidden=True),
    }


def _bundle(text: str, home: Mapping[str, str]) -> str:
    if not text.startswith(("/", "~")):
        raise UsageError("ca-bundle takes an absolute path")
    return str(absolute(text, home))
