"""(g) Bytes shipped after 100 pages changed while the program was away and the WAL was checkpointed."""

import time

from bench import sample
from bench.figures import Figure, at_most
from bench.ground import LONG_S, MIB, PROGRAMS, Ground
from tests.support import folder_listing
from tests.support.programs import Program

PAGES = 100
MOST = 500 * MIB


def measure(ground: Ground) -> list[Figure]:
    size = min(ground.size, MOST)
    (our_bytes, our_s), (their_bytes, their_s) = (_ship(ground, program, size) for program in PROGRAMS)
    what = f"{PAGES} pages of {size // MIB} MiB changed offline"
    return [
        Figure(f"{what}: shipped", "MiB", our_bytes / MIB, their_bytes / MIB, "< 2 MiB", at_most(2)),
        Figure("  seconds from start to replica", "s", our_s, their_s),
    ]


def _ship(ground: Ground, program: Program, size: int) -> tuple[int, float]:
    folder = ground.place(f"offline-{program.name}")
    path = ground.database(folder, size)
    with ground.started(program, folder, path) as replicator:
        replicator.stop_clean(LONG_S)
        known = {each.path for each in folder_listing.objects(replicator.root)}
        head = folder_listing.head(replicator.root)
        sample.change_pages(path, PAGES)
        ground.say(f"offline: {program.name}")
        began = time.monotonic()
        replicator.start().wait_head(head + 1, LONG_S)
        seconds = time.monotonic() - began
        replicator.stop_clean(LONG_S)
    new = [each for each in folder_listing.objects(replicator.root) if each.path not in known]
    return sum(each.size for each in new), seconds
