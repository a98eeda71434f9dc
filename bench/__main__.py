"""`python -m bench [MEASURE ...]`, see MEASURES: one table, both programs, one run.

Out: the table on stdout, progress on stderr; exit 1 when a target is missed. All files live in a temporary folder.
"""

import argparse
import tempfile
from pathlib import Path

from bench import (
    measure_changes,
    measure_compaction,
    measure_delay,
    measure_idle,
    measure_image,
    measure_offline,
    measure_restore,
    measure_s3_changes,
    measure_s3_delay,
    measure_s3_requests,
    measure_s3_restore,
    measure_tail,
    measure_throughput,
)
from bench.figures import Figure, table
from bench.ground import Ground

MEASURES = {
    "delay": measure_delay.measure,
    "image": measure_image.measure,
    "restore": measure_restore.measure,
    "throughput": measure_throughput.measure,
    "changes": measure_changes.measure,
    "idle": measure_idle.measure,
    "offline": measure_offline.measure,
    "compaction": measure_compaction.measure,
    "tail": measure_tail.measure,
    "s3-delay": measure_s3_delay.measure,
    "s3-restore": measure_s3_restore.measure,
    "s3-changes": measure_s3_changes.measure,
    "s3-requests": measure_s3_requests.measure,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="litestreamd beside Litestream 0.5.17")
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"any of: {', '.join(MEASURES)} (default: all)")
    parser.add_argument("--size-mib", type=int, default=1024, help="of a large database (default 1024)")
    parser.add_argument("--idle-s", type=float, default=60.0, help="seconds to watch an idle program (default 60)")
    parser.add_argument("--repetitions", type=int, default=5, help="of the throughput runs (default 5)")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    given = parser.parse_args()
    unknown = set(given.measures) - set(MEASURES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return given


def main() -> int:
    given = arguments()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as name:
        ground = Ground(Path(name), given.size_mib, given.idle_s, given.repetitions)
        for measure in given.measures or MEASURES:
            figures += MEASURES[measure](ground)
    print(table(figures))
    return 0 if all(figure.met for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
