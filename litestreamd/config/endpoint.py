"""Where a store answers, as people write it, to a URL; and whether that is near.

In: text. Out: `scheme://host[:port]` in lower case and without a port that goes without saying, so that one place has
one name. UsageError for all else, with a sentence that shows nothing of it: there may be a password in it.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from litestreamd.basics.errors import UsageError

_ADDRESS = re.compile(r"(?P<host>[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_PORTS = {"https": 443, "http": 80}
_NEAR = (".localhost", ".local", ".internal")


def endpoint_url(text: str) -> str:
    """The endpoint as a URL. Without a scheme it is http for what is near, else https."""
    scheme, separator, rest = text.strip().lower().rpartition("://")
    if separator and scheme not in _PORTS:
        raise UsageError("an endpoint begins with https:// or http://")
    host, port = _address(rest.rstrip("/"))
    scheme = scheme or ("http" if is_near(host) else "https")
    return f"{scheme}://{host}" + (f":{port}" if port and port != _PORTS[scheme] else "")


def is_near(host: str) -> bool:
    """Whether a host is this machine or lies in a private network, by its name; one without a dot does."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return "." not in host or host.endswith(_NEAR)


def in_the_clear(endpoint: str | None) -> bool:
    """Whether what is sent to an endpoint crosses foreign networks unencrypted."""
    parts = urlsplit(endpoint or "")
    return parts.scheme == "http" and not is_near(parts.hostname or "")


def _address(text: str) -> tuple[str, int]:
    """Host and port; the port is 0 when there is none."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not _is_host(match["host"]) or not 0 < int(match["port"] or 1) < 1 << 16:
        raise UsageError("an endpoint is a host, perhaps with a port, and nothing else: https://s3.example.com")
    return match["host"], int(match["port"] or 0)


def _is_host(name: str) -> bool:
    """True for names; for what can only be an address, when it is one."""
    try:
        if name.startswith("["):
            return bool(ipaddress.IPv6Address(name.strip("[]")))
        if name.replace(".", "").isdigit():
            return bool(ipaddress.IPv4Address(name))
    except ValueError:
        return False
    return ".." not in name
