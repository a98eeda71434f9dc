"""`s3://...`: every form that Litestream takes, to S3Settings.

In: a URL. Out: what it says; what it leaves out is None. Raises UsageError with a sentence that shows no secret.

The path is what Litestream makes of it: cleaned as a file path, without a slash in front, and "." for none, so that the
keys of `s3://bucket` begin with "./" (seen with 0.5.17). The host is a bucket, or a bucket before the host of a store
that is known, or before a host with a port; an access point is its ARN and its name.
"""

import ipaddress
import posixpath
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from litestreamd.basics.errors import UsageError
from litestreamd.basics.quantities import parse_size
from litestreamd.replica.s3.settings import CustomerKey, S3Settings

_ARN = re.compile(r"arn:[a-z0-9-]+:s3:(?P<region>[a-z0-9-]*):[0-9]*:accesspoint/[^/]+", re.IGNORECASE)
_R = r"(?P<region>[a-z0-9-]+)"
_HOSTS = (
    (rf"(?P<bucket>.+)\.s3[.-]{_R}\.amazonaws\.com(\.cn)?", None),
    (r"(?P<bucket>.+)\.s3\.amazonaws\.com", None),
    (rf"(?P<bucket>.+)\.{_R}\.digitaloceanspaces\.com", "https://{region}.digitaloceanspaces.com"),
    (rf"(?P<bucket>.+)\.s3\.{_R}\.backblazeb2\.com", "https://s3.{region}.backblazeb2.com"),
    (rf"(?P<bucket>.+)\.s3\.{_R}\.scw\.cloud", "https://s3.{region}.scw.cloud"),
    (r"(?P<bucket>.+)\.s3\.filebase\.com", "https://s3.filebase.com"),
)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_MIB = 1 << 20


def s3_from_url(url: str, on_command_line: bool = False) -> S3Settings:
    """The place that a URL names. A secret on the command line is refused: everybody on the machine could read it."""
    rest = url.partition("://")[2]
    place, _, query = rest.partition("?")
    if "#" in rest:
        raise UsageError("an S3 URL has no fragment: write # as %23")
    if "@" in place.partition("/")[0]:
        raise UsageError("an S3 URL has no place for credentials: use access-key-id, credentials or the environment")
    found = {**_place(place), **_parameters(query, on_command_line)}
    if not found["bucket"]:
        raise UsageError("an S3 URL names a bucket: s3://BUCKET/PATH")
    return S3Settings(**found)


def endpoint_url(text: str) -> str:
    """The endpoint as a URL. Without a scheme it is http for this machine and private networks, else https."""
    scheme, separator, rest = text.strip().rpartition("://")
    scheme = scheme.lower()
    rest = rest.rstrip("/")
    if separator and scheme not in ("http", "https"):
        raise UsageError("an endpoint begins with https:// or http://")
    if not rest or set(rest) & set("/?#@ ") or not urlsplit(f"//{rest}").hostname:
        raise UsageError("an endpoint is a host, perhaps with a port, and nothing else: https://s3.example.com")
    return f"{scheme or ('http' if is_near(rest) else 'https')}://{rest}"


def is_near(host: str) -> bool:
    """Whether a host (perhaps with a port) is this machine or lies in a private network, by its name."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_private
    except ValueError:
        return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))


def _place(text: str) -> dict[str, Any]:
    """Bucket, path, and what the host tells."""
    if text.lower().startswith("arn:"):
        return _access_point(text)
    host, _, path = text.partition("/")
    told = _from_host(host)
    return {"path": _clean(path), **told}


def _access_point(text: str) -> dict[str, Any]:
    match = _ARN.match(text)
    if match is None:
        raise UsageError("the ARN of an access point is arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME, then /PATH")
    return {"bucket": match[0], "path": _clean(text[match.end() :]), "region": match["region"] or None}


def _from_host(host: str) -> dict[str, Any]:
    for pattern, endpoint in _HOSTS:
        match = re.fullmatch(pattern, host.lower())
        if match:
            region = match.groupdict().get("region")
            return {
                "bucket": match["bucket"],
                "region": region,
                "endpoint": endpoint.format(region=region) if endpoint else None,
            }
    name, _, port = host.partition(":")
    if port:
        bucket, _, server = name.partition(".")
        return {"bucket": bucket, "endpoint": endpoint_url(f"{server}:{port}"), "force_path_style": True}
    return {"bucket": host}


def _clean(path: str) -> str:
    return posixpath.normpath("/" + unquote(path)).lstrip("/") or "."


def _boolean(text: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise UsageError("is true or false")
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


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "endpoint": ("endpoint", endpoint_url),
    "region": ("region", str),
    "forcepathstyle": ("force_path_style", _boolean),
    "skipverify": ("skip_verify", _boolean),
    "signpayload": ("sign_payload", _boolean),
    "requirecontentmd5": ("require_content_md5", _boolean),
    "signacceptencoding": ("sign_accept_encoding", _boolean),
    "concurrency": ("concurrency", concurrency),
    "partsize": ("part_size", part_size),
    "storageclass": ("storage_class", str),
    "ssekmskeyid": ("sse_kms_key_id", str),
    "ssecustomeralgorithm": ("", str),
    "ssecustomerkey": ("customer_key", CustomerKey),
    "ssecustomerkeymd5": ("", str),
}


def _parameters(query: str, on_command_line: bool) -> dict[str, Any]:
    """What follows the question mark; `force-path-style` and `forcePathStyle` are one."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        reader = _READERS.get(name.replace("-", "").lower())
        if reader is None:
            shown = name if name.isascii() and name.replace("-", "").isalnum() and len(name) <= 40 else "of that name"
            raise UsageError(f"an S3 URL has no parameter {shown}")
        if reader[0] == "customer_key" and on_command_line:
            raise UsageError(f"{name} would be seen in the list of processes: put it into a configuration")
        if not reader[0]:
            continue  # AES256 is all there is, and the digest follows from the key
        try:
            found[reader[0]] = reader[1](value)
        except UsageError as error:
            raise UsageError(f"{name}: {str(error).removeprefix(repr(value) + ' ')}") from None
    return found
