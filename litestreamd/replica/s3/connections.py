"""Connections of boto3 that do not hang for ever, and do not take half an answer for a whole one.

In: `within(seconds)` around a piece of work on connections. Out: the work, or the error that a broken connection gives.
Promised: the thread that waits gets an error soon after the deadline, and no thread is left behind; an answer whose
head broke off is an error.

Why: the time-outs of a socket know only silence; a server, or a box on the way, that sends a byte now and then would
hold a thread for hours. And Python's http.client takes the end of the stream for the end of the head: a listing that
broke off there would be an empty one, and an object without a byte.

How: urllib3 lets a pool say which class its connections have (ConnectionCls), and http.client which class their answers
have (response_class); ours tell which connection a thread is using, and whether a head had its end.
"""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore import awsrequest

from litestreamd.basics.pulse import beat, promise

_LOOK_S = 0.25
"""How exact a deadline is."""

_using = threading.local()


class _Noting:
    """The lines of a stream, and what the last one was."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.last = b""

    def readline(self, *limit: int) -> bytes:
        self.last = self._stream.readline(*limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Answer(http.client.HTTPResponse):
    """Its head ends with an empty line, or it is none (RFC 9112, 2.1 and 8)."""

    def begin(self) -> None:
        stream: Any = self.fp
        noting: Any = _Noting(stream)
        self.fp = noting
        try:
            super().begin()
        finally:
            if self.fp is noting:
                self.fp = stream
        if noting.last.strip(b"\r\n") or not noting.last:
            raise http.client.RemoteDisconnected("the head of the answer broke off")


def _watched(kind: type[Any]) -> type[Any]:
    """The same connection, which says that it is in use, with answers that are whole."""

    class Watched(kind):  # type: ignore[misc]
        response_class = _Answer

        def request(self, *args: Any, **kwargs: Any) -> Any:
            work = getattr(_using, "work", None)
            if work is not None:
                work.connection = self
            return super().request(*args, **kwargs)

    return Watched


awsrequest.AWSHTTPConnectionPool.ConnectionCls = _watched(awsrequest.AWSHTTPConnection)
awsrequest.AWSHTTPSConnectionPool.ConnectionCls = _watched(awsrequest.AWSHTTPSConnection)


class _Work:
    """What a thread is doing, until when, and on which connection."""

    def __init__(self, end: float, connection: Any) -> None:
        self.end = end
        self.connection = connection

    def cut(self) -> None:
        """End it from outside."""
        sock = getattr(self.connection, "sock", None)
        if sock is not None:
            with suppress(OSError):
                # Past the TLS layer, which another thread is in the middle of.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Watch:
    """One thread for all deadlines; it sleeps while there are none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._works: set[_Work] = set()
        self._thread: threading.Thread | None = None

    def add(self, work: _Work) -> None:
        with self._changed:
            self._works.add(work)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="s3-deadlines", daemon=True)
                self._thread.start()
            elif len(self._works) == 1:
                self._changed.notify()

    def remove(self, work: _Work) -> None:
        with self._changed:
            self._works.discard(work)

    def _look(self) -> None:
        with self._changed:
            while True:
                # A request is over in milliseconds: most of them are never seen from here.
                self._changed.wait(_LOOK_S if self._works else None)
                now = time.monotonic()
                for work in self._works:
                    if now > work.end:
                        work.cut()


_watch = _Watch()


@contextmanager
def within(seconds: float, connection: Any = None) -> Iterator[None]:
    """Let the block take so long. `connection`: the one it goes on with, if it has one already; else the one it opens
    or takes from the pool."""
    promise(seconds)
    work = _Work(time.monotonic() + seconds, connection)
    _using.work = work
    _watch.add(work)
    try:
        yield
    finally:
        beat()
        _watch.remove(work)
        _using.work, _using.last = None, work.connection


def last_connection() -> Any:
    """The connection that the last block of this thread used: the body of an answer still comes through it."""
    return getattr(_using, "last", None)
