"""Names and kinds of files that nobody expects where they are."""

import os
from pathlib import Path

import pytest

from litestreamd.basics.errors import UsageError
from litestreamd.config.places import database_path
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created
from tests.support.driving import Drive
from tests.support.live import create


def test_named_pipes_in_a_replica_hold_nobody(tmp_path: Path) -> None:
    """Opening one for reading waits for a writer: for ever, SIGTERM or not."""
    path, root = tmp_path / "app.db", tmp_path / "replica"
    create(path)
    pipes = [
        root / "litestreamd" / "writers" / f"{7:016x}.json",
        root / "ltx" / "0" / f"{1:016x}-{1:016x}.ltx",
        root / "ltx" / "0" / f"{2:016x}-{2:016x}.ltx.{3:016x}.tmp",
    ]
    for pipe in pipes:
        pipe.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(pipe)
        os.utime(pipe, (0, 0))  # old enough to be swept
    drive = Drive(path, root).settle().elapse(5)
    assert drive.stop().behind == ()
    assert FolderReplica(root, "again").create(ObjectName(0, 9, 9), [b"x"], 1) is Created.CREATED


def test_a_database_path_that_is_not_utf8_is_refused_in_a_sentence() -> None:
    """SQLite's interface takes text only; found in a worker thread it was the end of all databases."""
    with pytest.raises(UsageError, match="UTF-8"):
        database_path(os.fsdecode(b"/data/\xff.db"), {})
