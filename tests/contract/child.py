"""Another process at the same place: run as `python -m tests.contract.child KIND WHERE ACTION ARGUMENT`.

It says `ready`, waits for a line on stdin, acts, and prints one line for each thing done.
"""

import sys
from collections.abc import Iterator

from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import Replica
from litestreamd.replica.writers import Writer, open_epoch
from tests.contract.places import place

RACED = [ObjectName(0, txid, txid) for txid in range(1, 41)]
HUNG = ObjectName(9, 1, 1)


def race(replica: Replica, tag: str) -> None:
    """Create every name with a body of ours."""
    for name in RACED:
        say(replica.create(name, [tag.encode()] * 1000, 1_750_000_000_000).value)


def epochs(replica: Replica, tag: str) -> None:
    """Open twenty writer epochs."""
    for start in range(20):
        say(str(open_epoch(replica, Writer(1, "machine", "host", tag, start, 0))))


def hang(replica: Replica, tag: str) -> None:
    """Stop for ever in the middle of a body."""

    def body() -> Iterator[bytes]:
        yield tag.encode() * (1 << 20)
        say("half")
        sys.stdin.readline()

    replica.create(HUNG, body(), 1_750_000_000_000)


def say(word: str) -> None:
    """One line, at once."""
    print(word, flush=True)


if __name__ == "__main__":
    kind, where, action, argument = sys.argv[1:]
    mine = place(kind, where).replica()
    say("ready")
    sys.stdin.readline()
    {"race": race, "epochs": epochs, "hang": hang}[action](mine, argument)
