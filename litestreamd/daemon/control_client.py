"""Asking a running daemon through its control socket (daemon/control.py).

In: the socket's path, a request. Out: status and the JSON of the answer.
Promised: it ends by its deadline; what goes wrong is an error of the tree that names the socket.
"""

import http.client
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestreamd.basics.errors import BusyError, EnvironmentFault, RightsError

LARGEST_ANSWER = 64 << 20


class NotRunning(EnvironmentFault):
    """Nobody listens there."""


class _Socket(socket.socket):
    """One deadline for all that is heard: a daemon that says a byte now and then does not move it."""

    def __init__(self, timeout_s: float) -> None:
        super().__init__(socket.AF_UNIX, socket.SOCK_STREAM)
        self.settimeout(timeout_s)
        self._end = time.monotonic() + timeout_s

    def recv_into(self, *given: Any) -> int:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.settimeout(left)
        return super().recv_into(*given)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = str(path)
        self._timeout_s = timeout_s

    def connect(self) -> None:
        self.sock = _Socket(self._timeout_s)
        self.sock.connect(self._path)


def ask(
    path: Path,
    method: str,
    route: str,
    body: Mapping[str, Any] | None = None,
    timeout_s: float = 10.0,
    largest: int = LARGEST_ANSWER,
) -> tuple[int, dict[str, Any]]:
    """One request. Raises NotRunning, RightsError, BusyError (no answer in time, or too many ask), EnvironmentFault (no
    sense in it, or more than `largest` bytes)."""
    connection = _Connection(path, timeout_s)
    try:
        connection.request(method, route, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        told = json.loads(answer.read(largest))
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NotRunning(f"no daemon listens on {path}: is it running?") from None
    except PermissionError:
        raise RightsError(f"the control socket {path} may not be used by this user (group litestreamd may)") from None
    except BlockingIOError:
        raise BusyError(f"the daemon on {path} lets nobody in: it hangs, or too many ask at once") from None
    except TimeoutError:
        raise BusyError(f"the daemon on {path} did not answer within {timeout_s:g} s") from None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise EnvironmentFault(f"the daemon on {path} gave no sensible answer: {error}") from error
    finally:
        connection.close()
    if not isinstance(told, dict):
        raise EnvironmentFault(f"the daemon on {path} gave no sensible answer: not an object of JSON")
    return answer.status, told
