"""Restoring a 0.3 backup takes the same memory for a large database, and a large WAL, as for small ones."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import lz4.frame
import pytest

from litestreamd.v3.names import SegmentName, SnapshotName
from litestreamd.wal.checksum import checksum, stored
from litestreamd.wal.header import new_header
from tests.faults.test_restore_memory import RESTORE
from tests.support.programs import TREE, environment
from tests.support.v3_writer import GENERATION, START_NS, store

PAGE = 4096
SNAPSHOT_PAGES, WAL_PAGES = 65536, 12288
MOST = 80 << 20
FILLER = b"".join(byte.to_bytes(2) for byte in range(0, 65536, 37))


def pages(count: int, sparse: bool) -> Iterator[bytes]:
    """Hard to compress, or 255 to 1."""
    first = bytearray(PAGE)
    first[16:18] = PAGE.to_bytes(2)
    yield bytes(first)
    for number in range(2, count + 1):
        yield (number.to_bytes(4) + (b"" if sparse else FILLER[number % 100 :])).ljust(PAGE, b"\0")[:PAGE]


def wal(sparse: bool) -> Iterator[bytes]:
    """One transaction."""
    header = new_header(False, PAGE, 0, b"saltsalt")
    yield header.encode()
    sums = header.checksum
    for number, page in enumerate(pages(WAL_PAGES, sparse), 1):
        start = number.to_bytes(4) + (WAL_PAGES if number == WAL_PAGES else 0).to_bytes(4)
        sums = checksum(start + page, False, sums)
        yield start + b"saltsalt" + stored(sums) + page


def pack(parts: Iterator[bytes]) -> bytes:
    with lz4.frame.LZ4FrameCompressor(
        block_linked=False, block_size=lz4.frame.BLOCKSIZE_MAX4MB, content_checksum=True
    ) as compressor:
        return b"".join([compressor.begin(), *map(compressor.compress, parts), compressor.flush()])


@pytest.mark.parametrize("sparse", [True, False])
def test_memory_does_not_grow(tmp_path: Path, sparse: bool) -> None:
    store(tmp_path / "replica", SnapshotName(GENERATION, 0), pack(pages(SNAPSHOT_PAGES, sparse)), START_NS)
    store(tmp_path / "replica", SegmentName(GENERATION, 0, 0), pack(wal(sparse)), START_NS)
    command = [sys.executable, "-c", RESTORE, str(tmp_path / "replica"), str(tmp_path / "out.db")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TREE, env=environment(), check=True)
    size, proven, peak = done.stdout.split()
    assert (int(size), proven) == (PAGE * WAL_PAGES, "False")
    assert int(peak) < MOST, f"{int(peak) >> 20} MiB"
