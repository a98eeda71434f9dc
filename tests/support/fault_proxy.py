"""A proxy between a client and an S3 server that does to chosen requests what networks and providers do.

In: the server's access. Out: an access for the client (heads pass unchanged, so signatures stay good), faults by rules
or by a function, and a record of every request. It lives in a thread of this process and listens on 127.0.0.1 only.

    with FaultProxy(server.access) as proxy:
        proxy.add(SLOW_DOWN, operation=Operation.PUT, times=2)
        proxy.boto3_client(attempts=5).put_object(...)
        assert proxy.bill()[Operation.PUT] == 1
"""

import asyncio
import copy
import time
from collections import Counter
from typing import Any, Self

from tests.support import fault_detours
from tests.support.fault_exchange import Ended, Exchange
from tests.support.http_framing import Head, read_head
from tests.support.network_faults import Chooser, Fault, Rule, Rules
from tests.support.ports import free_port
from tests.support.proxy_thread import ProxyThread
from tests.support.s3_access import Access
from tests.support.s3_certificate import Certificate
from tests.support.s3_requests import Operation, Seen, bill
from tests.support.tcp_side import ServerSide, Side

LEFT = (Ended, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
"""How a conversation ends before its end."""


class FaultProxy:
    """With a certificate it speaks TLS to the client, whatever the server speaks."""

    def __init__(self, server: Access, *, certificate: Certificate | None = None, port: int | None = None) -> None:
        self.server, self.port, self.certificate = server, port or free_port(), certificate
        self.rules = Rules()
        self.choose: Chooser = self.rules
        """Asked for each request, in the proxy's thread; any function may take the place of the rules."""
        self.refusing = False
        """New connections are closed at once."""
        self.connections = 0
        """How many were accepted so far."""
        self.hanging = 0
        """How many requests wait for `release`."""
        self._seen: list[Seen] = []
        self._gate = asyncio.Event()
        self._thread = ProxyThread(self.port, certificate, self._talk)

    @property
    def access(self) -> Access:
        """The server as it is reached through here."""
        tls = self.certificate
        endpoint = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        return self.server.changed(endpoint=endpoint, ca_file=str(tls.certificate) if tls else None)

    def boto3_client(self, attempts: int = 1, **options: Any) -> Any:
        return self.access.boto3_client(attempts, **options)

    def add(
        self,
        fault: Fault,
        method: str = "",
        path: str = "",
        operation: Operation | None = None,
        times: int | None = None,
        skip: int = 0,
    ) -> Rule:
        """A new rule, in force at once; see `Rule`. `rules.remove` takes it away."""
        rule = Rule(fault, method, path, operation, times, skip)
        self.rules.add(rule)
        return rule

    def clear(self) -> None:
        """No more faults; what hangs goes on."""
        self.rules.clear()
        self.release()

    def release(self) -> None:
        """What hangs goes on."""
        self._thread.call(self._open_gate)

    def down(self) -> None:
        """The machine is gone: nobody listens, every connection is reset."""
        self._thread.down()

    def up(self) -> None:
        """It is back, on the same port."""
        self._thread.up()

    def requests(self, operation: Operation | None = None) -> list[Seen]:
        """What was seen since the start or the last `forget`, oldest first."""
        return [copy.copy(seen) for seen in list(self._seen) if operation in (None, seen.operation)]

    def bill(self) -> Counter[Operation]:
        """How often the server was asked for what."""
        return bill(self.requests())

    def forget(self) -> None:
        """Begin a new record."""
        self._seen = []

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Reset every connection, close the port. Raises what went wrong in here, if anything did."""
        self._thread.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # In the proxy's thread

    async def _talk(self, client: Side) -> None:
        """One connection of a client, to its end."""
        self.connections += 1
        number, server = self.connections, ServerSide(self.server)
        try:
            goes_on = not self.refusing
            while goes_on and (head := await read_head(client.reader)):
                goes_on = await self._exchange(client, server, head, number)
            await client.finish()
        except LEFT:
            client.reset()
        finally:
            server.reset()

    async def _exchange(self, client: Side, server: ServerSide, head: Head, number: int) -> bool:
        seen = Seen(time.monotonic(), number, head.words[0], head.words[1], head.fields)
        self._seen.append(seen)
        chosen = list(self.choose(seen))
        try:
            return await fault_detours.run(Exchange(client, server, head, seen, chosen, self._hold))
        finally:
            seen.done = time.monotonic()

    async def _hold(self) -> None:
        self.hanging += 1
        try:
            await self._gate.wait()
        finally:
            self.hanging -= 1

    async def _open_gate(self) -> None:
        self._gate.set()
        self._gate = asyncio.Event()
