"""One request on its way through the proxy, and its answer on the way back.

In: the client's side, the server's side, the head of a request and the faults chosen for it.
Out: whether the client's connection goes on. Promised: without a fault every byte passes unchanged, as it comes; no
body is ever held in memory as a whole. Raises OSError or asyncio.IncompleteReadError when one of the two left, `Ended`
when a fault ended it. Here are the faults that bend an answer or a body; `fault_detours` has those that take another
way.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from tests.support import http_framing as http
from tests.support import network_faults as faults
from tests.support.network_faults import Fault
from tests.support.s3_requests import Seen
from tests.support.tcp_side import Pace, ServerSide, Side

SHAPES = (faults.Latency, faults.Bandwidth, faults.Trickle)
F = TypeVar("F", bound=Fault)


class Ended(Exception):
    """The connection is over, as a fault wanted it."""


class Exchange:
    """`hold` returns when the proxy releases what hangs."""

    def __init__(
        self,
        client: Side,
        server: ServerSide,
        head: http.Head,
        seen: Seen,
        chosen: Sequence[Fault],
        hold: Callable[[], Awaitable[None]],
    ) -> None:
        self.client, self.server, self.head, self.seen, self.hold = client, server, head, seen, hold
        self.framing = http.of_request(head)
        self.shapes = [fault for fault in chosen if isinstance(fault, SHAPES)]
        self.fault = next((fault for fault in chosen if not isinstance(fault, SHAPES)), None)
        self.up, self.down = self._paces()
        self._invited = not head.expects
        seen.faults = tuple(type(fault).__name__ for fault in (*self.shapes, self.fault) if fault)

    async def through(self) -> bool:
        """Both directions at once: the server may answer, or ask for the body, before the body has come."""
        await self.server.connect()
        await self.server.side.send(self.head.raw)
        upload = asyncio.create_task(self._upload())
        try:
            answer = await self.answer(tell=True)
            await self.download(answer)
            if not self._stays_away():
                await upload
        finally:
            upload.cancel()
            await asyncio.wait([upload])  # or it would still be reading when the next request is read
        return self.goes_on(answer)

    def goes_on(self, answer: http.Head) -> bool:
        """Whether client and server both keep the connection."""
        return not (self.head.closes or answer.closes)

    def body(self) -> AsyncIterator[http.Piece]:
        """What the client sends, counted."""
        return self._counted(http.pieces(self.client.reader, self.framing))

    async def answer(self, *, tell: bool) -> http.Head:
        """The head of the server's answer; `tell` the client of what the server says before."""
        while True:
            head = await http.read_head(self.server.side.reader)
            if head is None:
                raise ConnectionResetError("the server closed the connection")
            if head.status >= 200:
                self.seen.server_status = head.status
                self.seen.deliveries = self.seen.deliveries or 1
                return head
            if tell:
                self._invited = True
                await self.client.send(head.raw)

    async def download(self, answer: http.Head) -> None:
        """The answer to the client, bent as the fault wants it."""
        framing = self.framing_of(answer)
        body = self._bent(http.pieces(self.server.side.reader, framing), framing)
        if isinstance(self.fault, faults.LoseResponse):
            await _read_away(body)
            raise Ended
        if isinstance(self.fault, faults.Hang) and self.fault.where == "response":
            await self.hold()
        self.seen.status = answer.status
        await self.down.send(self.client, answer.raw)
        async for piece in body:
            self.seen.down += len(piece.load)
            await self.down.send(self.client, piece.raw)
        await self._end_early()

    def framing_of(self, answer: http.Head) -> http.Framing:
        return http.of_response(answer, self.seen.method)

    def _stays_away(self) -> bool:
        """Refused before it was asked for, the body never comes: what comes next is another request."""
        return not self._invited and not self.seen.up

    async def _upload(self) -> None:
        body = self.body()
        if isinstance(self.fault, faults.Corrupt) and self.fault.upload:
            body = http.corrupted(body, self.framing, self.fault.at)
        try:
            async for piece in body:
                await self.up.send(self.server.side, piece.raw)
            self.seen.deliveries = 1
        except (OSError, asyncio.IncompleteReadError):
            self.server.reset()  # which also ends the wait for an answer

    async def _counted(self, body: AsyncIterator[http.Piece]) -> AsyncIterator[http.Piece]:
        async for piece in body:
            self.seen.up += len(piece.load)
            yield piece

    def _bent(self, body: AsyncIterator[http.Piece], framing: http.Framing) -> AsyncIterator[http.Piece]:
        match self.fault:
            case faults.CutResponse():
                return http.cut(body, framing, self.fault.after)
            case faults.Corrupt(upload=False):
                return http.corrupted(body, framing, self.fault.at)
            case faults.Hang(where="body"):
                return http.held(body, framing, self.fault.after, self.hold)
        return body

    async def _end_early(self) -> None:
        """After an answer that was cut."""
        if isinstance(self.fault, faults.CutResponse):
            await (self.client.flush() if self.fault.reset else self.client.finish())
            raise Ended

    def _paces(self) -> tuple[Pace, Pace]:
        """Up and down."""
        width = self.shape(faults.Bandwidth) or faults.Bandwidth()
        if trickle := self.shape(faults.Trickle):
            return Pace(width.up), Pace(trickle.piece / trickle.every_s, trickle.piece)
        return Pace(width.up), Pace(width.down)

    def shape(self, kind: type[F]) -> F | None:
        """The first fault of a kind that goes with any other."""
        return next((fault for fault in self.shapes if isinstance(fault, kind)), None)


async def _read_away(body: AsyncIterator[http.Piece]) -> None:
    async for _ in body:
        pass
