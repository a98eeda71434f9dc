"""HTTP/1.1 as it looks to somebody in the middle: heads, and bodies in pieces that tell content from framing.

In: an asyncio stream. Out: heads (unchanged bytes, beside what they say), and pieces of at most `MOST` bytes that,
joined, are the body exactly as sent. Raises asyncio.IncompleteReadError when a message breaks off.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

MOST = 1 << 18
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Head:
    """The first line, and the fields with names in lower case."""

    raw: bytes
    words: list[str]
    fields: dict[str, str]

    @property
    def status(self) -> int:
        return int(self.words[1])

    @property
    def closes(self) -> bool:
        """Whether this connection ends after the message."""
        wish = self.fields.get("connection", "").lower()
        return wish == "close" or ("HTTP/1.0" in self.words and wish != "keep-alive")

    @property
    def expects(self) -> bool:
        """Whether its body only comes when it is asked for."""
        return self.fields.get("expect", "").lower() == "100-continue"


@dataclass(frozen=True, slots=True)
class Framing:
    """How the end of a body is known: by its length, by chunks, or by the end of the connection (length None)."""

    length: int | None = 0
    chunked: bool = False

    def within(self, place: int) -> int:
        """The place, or that of the last byte if it is known and comes before."""
        return place if self.length is None or self.chunked else max(min(place, self.length - 1), 0)


@dataclass(frozen=True, slots=True)
class Piece:
    """Content with the framing before it. A last piece without content may end a chunked body."""

    frame: bytes
    load: bytes

    @property
    def raw(self) -> bytes:
        return self.frame + self.load


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head; None when the other side is done."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Head(raw, first.split(" ", 2), {name.strip().lower(): value.strip() for name, _, value in pairs})


def of_request(head: Head) -> Framing:
    """How the body of a request is framed."""
    return _framing(head) or Framing()


def of_response(head: Head, method: str) -> Framing:
    """How the body of an answer to this method is framed."""
    if method == "HEAD" or head.status in (204, 304) or head.status < 200:
        return Framing()
    return _framing(head) or Framing(length=None)


def _framing(head: Head) -> Framing | None:
    if "chunked" in head.fields.get("transfer-encoding", "").lower():
        return Framing(None, chunked=True)
    length = head.fields.get("content-length")
    return None if length is None else Framing(int(length))


async def pieces(reader: asyncio.StreamReader, framing: Framing) -> AsyncIterator[Piece]:
    """The body, as it comes."""
    if framing.chunked:
        async for piece in _chunks(reader):
            yield piece
    elif framing.length is not None:
        async for load in _exactly(reader, framing.length):
            yield Piece(b"", load)
    else:
        while load := await reader.read(MOST):
            yield Piece(b"", load)


async def _exactly(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        load = await reader.read(min(length, MOST))
        if not load:
            raise asyncio.IncompleteReadError(b"", length)
        length -= len(load)
        yield load


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[Piece]:
    frame = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        frame += line
        size = int(line.split(b";")[0], 16)
        if not size:
            break
        async for load in _exactly(reader, size):
            yield Piece(frame, load)
            frame = b""
        frame = await reader.readexactly(2)
    while line != b"\r\n":  # trailers, and the empty line after them
        line = await reader.readuntil(b"\r\n")
        frame += line
    yield Piece(frame, b"")


async def parted(body: AsyncIterator[Piece], at: int) -> AsyncIterator[tuple[int, Piece]]:
    """The pieces, each with its place in the content; one of them begins at this place."""
    place = 0
    async for piece in body:
        before = piece.load[: max(at - place, 0)]
        if before:
            yield place, Piece(piece.frame, before)
        rest = Piece(b"" if before else piece.frame, piece.load[len(before) :])
        if rest.raw:
            yield place + len(before), rest
        place += len(piece.load)


async def cut(body: AsyncIterator[Piece], framing: Framing, after: int) -> AsyncIterator[Piece]:
    """The beginning of a body: so many bytes of its content, and never its end."""
    end = framing.within(after)
    async for place, piece in parted(body, end):
        if place >= end:
            return
        yield piece


async def held(
    body: AsyncIterator[Piece], framing: Framing, after: int, wait: Callable[[], Awaitable[None]]
) -> AsyncIterator[Piece]:
    """The body, with a wait after so many bytes of its content and before its end."""
    end, waited = framing.within(after), False
    async for place, piece in parted(body, end):
        if place >= end and not waited:
            waited = True
            await wait()
        yield piece


async def corrupted(body: AsyncIterator[Piece], framing: Framing, at: int) -> AsyncIterator[Piece]:
    """The body with one bit turned."""
    wrong = framing.within(at)
    async for place, piece in parted(body, wrong):
        if place == wrong and piece.load:
            yield Piece(piece.frame, bytes([piece.load[0] ^ 1]) + piece.load[1:])
        else:
            yield piece
