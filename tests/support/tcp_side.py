"""One end of a TCP connection, which can leave in every way there is.

In: an asyncio stream. Out: `Side`: what comes in (`reader`), sending, and the ends: FIN, reset. `ServerSide` is one
that dials when it is needed. `Pace` sends slowly.
"""

import asyncio
import fcntl
import socket
import ssl
import struct
import termios
from contextlib import suppress
from urllib.parse import urlsplit

from tests.support.http_framing import MOST
from tests.support.s3_access import Access

LINGER_S = 2.0


class Side:
    """Promised: nothing waits here to be sent together with something else (TCP_NODELAY)."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer
        self._socket: socket.socket = writer.get_extra_info("socket")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def usable(self) -> bool:
        """Whether the other side has not left, as far as we know."""
        return not self._writer.is_closing() and not self.reader.at_eof()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def flush(self) -> None:
        """Wait until the kernel of the other side has everything; a reset would throw away the rest."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while self._writer.transport.get_write_buffer_size() or self._unsent():
                    await asyncio.sleep(0.001)

    def reset(self) -> None:
        """RST, now; nothing if the connection was ended before."""
        if not self._writer.is_closing():
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()

    async def finish(self) -> None:
        """FIN after all that was sent. What still comes in is read: closing over it would be a reset."""
        if self._writer.is_closing():
            return
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(LINGER_S):
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                    while await self.reader.read(MOST):
                        pass
        self._writer.close()

    def _unsent(self) -> int:
        answer = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(answer, "little")


class ServerSide:
    """The connection to the server behind; kept for one request after the other, as the client keeps its own."""

    def __init__(self, access: Access) -> None:
        where = urlsplit(access.endpoint)
        self._where = (where.hostname, where.port)
        self._trust = ssl.create_default_context(cafile=access.ca_file) if where.scheme == "https" else None
        self._side: Side | None = None

    @property
    def side(self) -> Side:
        assert self._side is not None, "not connected"
        return self._side

    async def connect(self) -> None:
        """Dial, unless the connection at hand is good. Raises OSError."""
        if self._side is None or not self._side.usable:
            self.reset()
            host, port = self._where
            self._side = Side(*await asyncio.open_connection(host, port, ssl=self._trust, limit=MOST))

    def reset(self) -> None:
        if self._side is not None:
            self._side.reset()


class Pace:
    """So many bytes a second, in pieces of a size; None: as they come."""

    def __init__(self, rate: float | None, piece: int | None = None) -> None:
        self.rate = rate
        self.piece = piece or max(1, min(MOST, int((rate or 0) / 50)))
        self._due = 0.0

    async def send(self, side: Side, data: bytes) -> None:
        if self.rate is None:
            await side.send(data)
            return
        for start in range(0, len(data), self.piece):
            part = data[start : start + self.piece]
            await self._wait(len(part) / self.rate)
            await side.send(part)

    async def _wait(self, seconds: float) -> None:
        now = asyncio.get_running_loop().time()
        self._due = max(self._due, now) + seconds
        await asyncio.sleep(self._due - now)
