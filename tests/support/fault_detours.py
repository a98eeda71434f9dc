"""The faults after which a request does not simply go through: answered by us, broken off, late, or sent twice.

In: an exchange. Out: whether the client's connection goes on.
A body that has to be here as a whole lies in a file, not in memory.
"""

import asyncio
import tempfile
from typing import IO
from xml.sax.saxutils import escape

from tests.support import http_framing as http
from tests.support import network_faults as faults
from tests.support.fault_exchange import Ended, Exchange

IN_MEMORY = 1 << 20


async def run(exchange: Exchange) -> bool:  # noqa: PLR0911  one arm a fault
    """Let the exchange happen, with its faults."""
    if latency := exchange.shape(faults.Latency):
        await asyncio.sleep(latency.seconds)
    match exchange.fault:
        case faults.Status() as fault:
            return await _refuse(exchange, fault)
        case faults.Lie() as fault:
            return await _answer(exchange, 200, *_answered("200 OK", fault.body, _closes(exchange)))
        case faults.Refuse():
            return False
        case faults.ResetBefore():
            raise Ended
        case faults.ResetInUpload(after=after):
            return await _break_off(exchange, after)
        case faults.Hang(where="request"):
            return await _late(exchange)
        case faults.Twice(answer=wanted):
            return await _twice(exchange, wanted)
    return await exchange.through()


def _closes(exchange: Exchange) -> bool:
    return exchange.head.closes or exchange.head.expects


async def _refuse(exchange: Exchange, fault: faults.Status) -> bool:
    head, body = error_answer(fault, exchange.seen.target, _closes(exchange))
    return await _answer(exchange, fault.status, head, b"" if exchange.seen.method == "HEAD" else body)


async def _answer(exchange: Exchange, status: int, head: bytes, body: bytes) -> bool:
    """Answer in the server's place. A body that waits to be asked for never comes; any other is read away."""
    if not exchange.head.expects:
        async for _ in exchange.body():
            pass
    exchange.seen.status, exchange.seen.down = status, len(body)
    await exchange.down.send(exchange.client, head + body)
    return not _closes(exchange)


async def _break_off(exchange: Exchange, after: int) -> bool:
    """The server gets a beginning; without a body there is none."""
    if exchange.framing.length != 0:
        await exchange.server.connect()
        await exchange.server.side.send(exchange.head.raw)
        await _invite(exchange)
        async for piece in http.cut(exchange.body(), exchange.framing, after):
            await exchange.up.send(exchange.server.side, piece.raw)
        await exchange.server.side.flush()
    raise Ended


async def _late(exchange: Exchange) -> bool:
    """All of the request is here, and the server hears nothing until the release."""
    with await _stored(exchange) as stored:
        await exchange.hold()
        answer = await _deliver(exchange, stored)
    await exchange.download(answer)
    return exchange.goes_on(answer)


async def _twice(exchange: Exchange, wanted: int) -> bool:
    goes_on = True
    with await _stored(exchange) as stored, tempfile.SpooledTemporaryFile(IN_MEMORY) as kept:
        for number in (1, 2):
            answer = await _deliver(exchange, stored)
            if number == wanted:
                exchange.seen.status, goes_on = answer.status, exchange.goes_on(answer)
                kept.write(answer.raw)
            async for piece in http.pieces(exchange.server.side.reader, exchange.framing_of(answer)):
                if number == wanted:
                    exchange.seen.down += len(piece.load)
                    kept.write(piece.raw)
        kept.seek(0)
        while data := kept.read(http.MOST):
            await exchange.down.send(exchange.client, data)
    return goes_on


async def _stored(exchange: Exchange) -> IO[bytes]:
    """The request's body as it was sent."""
    await _invite(exchange)
    stored = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  the caller closes it
    async for piece in exchange.body():
        stored.write(piece.raw)
    return stored


async def _deliver(exchange: Exchange, stored: IO[bytes]) -> http.Head:
    """The whole request to the server; out: the head of its answer."""
    stored.seek(0)
    await exchange.server.connect()
    await exchange.server.side.send(exchange.head.raw)
    while data := stored.read(http.MOST):
        await exchange.up.send(exchange.server.side, data)
    exchange.seen.deliveries += 1
    return await exchange.answer(tell=False)


async def _invite(exchange: Exchange) -> None:
    """Ask for the body in the server's place."""
    if exchange.head.expects:
        await exchange.client.send(http.CONTINUE)


def error_answer(fault: faults.Status, target: str, closes: bool) -> tuple[bytes, bytes]:
    """Head and body of an error as S3 words it."""
    fields = {"Code": fault.s3_code, "Message": fault.message or fault.s3_code, "Resource": target.partition("?")[0]}
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}<RequestId>{REQUEST_ID}</RequestId></Error>'
    return _answered(f"{fault.status} {fault.s3_code}", xml.encode(), closes)


def _answered(status: str, body: bytes, closes: bool) -> tuple[bytes, bytes]:
    lines = [
        f"HTTP/1.1 {status}",
        f"x-amz-request-id: {REQUEST_ID}",
        "Content-Type: application/xml",
        f"Content-Length: {len(body)}",
        f"Connection: {'close' if closes else 'keep-alive'}",
    ]
    return "\r\n".join([*lines, "", ""]).encode(), body


REQUEST_ID = "FA17000000000000"
