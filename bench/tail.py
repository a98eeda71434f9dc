"""A replica with a long tail: a full image, and after it one level-0 object for each of many transactions.

Written by Litestream itself, so that both programs have the same objects before them; its levels are kept from running
meanwhile. Our own writer adds the database checksums to each header (the LSD1 proof): `proven` is the same replica as
we would have written it, block for block.

In: the ground. Out: folders and configurations. Promised: the application's connection stays open between Litestream's
end and its next start, so that it goes on in the same WAL and has nothing to do then but to compact.
"""

import random
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bench.ground import LONG_S, MIB, Ground
from litestreamd.basics.checksum import FLAG, page_checksum
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from tests.support import folder_listing
from tests.support.programs import LITESTREAM
from tests.support.replicator import Protected, Replicator

OBJECTS = 127
"""Of the tail: as many as one merge takes, with the image before them."""

QUIET = {"l0-retention": "240h", "snapshot": {"interval": "2400h", "retention": "24000h"}}
FIRST = ObjectName(0, 1, 1)


class Tail:
    """Made once for a run of the bench."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.folder = ground.place("tail")
        self.path = ground.database(self.folder, ground.size)
        self.root = self.folder / "replica"
        self._application = sqlite3.connect(self.path, isolation_level=None, timeout=60)
        self._write()

    def litestream(self, levels: list[Mapping[str, object]]) -> Replicator:
        database = Protected(self.path, (self.root,), {"monitor-interval": "10ms"})
        options = {"sync-interval": "10ms"}
        return Replicator(LITESTREAM, self.folder, [database], options, {"levels": levels, **QUIET})

    def close(self) -> None:
        self._application.close()
        shutil.rmtree(self.folder)

    def _write(self) -> None:
        self.ground.say(f"a tail of {OBJECTS} objects")
        pages = self.ground.size // MIB * 2
        with self.litestream([{"interval": "2400h"}]) as litestream:
            litestream.start().wait(lambda: bool(folder_listing.objects(self.root, (SNAPSHOT_LEVEL,))), "image", LONG_S)
            litestream.wait(lambda: bool(folder_listing.objects(self.root, (0,))), "level 0", LONG_S)
            self._change(litestream, pages)
            litestream.stop_clean(LONG_S)

    def _change(self, litestream: Replicator, pages: int) -> None:
        chance, db = random.Random(3), self._application
        db.execute("PRAGMA synchronous=OFF")
        last = db.execute("SELECT max(id) FROM t").fetchone()[0]
        while (head := folder_listing.head(self.root)) <= OBJECTS:
            db.execute("BEGIN IMMEDIATE")
            chosen = ((chance.randbytes(100), chance.randint(1, last)) for _ in range(pages))
            db.executemany("UPDATE t SET b = ? WHERE id = ?", chosen)
            db.execute("COMMIT")
            litestream.wait_head(head + 1, LONG_S)


_made: dict[Ground, Tail] = {}


def tail(ground: Ground) -> Tail:
    if ground not in _made:
        _made[ground] = Tail(ground)
    return _made[ground]


def proven(tail: Tail) -> Path:
    """The image and the tail with database checksums: the root of the copy."""
    root = tail.ground.place("tail-proven") / "replica"
    source, target = FolderReplica(tail.root, "source"), FolderReplica(root, "target")
    checksums: dict[int, int] = {}
    state = FLAG
    for stored in sorted(source.list(0), key=lambda each: each.name):
        before, commit = state, 0
        for event in read_pages(source.open(stored.name)):
            if isinstance(event, Header):
                commit = event.commit
            elif isinstance(event, Pages):
                for number, image in event.pages:
                    checksum = page_checksum(number, image)
                    state ^= checksums.get(number, 0) ^ checksum
                    checksums[number] = checksum
        for number in [each for each in checksums if each > commit]:
            state ^= checksums.pop(number)
        state |= FLAG
        level = SNAPSHOT_LEVEL if stored.name == FIRST else 0
        name = replace(stored.name, level=level)
        target.create(name, _with_proof(source, stored.name, Proof(before, state)), stored.created_ms)
    return root


def _with_proof(source: FolderReplica, name: ObjectName, proof: Proof) -> Iterator[bytes]:
    pieces: list[bytes] = []
    encoder: Encoder | None = None
    for event in read_pages(source.open(name)):
        if isinstance(event, Header):
            encoder = Encoder(replace(event, proof=proof), pieces.append)
        elif isinstance(event, Pages) and encoder:
            encoder.add_frames(event.numbers, event.blocks, event.images)
        yield b"".join(pieces)
        pieces.clear()
    assert encoder
    encoder.finish()
    yield b"".join(pieces)
