"""The keys in a bucket are Litestream's, to the byte: those that the real programs wrote, and no others."""

import pytest

from litestreamd.ltx.names import ObjectName
from litestreamd.replica.s3.keys import Layout
from litestreamd.v3.names import SegmentName, SnapshotName
from tests.support.vectors import manifest

BUCKETS = manifest("s3-objects")
WRITTEN = [(name, item["key"]) for name, bucket in BUCKETS.items() for item in bucket["objects"]]


@pytest.mark.parametrize(("bucket", "key"), WRITTEN)
def test_what_litestream_wrote_is_read_and_named_the_same(bucket: str, key: str) -> None:
    layout = Layout(BUCKETS[bucket]["path"])
    name, old = layout.name(key), layout.old_name(key)
    assert (name is None) != (old is None)
    if name is not None:
        assert layout.key(name) == key
        assert key.startswith(layout.levels(None))
        assert key.startswith(layout.levels(name.level))
    if old is not None:
        assert layout.old_key(old) == key
        assert key.startswith(layout.old)


def test_a_url_without_a_path_has_a_dot() -> None:
    assert Layout(".").key(ObjectName(0, 1, 1)).startswith("./0000/")
    assert Layout(".").old == "generations/"


@pytest.mark.parametrize(
    "key",
    [
        "app/000a/0000000000000001-0000000000000001.ltx",
        "app/0010/0000000000000001-0000000000000001.ltx",
        "app/0/0000000000000001-0000000000000001.ltx",
        "app/00\u0660\u0660/0000000000000001-0000000000000001.ltx",
        "app/0000/0000000000000001-0000000000000001.LTX",
        "app/0000/deeper/0000000000000001-0000000000000001.ltx",
        "app/ltx/0/0000000000000001-0000000000000001.ltx",
        "app/litestreamd/writers/0000000000000001.json",
        "app/0000/",
    ],
)
def test_other_keys_are_no_objects(key: str) -> None:
    assert Layout("app").name(key) is None
    assert Layout("app").old_name(key) is None


@pytest.mark.parametrize("key", ["wal/00000000_00000000.wal.lz4", "snapshots/x/00000000.snapshot.lz4", "readme"])
def test_other_keys_of_a_generation_are_none_of_03(key: str) -> None:
    layout = Layout("app")
    assert layout.old_name(f"app/generations/{key}") is None
    generation = "0123456789abcdef"
    assert layout.old_name(f"app/generations/{generation}/snapshots/00000001.snapshot.lz4") == SnapshotName(
        generation, 1
    )
    assert layout.old_name(f"app/generations/{generation}/wal/00000001_00000020.wal.lz4") == SegmentName(
        generation, 1, 32
    )


def test_what_a_store_is_like_is_no_note() -> None:
    layout = Layout("app")
    assert layout.note(layout.notes(".habits/x-2026-11.json")) is None
    assert layout.note(layout.note_key("writers/1.json")) == "writers/1.json"
