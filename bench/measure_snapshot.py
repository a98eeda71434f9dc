"""A large database on a disk with little room, its first image, and an application that goes on:

    python -m bench.measure_snapshot --size-mib 3072 --free-mib 200 --pages 500 --commits 50 --patience 120

The database and our state are on a disk of their own (a tmpfs: it takes root) with so much room; the replica is not.
Out: a table on stdout: what the image took, the least room left, the largest WAL, our memory, and the application's
commits before, during and after; whether the image had to wait until the application ended. Exit 1
when the replica is not what the database is, or the disk was ever full.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import sample
from bench.ground import LONG_S, MIB, has_image
from tests.support import images
from tests.support.programs import OURS, environment, restore
from tests.support.replicator import Protected, Replicator
from tests.support.small_disk import BLOCK, SmallDisk, small_disk

ALONE_S, AFTER_S = 8.0, 8.0


@dataclass
class Watch:
    """Extremes, looked for every 20 ms: bytes of the -wal, of free room; peak memory of the replicator."""

    disk: SmallDisk
    wal: Path
    replicator: Replicator
    most_wal: int = 0
    least_free: int = 1 << 62
    peak: int = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(0.02):
                self.most_wal = max(self.most_wal, self.wal.stat().st_size)
                self.least_free = min(self.least_free, self.disk.free_blocks * BLOCK)
                self.peak = max(self.peak, _memory(self.replicator.pid))

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


@contextmanager
def _writer(path: Path, log: Path, pages: float, commits: float) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.steady_writer", str(path), str(log), str(pages), str(commits)]
    process = subprocess.Popen(command, env=environment())
    try:
        yield
        assert process.poll() is None, "the application failed"
    finally:
        process.terminate()
        process.wait()


def _latencies(log: Path, begin: float, end: float) -> str:
    pairs = [tuple(map(float, line.split())) for line in log.read_text().splitlines()]
    times = sorted(1000 * seconds for at, seconds in pairs if begin <= at < end)
    if not times:
        return "no commit"
    at = {share: times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99, 0.999)}
    rate = len(times) / (end - begin)
    return f"{rate:8.0f}/s  p50 {at[0.5]:.2f}  p99 {at[0.99]:.2f}  p99.9 {at[0.999]:.2f}  most {times[-1]:.1f} ms"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.measure_snapshot")
    parser.add_argument("--size-mib", type=int, default=3072, help="of the database")
    parser.add_argument("--free-mib", type=int, default=200, help="room that its disk has beside it")
    parser.add_argument("--pages", type=float, default=500, help="changed per second (per commit with --commits 0)")
    parser.add_argument("--commits", type=float, default=50, help="per second; 0: as fast as the application can")
    parser.add_argument("--patience", type=float, default=LONG_S, help="seconds for the image while it writes")
    parser.add_argument("--folder", type=Path, help="where the replica goes")
    return parser.parse_args()


def main() -> int:
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as name:
        folder = Path(name)
        with small_disk(folder / "disk", (given.size_mib + 2 + given.free_mib) << 10) as disk:
            return _measure(given, folder, disk)


def _measure(given: argparse.Namespace, folder: Path, disk: SmallDisk) -> int:
    path, log = disk.folder / "app.db", folder / "commits"
    sample.create(path, given.size_mib * MIB)
    replicator = Replicator(OURS, folder, [Protected(path, (folder / "replica",))])
    watch = Watch(disk, Path(f"{path}-wal"), replicator)
    with _writer(path, log, given.pages, given.commits):
        time.sleep(ALONE_S)
        begun = time.monotonic()
        with replicator:
            replicator.start()
            with watch.running():
                arrived = _arrives(replicator, given.patience)
                imaged = time.monotonic()
                time.sleep(AFTER_S)
            over = time.monotonic()
            alone = _latencies(log, begun - ALONE_S + 1, begun)
            during, after = _latencies(log, begun, imaged), _latencies(log, imaged, over)
    # The application has ended; what it committed last is still captured.
    with replicator:
        replicator.start()
        _arrives(replicator, LONG_S)
        replicator.stop_clean(LONG_S)
    print(f"{path.stat().st_size / MIB:.0f} MiB, {given.free_mib} MiB free, {given.pages:g} pages/s")
    print(f"image            {f'{imaged - begun:.1f} s' if arrived else 'none while the application wrote'}")
    print(f"least room left  {watch.least_free / MIB:.0f} MiB")
    print(f"largest WAL      {watch.most_wal / MIB:.0f} MiB")
    print(f"peak memory      {watch.peak / MIB:.0f} MiB")
    for what, told in (("alone", alone), ("during the image", during), ("after it", after)):
        print(f"commits {what:18}{told}")
    same = _same(restore(OURS, replicator.root, folder / "restored.db"), path)
    given_up = replicator.log.count("image was given up")
    print(f"restored: {'equal' if same else 'NOT EQUAL'}; log: {given_up} images given up")
    return 0 if same and watch.least_free else 1


def _arrives(replicator: Replicator, seconds: float) -> bool:
    """Whether a full image is there in time."""
    end = time.monotonic() + seconds
    while not has_image(OURS, replicator.root):
        assert replicator.running, replicator.log[-4000:]
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def _same(restored: Path, path: Path) -> bool:
    images.checkpoint(path)
    return subprocess.run(["cmp", str(restored), str(path)], check=False).returncode == 0


if __name__ == "__main__":
    raise SystemExit(main())
