"""The key of SSE-C: from the configuration, from a file, from a URL.

In: text. Out: a CustomerKey. Raises UsageError with a sentence that shows nothing of the key.
"""

import binascii
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping

from litestreamd.basics.errors import UsageError
from litestreamd.config.places import absolute
from litestreamd.replica.s3.settings import CustomerKey

_KEY_BYTES = 32
_MOST_OF_A_FILE = 1024


def algorithm(text: str) -> str:
    """What SSE-C encrypts with."""
    if text.upper() != "AES256":
        raise UsageError("is not AES256, the only algorithm of SSE-C")
    return "AES256"


def customer_key(text: str) -> CustomerKey:
    """The key as base64."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != _KEY_BYTES:
        raise UsageError("the key of SSE-C is base64 of exactly 32 bytes (openssl rand -base64 32)")
    return CustomerKey(b64encode(data).decode())


def customer_key_file(text: str, home: Mapping[str, str]) -> CustomerKey:
    """The key in a file: base64, or the bytes themselves. `home` is the environment for `~`."""
    try:
        with absolute(text, home).open("rb") as file:
            data = file.read(_MOST_OF_A_FILE)
    except OSError as error:
        raise UsageError(f"the file of sse-customer-key-path cannot be read: {error.strerror}") from None
    if len(data) == _KEY_BYTES:
        return CustomerKey(b64encode(data).decode())
    return customer_key(data.decode("ascii", "replace").strip())


def digest(key: CustomerKey) -> str:
    """Of the key, as S3 wants it along with the key: against accidents, not against attackers."""
    return b64encode(hashlib.md5(b64decode(key.key), usedforsecurity=False).digest()).decode()
