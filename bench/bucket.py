"""The ground under measurements over S3: one local server for both programs, each behind a proxy that counts.

In: a Ground. Out: running replicators on roots in a bucket of their own; the proxy's record of every request.
The server (MiniStack) is one process in Python on the same two cores: absolute times include it, for both alike.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.ground import LONG_S, Ground
from tests.support.bucket_root import BucketRoot
from tests.support.fault_proxy import FaultProxy
from tests.support.programs import LITESTREAM, Program
from tests.support.replicator import Protected, Replicator
from tests.support.s3_requests import Operation, Seen
from tests.support.s3_servers import shared

MARK = "MARK%012d"


@dataclass(frozen=True, slots=True)
class Stage:
    """A program at work on a bucket."""

    proxy: FaultProxy
    root: BucketRoot
    replicator: Replicator
    path: Path

    def wait_image(self) -> None:
        """Until the whole database is in the bucket: Litestream's first image is level 0, ours a snapshot."""
        level = 0 if self.replicator.program is LITESTREAM else 9
        found = lambda: any(each.min_txid == 1 for each in self.root.objects((level,)))  # noqa: E731
        self.replicator.wait(found, "a full image", LONG_S)


@contextmanager
def stage(
    ground: Ground, program: Program, name: str, size: int, top: Mapping[str, object] | None = None
) -> Iterator[Stage]:
    """A copy of the sample of this size, and the program, not started, with its defaults and what `top` says."""
    folder = ground.place(f"{name}-{program.name}")
    path = ground.database(folder, size)
    server = shared("ministack")
    with FaultProxy(server.access) as proxy:
        root = BucketRoot(proxy.access, server.make_bucket("bench"), direct=server.access)
        with Replicator(program, folder, [Protected(path, (root,))], top=top) as replicator:
            yield Stage(proxy, root, replicator, path)


def uploads(proxy: FaultProxy) -> list[Seen]:
    """Level-0 objects that were stored, in order."""
    return [seen for seen in proxy.requests(Operation.PUT) if "/0000/" in seen.target and seen.status == 200]
