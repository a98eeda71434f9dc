"""The thread in which a proxy lives: an event loop, a listening socket that can go and come back, conversations.

In: what to do with one client's connection. Out: start and stop, `down` and `up`, and work done in the loop.
Promised: it listens on 127.0.0.1 only; after `stop` the port is closed, every connection is reset and the thread gone.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from typing import TypeVar

from tests.support.http_framing import MOST
from tests.support.s3_certificate import Certificate
from tests.support.tcp_side import Side

PATIENCE_S = 10.0
Talk = Callable[[Side], Awaitable[None]]
T = TypeVar("T")


class ProxyThread:
    """`talk` is run for every connection, and cancelled when the proxy goes down."""

    def __init__(self, port: int, certificate: Certificate | None, talk: Talk) -> None:
        self.port, self._certificate, self._talk = port, certificate, talk
        self._failures: list[BaseException] = []
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._live, name="fault-proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started.result(PATIENCE_S)

    def stop(self) -> None:
        """End. Raises what went wrong in a conversation, if anything did."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the proxy does not end"
        if self._failures:
            raise self._failures[0]

    def down(self) -> None:
        """Nobody listens, every connection is reset."""
        self.call(self._close)

    def up(self) -> None:
        """Listen again, on the same port."""
        self.call(self._listen)

    def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it in the loop; out: its result. For other threads."""

        async def done() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(PATIENCE_S)

    def _live(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  told to who waits for the start, or to who stops
            self._failures.append(error)
            if not self._started.done():
                self._started.set_exception(error)

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()
        await self._listen()
        self._started.set_result(None)
        await self._stopping.wait()
        await self._close()

    async def _listen(self) -> None:
        assert self._listener is None, "it is up"
        self._listener = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self._tls(), limit=MOST, backlog=256, reuse_address=True
        )

    def _tls(self) -> ssl.SSLContext | None:
        if self._certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate.certificate, self._certificate.key)
        return context

    async def _close(self) -> None:
        if self._listener:
            self._listener.close()
            self._listener = None
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await asyncio.sleep(0)  # connections that were reset close their sockets in the next round

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.ensure_future(self._converse(Side(reader, writer)))
        self._talks.add(talk)
        talk.add_done_callback(self._ended)

    async def _converse(self, client: Side) -> None:
        try:
            await self._talk(client)
        finally:
            client.reset()

    def _ended(self, talk: asyncio.Task[None]) -> None:
        self._talks.discard(talk)
        if not talk.cancelled() and (error := talk.exception()):
            self._failures.append(error)
