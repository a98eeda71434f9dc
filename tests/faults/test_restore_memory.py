"""Restoring takes the same memory for a large database as for a small one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics.checksum import page_checksum, rolling
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import ObjectName
from litestreamd.ltx.pages import compress_page
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.programs import TREE, environment

PAGE, COUNT = 4096, 65536
MOST = 100 << 20

# Its own process, and VmHWM: the ru_maxrss of a child begins with what its parent had when it was started.
RESTORE = """
import re, sys
from pathlib import Path
from litestreamd.jobs.restore import Integrity
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.restoring import restored
replica = FolderReplica(Path(sys.argv[1]), "file")
done = restored(replica, Path(sys.argv[2]), parallelism=8, integrity=Integrity.NONE)
peak = re.search(r"VmHWM:\\s+([0-9]+) kB", Path("/proc/self/status").read_text())
print(done.size, done.proven, int(peak[1]) * 1024)
"""


def pages(sparse: bool) -> Iterator[tuple[int, bytes]]:
    """A quarter of a GiB: hard to compress, or 255 to 1."""
    filler = b"" if sparse else b"".join(byte.to_bytes(2) for byte in range(0, 65536, 37))
    for number in range(1, COUNT + 1):
        yield number, (number.to_bytes(4) + filler[number % 100 :]).ljust(PAGE, b"\0")[:PAGE]


def body(header: Header, sparse: bool) -> Iterator[bytes]:
    """The snapshot, as it is made."""
    parts: list[bytes] = []
    encoder = Encoder(header, parts.append)
    for page in pages(sparse):
        encoder.add([page])
        yield from parts
        parts.clear()
    encoder.finish()
    yield from parts


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
def test_memory_does_not_grow_with_the_database(tmp_path: Path, proven: bool, sparse: bool) -> None:
    after = rolling(page_checksum(number, page) for number, page in pages(sparse))
    header = Header(PAGE, COUNT, 1, 1, 1, proof=Proof(1 << 63, after) if proven else None)
    FolderReplica(tmp_path / "replica", "file").create(ObjectName(9, 1, 1), body(header, sparse), 1)
    command = [sys.executable, "-c", RESTORE, str(tmp_path / "replica"), str(tmp_path / "out.db")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TREE, env=environment(), check=True)
    size, was_proven, peak = done.stdout.split()
    assert (int(size), was_proven) == (PAGE * COUNT, str(proven))
    assert int(peak) < MOST


MANY = 1_000_000
MOST_FOR_MANY = 48 << 20


def equal_pages(header: Header, image: bytes) -> Iterator[bytes]:
    """A snapshot of one page, many times: cheap to make, and its page index is as long as any."""
    parts: list[bytes] = []
    encoder, block = Encoder(header, parts.append), compress_page(image)
    for first in range(1, header.commit + 1, 250):
        encoder.add_frames(range(first, first + 250), [block] * 250, [image] * 250)
        yield from parts
        parts.clear()
    encoder.finish()
    yield from parts


@pytest.mark.parametrize("proven", [True, False])
def test_memory_does_not_grow_with_the_number_of_pages(tmp_path: Path, proven: bool) -> None:
    """Columns of a page index take 16 bytes a page, so a hundred times as many would take 1.6 GB."""
    image = b"page".ljust(512, b"\0")
    after = rolling(page_checksum(number, image) for number in range(1, MANY + 1)) if proven else 0
    header = Header(512, MANY, 1, 1, 1, proof=Proof(1 << 63, after) if proven else None)
    FolderReplica(tmp_path / "replica", "file").create(ObjectName(9, 1, 1), equal_pages(header, image), 1)
    command = [sys.executable, "-c", RESTORE, str(tmp_path / "replica"), str(tmp_path / "out.db")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TREE, env=environment(), check=True)
    size, was_proven, peak = done.stdout.split()
    assert (int(size), was_proven) == (512 * MANY, str(proven))
    assert int(peak) < MOST_FOR_MANY
