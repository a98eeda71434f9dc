"""Sockets that listen: those that systemd has handed over (sd_listen_fds(3)), or one of our own.

In: the environment, an address. Out: sockets that listen.
"""

import os
import socket

from litestreamd.basics.errors import UsageError

FIRST = 3


def of_environment() -> list[int]:
    """sd_listen_fds(3). Variables that are not for this process, or make no sense, are nobody's fault."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = os.environ.get("LISTEN_FDS", "0")
    return list(range(FIRST, FIRST + int(count))) if count.isascii() and count.isdigit() else []


try:
    from systemd.daemon import listen_fds
except ImportError:
    listen_fds = of_environment


def handed_over() -> list[socket.socket]:
    """Those of systemd, in no order that means anything. Their names do not matter: whoever connects to any of them
    wants the same. Raises UsageError for what is no such socket."""
    found = [socket.socket(fileno=descriptor) for descriptor in listen_fds()]
    for each in found:
        if not each.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise UsageError("systemd has handed over a socket that does not listen: ListenStream= and Accept=no do")
    return found


def listen(host: str, port: int) -> socket.socket:
    """A socket of our own. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)
