"""The beginning of a body, to tell a small one from a large one without holding more than that.

In: the chunks of a body. Out: what came first, and the rest.
"""

from collections.abc import Iterable, Iterator


def begun(body: Iterable[bytes], most: int) -> tuple[list[bytes], Iterator[bytes] | None]:
    """All chunks of a body of at most `most` bytes, and None; of a larger one a beginning, and the rest."""
    chunks = iter(body)
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        held.append(chunk)
        size += len(chunk)
        if size > most:
            return held, chunks
    return held, None


def drained(held: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    """The body again; what has been given out is not held any more."""
    held.reverse()
    while held:
        yield held.pop()
    yield from rest
