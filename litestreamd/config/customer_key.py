"""The key of SSE-C: from the configuration, from a file, from a URL.

In: the section of a replica, and which section holds a key of it (`holder`: its own, or the top). Out: a CustomerKey,
or None, perhaps with faults noted. Promised: no fault shows any of the key.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping

from litestreamd.basics.errors import UsageError
from litestreamd.config.places import absolute
from litestreamd.config.section import Section
from litestreamd.replica.s3.settings import CustomerKey

_ALGORITHM, _KEY, _PATH = "sse-customer-algorithm", "sse-customer-key", "sse-customer-key-path"
_KEY_BYTES = 32

Holder = Callable[[Section, str], Section]


def customer_key(
    holder: Holder, section: Section, home: Mapping[str, str], in_url: CustomerKey | None
) -> CustomerKey | None:
    """The key, once it is found to be one."""
    algorithm = holder(section, _ALGORITHM).text(_ALGORITHM)
    if algorithm is not None and algorithm.upper() != "AES256":
        holder(section, _ALGORITHM).fault(_ALGORITHM, "the only algorithm of SSE-C is AES256")
    given = [name for name in (_KEY, _PATH) if holder(section, name).node(name) is not None]
    if len(given) + (in_url is not None) > 1:
        section.fault(given[0], "the key of SSE-C is given twice: keep one of the two")
        return None
    if in_url is not None:
        return _checked(section, "url", in_url.key)
    if not given:
        if algorithm is not None:
            section.fault(_ALGORITHM, f"{_ALGORITHM} needs {_KEY} or {_PATH}")
        return None
    found = holder(section, given[0])
    text = found.text(given[0], secret=given[0] == _KEY)
    if text is not None and given[0] == _PATH:
        text = _from_file(found, text, home)
    return None if text is None else _checked(found, given[0], text)


def _from_file(section: Section, text: str, home: Mapping[str, str]) -> str | None:
    """The key in a file: base64, or the bytes themselves."""
    try:
        data = absolute(text, home).read_bytes()
    except (UsageError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        section.fault(_PATH, f"the file of {_PATH} cannot be read: {reason}")
        return None
    return b64encode(data).decode() if len(data) == _KEY_BYTES else data.decode("ascii", "replace").strip()


def _checked(section: Section, name: str, text: str) -> CustomerKey | None:
    try:
        if len(b64decode(text.strip(), validate=True)) == _KEY_BYTES:
            return CustomerKey(text.strip())
    except (binascii.Error, ValueError):
        pass
    section.fault(name, "the key of SSE-C is base64 of exactly 32 bytes (openssl rand -base64 32)")
    return None
