"""The S3 servers of a test run: each is started when first asked for, once in a process, and ends with it.

In: a kind (`ministack`, `swift`, `radosgw`, `rclone`). Out: a running server, shared by all who ask; make a bucket of
your own. Who wants to kill one makes it himself: `MiniStack(folder, persist=True)`.
Another process gets `server.access.to_json()`, and `Access.from_json` makes a client of it.
"""

import atexit
import os
import shutil
import tempfile
import threading
from pathlib import Path

import pytest

from tests.support.s3_ministack import MiniStack
from tests.support.s3_radosgw import RadosGateway
from tests.support.s3_rclone import Rclone
from tests.support.s3_server import Server
from tests.support.s3_swift import Swift

KINDS: dict[str, type[Server]] = {each.name: each for each in (MiniStack, Swift, RadosGateway, Rclone)}


class Pool:
    """Running servers of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._folder: Path | None = None
        self._servers: dict[tuple[str, bool], Server] = {}

    def get(self, kind: str, tls: bool = False) -> Server:
        """The server, started if it is not yet. Skips the test, or fails it, if the machine lacks it."""
        demand(kind)
        with self._lock:
            assert self._owner == os.getpid(), "a forked child asks its parent for the JSON of the access"
            if (kind, tls) not in self._servers:
                self._servers[kind, tls] = KINDS[kind](self._home / f"{kind}{'-tls' * tls}", tls=tls).start()
            return self._servers[kind, tls]

    def stop(self) -> None:
        """Kill all and remove their files. What a fork inherited is not its own to stop."""
        if self._owner != os.getpid():
            return
        with self._lock:
            for server in self._servers.values():
                server.kill()
            self._servers.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    @property
    def _home(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="s3-servers-"))
        return self._folder


def demand(kind: str) -> None:
    """Skip the test when a server that a machine may lack is not there; fail it for any other."""
    server = KINDS[kind]
    reason = server.missing()
    if reason and server.optional:
        pytest.skip(reason)
    assert not reason, reason


_POOL = Pool()
atexit.register(_POOL.stop)


def shared(kind: str, *, tls: bool = False) -> Server:
    """The running server of this kind."""
    return _POOL.get(kind, tls)
