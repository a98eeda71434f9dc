"""One compaction of ours in a process of its own: `python -m bench.compact_once ROOT OUT FIRST LAST`.

Out: seconds, peak memory and bytes read at the replica, on stdout. The level-0 objects of ROOT from TXID FIRST to LAST
become one object of level 1 in OUT.
"""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.processes import peak_memory
from litestreamd.jobs.compact import Compaction, Input
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica


class Counting:
    """Hands out objects and counts their bytes."""

    def __init__(self, replica: FolderReplica) -> None:
        self._replica = replica
        self.read = 0

    def opener(self, name: ObjectName) -> Callable[[], Iterator[bytes]]:
        return lambda: self._open(name)

    def _open(self, name: ObjectName) -> Iterator[bytes]:
        for chunk in self._replica.open(name):
            self.read += len(chunk)
            yield chunk


def main(root: str, out: str, first: str, last: str) -> None:
    replica, target = FolderReplica(Path(root), "from"), FolderReplica(Path(out), "to")
    counting = Counting(replica)
    began = time.monotonic()
    sources = [each for each in replica.list(0) if int(first) <= each.name.min_txid <= int(last)]
    compaction = Compaction([Input(each.name, each.size, counting.opener(each.name)) for each in sources])
    header = compaction.header
    target.create(ObjectName(1, header.min_txid, header.max_txid), compaction.body(), header.timestamp_ms)
    print(time.monotonic() - began, peak_memory(), counting.read)


if __name__ == "__main__":
    main(*sys.argv[1:])
