"""What all S3 servers of the tests have in common: a life on a port of 127.0.0.1, with its files in one folder.

In: a folder of its own. Out: a context manager; inside it the server answers. `access` is how to reach it.
Promised: ready when `start` returns, else AssertionError with the server's own words; dead, with every process that
it started, when `kill` returns; the port stays the same over restarts.
"""

import http.client
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.support.guarded import Guarded
from tests.support.ports import free_port, is_free
from tests.support.s3_access import Access
from tests.support.s3_certificate import Certificate, self_signed
from tests.support.waiting import until


class Server(ABC):
    """One server. Subclasses say how it is prepared and launched."""

    name: ClassVar[str]
    optional: ClassVar[bool] = False
    """A machine may lack it; tests are then skipped and do not fail."""
    atomic_create: ClassVar[bool]
    """Of racing PUTs with If-None-Match: * exactly one succeeds."""
    keeps_data: ClassVar[bool]
    """What was acknowledged is still there after `kill` and `start`."""
    ready_path: ClassVar[str] = "/"
    deadline_s: ClassVar[float] = 60

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate: Certificate | None = self_signed(folder) if tls else None
        self.access_key, self.secret_key = self.keys()
        self.processes: list[Guarded] = []

    @classmethod
    @abstractmethod
    def missing(cls) -> str:
        """Why it cannot run on this machine; empty: it can."""

    @abstractmethod
    def keys(self) -> tuple[str, str]:
        """Access key and secret key that it shall know."""

    @abstractmethod
    def prepare(self) -> None:
        """Write what it reads when it starts; called before every start."""

    @abstractmethod
    def launch(self) -> None:
        """Start its processes through `run`."""

    @classmethod
    def installed(cls) -> bool:
        return not cls.missing()

    @property
    def endpoint(self) -> str:
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def access(self) -> Access:
        ca_file = str(self.certificate.certificate) if self.certificate else None
        return Access(self.name, self.endpoint, self.access_key, self.secret_key, ca_file)

    def boto3_client(self, attempts: int = 1, **options: Any) -> Any:
        return self.access.boto3_client(attempts, **options)

    def make_bucket(self, prefix: str = "test") -> str:
        return self.access.make_bucket(prefix)

    def start(self) -> Self:
        """Start and wait until it serves."""
        assert not self.processes, f"{self.name} is running"
        assert not self.missing(), self.missing()
        # Of one that was just killed the port may be taken for another moment.
        until(lambda: is_free(self.port), f"port {self.port} of {self.name}")
        try:
            self.prepare()
            self.launch()
            self.wait(self.is_ready, f"{self.name} is ready")
        except BaseException:
            self.kill()
            raise
        return self

    def run(self, name: str, command: Sequence[str | Path], env: dict[str, str]) -> Guarded:
        """Start one process of the server."""
        process = Guarded(name, command, self.folder, env)
        self.processes.append(process)
        return process

    def wait(self, question: Callable[[], object], what: str) -> None:
        """Until the answer is true. AssertionError, with what was said last, if a process ends before."""
        until(lambda: question() or self._ended(), what, self.deadline_s)
        ended = self._ended()
        assert not ended, f"not true: {what}\n" + "\n".join(process.last_words for process in ended)

    def is_ready(self) -> bool:
        """Whether it answers HTTP (or HTTPS) at its own path with anything but an error of its own."""
        connection = self._connection()
        try:
            connection.request("GET", self.ready_path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL to everything."""
        for process in self.processes:
            process.kill()
        self.processes.clear()

    stop = kill
    """There is no gentler way: nothing here has anything to lose."""

    def restart(self) -> Self:
        """Kill and start again on the same port."""
        self.kill()
        return self.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _connection(self) -> http.client.HTTPConnection:
        if self.certificate is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        trust = ssl.create_default_context(cafile=str(self.certificate.certificate))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=2, context=trust)

    def _ended(self) -> list[Guarded]:
        return [process for process in self.processes if not process.running]
