"""Ports of the loopback interface for the servers of a test.

In: how many. Out: ports that are free now, outside the range from which the kernel takes ports of outgoing
connections: while a server is down nobody gets its port by accident, nor can a client that knocks there be connected
to itself.
"""

import random
import socket
from pathlib import Path

LOWEST, HIGHEST = 10_000, 32_767
CHANCE = random.SystemRandom()
"""Not the module's own generator: tests seed that one, and would then all ask for the same port."""


def free_port() -> int:
    """One port."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many ports in a row."""
    for _ in range(1000):
        first = CHANCE.randrange(LOWEST, _end() - count)
        if all(map(is_free, range(first, first + count))):
            return first
    raise AssertionError(f"no {count} free ports in a row on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen there; connections of the last one that still fade away do not count."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _end() -> int:
    """Where the kernel's own range begins, if it leaves room below."""
    own = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return own if own >= LOWEST + 1000 else HIGHEST
