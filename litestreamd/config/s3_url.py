"""`s3://...`: every form that Litestream takes, to S3Settings.

In: a URL. Out: what it says; what it leaves out is None. Raises UsageError with a sentence that shows no secret.

The path is what Litestream 0.5.17 makes of it (seen with a server that listens): cleaned as a file path, without a
slash in front; "." for none at all, so that the keys of `s3://bucket` begin with "./", but "" for a slash alone, so
that those of `s3://bucket/` begin with "/". The host is a bucket, or a bucket before the host of a store that is known,
or before a host with a port. An access point is its ARN and its name; in a path behind it % codes stay as they are.
Both, and hosts of AWS, say that the endpoint is AWS itself: None, which no default of the file replaces.
"""

import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus

from litestreamd.basics.errors import UsageError
from litestreamd.config.customer_key import digest
from litestreamd.config.endpoint import endpoint_url
from litestreamd.config.reading import LONGEST_QUANTITY
from litestreamd.config.s3_values import (
    ALGORITHM,
    PARAMETERS,
    Parameter,
    access_point,
    bucket_name,
    key_path,
    region_of,
)
from litestreamd.replica.s3.dialects import dialect_of
from litestreamd.replica.s3.settings import S3Settings

_R = r"(?P<region>[a-z0-9-]+)"
_HOSTS = (
    (r"(?P<bucket>.+)\.s3[.-](?P<region>[a-z]{2}(-[a-z]+)+-[0-9]+)\.amazonaws\.com(\.cn)?", None),
    (r"(?P<bucket>.+)\.s3\.amazonaws\.com", None),
    (rf"(?P<bucket>.+)\.{_R}\.digitaloceanspaces\.com", "https://{region}.digitaloceanspaces.com"),
    (rf"(?P<bucket>.+)\.s3\.{_R}\.backblazeb2\.com", "https://s3.{region}.backblazeb2.com"),
    (rf"(?P<bucket>.+)\.s3\.{_R}\.scw\.cloud", "https://s3.{region}.scw.cloud"),
    (r"(?P<bucket>.+)\.s3\.filebase\.com", "https://s3.filebase.com"),
)
_BY_PATTERN = ("Garage", "others")  # dialects that a bucket's name could match
_NO_BUCKET = "an S3 URL names a bucket: s3://BUCKET/PATH, with ?endpoint=https://HOST for a store that is not AWS"
_QUERY = {name.replace("-", ""): parameter for name, parameter in PARAMETERS.items()}
_DIGEST = "ssecustomerkeymd5"
Values = dict[str, Any]


def s3_from_url(url: str, on_command_line: bool = False) -> S3Settings:
    """The place that a URL names. A secret on the command line is refused: everybody on the machine could read it."""
    values = values_of_url(url, on_command_line)
    if values.pop(ALGORITHM, None) and "customer_key" not in values:
        raise UsageError("sseCustomerAlgorithm needs the key of SSE-C: put it into a configuration")
    return S3Settings(**values)


def values_of_url(url: str, on_command_line: bool = False) -> Values:
    """What a URL says, by the fields of S3Settings (and ALGORITHM)."""
    rest = url.partition("://")[2]
    place, _, query = rest.partition("?")
    if "#" in rest:
        raise UsageError("an S3 URL has no fragment: write # as %23")
    if "@" in place.partition("/")[0]:
        raise UsageError("an S3 URL has no place for credentials: use access-key-id, credentials or the environment")
    try:
        return {**_place(place), **_parameters(query, on_command_line)}
    except UnicodeDecodeError:
        raise UsageError("the % codes of this URL are not UTF-8") from None


# Before the question mark


def _place(text: str) -> Values:
    """Bucket, path, and what the host tells."""
    if text.lower().startswith("arn:"):
        name, path = access_point(text)
        at = {"region": region_of(name), "endpoint": None}
        return {"bucket": name, "path": key_path(_clean(path) if path else ""), **at}
    host, slash, path = text.partition("/")
    return {**_from_host(host), "path": key_path(_clean(unquote(path, errors="strict")) if slash else ".")}


def _from_host(host: str) -> Values:
    for pattern, endpoint in _HOSTS:
        match = re.fullmatch(pattern, host.lower())
        if match:
            found = match.groupdict()
            where = {"endpoint": endpoint and endpoint.format(**found)}
            return {name: _bucket(value) if name == "bucket" else value for name, value in found.items()} | where
    bucket, _, server = host.partition(".")
    if ":" in host:
        if not server or host.partition(":")[0].replace(".", "").isdigit():
            raise UsageError(_NO_BUCKET)
        return {"bucket": _bucket(bucket), "endpoint": endpoint_url(server), "force_path_style": True}
    return {"bucket": _bucket(host)}


def _bucket(text: str) -> str:
    """A bucket's name; a host that is, or ends in, a store that we know (`s3.eu-west-3.amazonaws.com`) is none."""
    try:
        name = bucket_name(text)
    except UsageError:
        raise UsageError(_NO_BUCKET) from None
    labels = name.lower().split(".")
    ends = (".".join(labels[n:]) for n in range(len(labels)))
    if any(dialect_of(f"https://{end}").name not in _BY_PATTERN for end in ends if end):
        raise UsageError(_NO_BUCKET)
    return name


def _clean(path: str) -> str:
    return posixpath.normpath(f"/{path}").lstrip("/")


# After it


def _parameters(query: str, on_command_line: bool) -> Values:
    """What follows the question mark; `force-path-style` and `forcePathStyle` are one."""
    found: Values = {}
    said = None
    for name, word, value in _pairs(query):
        if word == _DIGEST:
            said = value
            continue
        parameter = _QUERY[word]
        if parameter.field == "customer_key" and on_command_line:
            raise UsageError(f"{name} would be seen in the list of processes: put it into a configuration")
        found[parameter.field] = _parsed(name, value, parameter)
    if said is not None and ("customer_key" not in found or said != digest(found["customer_key"])):
        raise UsageError("sseCustomerKeyMD5 is not the digest of sseCustomerKey")
    return found


def _pairs(query: str) -> Iterator[tuple[str, str, str]]:
    """Name as written, name as we know it, and value."""
    seen = set()
    for pair in filter(None, query.split("&")):
        name, equals, value = (unquote_plus(part, errors="strict") for part in pair.partition("="))
        word = name.replace("-", "").lower()
        if word not in _QUERY and word != _DIGEST:
            # A name without a value may be half of one that had an & in it.
            known = equals and name.isascii() and name.replace("-", "").isalnum() and len(name) <= LONGEST_QUANTITY
            raise UsageError(f"an S3 URL has no parameter {name if known else 'of that name'}")
        if word in seen:
            raise UsageError(f"{name} is given twice")
        seen.add(word)
        yield name, word, value


def _parsed(name: str, value: str, parameter: Parameter) -> Any:
    if not parameter.hidden and len(value) > LONGEST_QUANTITY:
        raise UsageError(f"{name} is too long for this value")
    try:
        return parameter.parse(value)
    except UsageError as error:
        complaint = str(error).removeprefix(f"{value!r} ")
        raise UsageError(complaint if parameter.hidden else f"{name} {complaint}") from None
