"""Objects that Litestream 0.3 encrypted with age (age-encryption.org/v1).

In: the bytes of an object in chunks, and identities. Out: the plain bytes, pushed on as they come. Promised: nothing is
held but a chunk, no file is made; an identity never gets into an error or a log. The library is imported only for an
object that needs it.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from types import ModuleType

from litestreamd.basics.errors import ConfigError, DamagedData, NotAvailable

MAGIC = b"age-encryption.org/v1"
"""What an encrypted object begins with."""

Sink = Callable[[bytes], None]


def decrypt(chunks: Iterator[bytes], identities: Sequence[str], sink: Sink) -> None:
    """Push the plain bytes into `sink`. Raises NotAvailable without the right identity or without the library,
    ConfigError for an identity that is none, DamagedData (without a name), and whatever `chunks` and `sink` raise."""
    if not identities:
        raise NotAvailable(
            "it is encrypted with age: put the identity under age: {identities: [...]} of the replica, in the "
            "configuration that restores it"
        )
    age = _library()
    keys = [_identity(age, number, text) for number, text in enumerate(identities, 1)]
    source, target = _Source(chunks), _Target(sink)
    try:
        age.decrypt_io(source, target, keys)
    except Exception as error:
        # The library reports some of what its callers raise as errors of its own.
        for cause in (source.error, target.error):
            if cause is not None:
                raise cause from None
        if isinstance(error, age.DecryptError):
            # No key fits, or the header in which it is looked for was changed.
            raise NotAvailable(
                f"it is encrypted with age, and none of the identities in age.identities opens it: {error}"
            ) from None
        if isinstance(error, OSError):
            raise DamagedData("it does not decrypt: it was changed after it was written, or cut short") from None
        raise


class _Source:
    """The chunks as the library reads them. `error`: what they raised."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.error: Exception | None = None

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; none at the end."""
        try:
            while not self._rest:
                chunk = next(self._chunks, None)
                if chunk is None:
                    return b""
                self._rest = memoryview(chunk)
        except Exception as error:
            self.error = error
            raise
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)


class _Target:
    """The sink as the library writes to it. `error`: what it raised."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.error: Exception | None = None

    def write(self, data: bytes) -> int:
        """Hand everything on."""
        try:
            self._sink(data)
        except Exception as error:
            self.error = error
            raise
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""


def _library() -> ModuleType:
    try:
        return import_module("pyrage")
    except ImportError:
        raise NotAvailable(
            "it is encrypted with age, and the library for it is not installed: pip install 'litestreamd[age]'"
        ) from None


def _identity(age: ModuleType, number: int, text: str) -> object:
    try:
        identity: object = age.x25519.Identity.from_str(text)
    except age.IdentityError:
        raise ConfigError(f"age.identities: number {number} is not an identity of age") from None
    return identity
