"""Every LTX file of the real Litestream, decoded, written again, and folded into the databases it restored."""

import hashlib
import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.errors import ChecksumMismatch, LtxError, Malformed, Unsupported
from litestreamd.ltx.index import TAIL_SIZE, PageIndex, locate_index, parse_index
from litestreamd.ltx.merge import merged_header
from litestreamd.ltx.names import parse_file_name
from tests.support import vectors
from tests.support.ltx_reading import Content, decode, merged_pages

FILES = {str(path.relative_to(vectors.ROOT)): path for path in vectors.ltx_files()}
BLOCK_FILES = {name: path for name, path in FILES.items() if path.read_bytes()[104:106] == b"\0\1"}
RESTORES = [
    pytest.param(name, restore, id=f"{name}-{number}")
    for name in vectors.names("v5-")
    for number, restore in enumerate(vectors.manifest(name)["restores"])
    if "plan" in restore
]
REFUSED = {
    "bad-file-checksum": ChecksumMismatch,
    "post-apply-set": Malformed,
    "magic-LTX2": Malformed,
    "page-flag-2": Unsupported,
    "missing-page-3": Malformed,
}


def read_index(data: bytes, content: Content) -> PageIndex:
    offset, length = locate_index(data[-TAIL_SIZE:], len(data))
    return parse_index(data[offset : offset + length], offset, content.header)


def image_of(contents: list[Content]) -> bytes:
    """The database that these files come to, oldest first."""
    header = merged_header([content.header for content in contents])
    pages = dict(merged_pages([content.pages for content in contents], header.commit))
    assert list(pages) == list(range(1, header.commit + 1))
    return b"".join(pages.values())


@pytest.fixture(params=FILES)
def data(request: pytest.FixtureRequest) -> bytes:
    return FILES[request.param].read_bytes()


def test_single_bytes_come_to_the_same(data: bytes) -> None:
    assert decode(data, 1) == decode(data)


def test_the_header_written_again_is_the_same(data: bytes) -> None:
    assert decode(data).header.encode() == data[:100]


def test_pages_written_again_are_the_same(data: bytes) -> None:
    content, out = decode(data), io.BytesIO()
    encoder = Encoder(content.header, out.write)
    encoder.add(content.pages)
    encoder.finish()
    assert decode(out.getvalue()).pages == content.pages


def test_the_index_leads_to_each_page(data: bytes) -> None:
    content = decode(data)
    index = read_index(data, content)
    assert list(index.numbers) == [number for number, _ in content.pages]
    for number, offset in zip(index.numbers, index.offsets, strict=True):
        assert int.from_bytes(data[offset : offset + 4]) == number


@pytest.mark.parametrize("path", BLOCK_FILES.values(), ids=BLOCK_FILES)
def test_own_payloads_make_the_same_file(path: Path) -> None:
    data, out = path.read_bytes(), io.BytesIO()
    content = decode(data)
    index = read_index(data, content)
    spans = zip(index.offsets, index.lengths, strict=True)
    blocks = [data[offset + 10 : offset + length] for offset, length in spans]
    encoder = Encoder(content.header, out.write)
    encoder.add_frames([n for n, _ in content.pages], blocks, [image for _, image in content.pages])
    summary = encoder.finish()
    assert out.getvalue() == data
    assert (summary.size, summary.pages) == (len(data), len(content.pages))
    assert summary.file_checksum == content.trailer.file_checksum


def test_both_encodings_are_among_the_vectors() -> None:
    assert 0 < len(BLOCK_FILES) < len(FILES)


@pytest.mark.parametrize(("name", "restore"), RESTORES)
def test_files_fold_into_what_litestream_restored(name: str, restore: dict[str, Any]) -> None:
    replica = vectors.ROOT / name / "replica" / "ltx"
    image = image_of([decode((replica / file).read_bytes()) for file in restore["plan"]])
    assert hashlib.sha256(image).hexdigest() == restore["sha256"]


def levels_of(replica: Path) -> dict[int, list[Path]]:
    return {int(folder.name): sorted(folder.iterdir()) for folder in (replica / "ltx").iterdir()}


@pytest.mark.parametrize("name", vectors.names("v5-"))
def test_compactions_are_what_litestream_made(name: str) -> None:
    levels = levels_of(vectors.ROOT / name / "replica")
    for level in range(1, 9):
        for path in levels.get(level, []):
            whole = decode(path.read_bytes())
            below = [decode(source.read_bytes()) for source in levels[level - 1]]
            span = range(whole.header.min_txid, whole.header.max_txid + 1)
            sources = [
                content for content in below if content.header.min_txid in span and content.header.max_txid in span
            ]
            ranges = [content.header for content in sources]
            if not ranges or ranges[0].min_txid != span[0] or ranges[-1].max_txid != span[-1]:
                continue  # its sources were deleted by retention
            assert all(newer.min_txid == older.max_txid + 1 for older, newer in pairwise(ranges))
            assert merged_header(ranges) == whole.header
            assert merged_pages([content.pages for content in sources], whole.header.commit) == whole.pages


@pytest.mark.parametrize("name", vectors.handmade_cases())
def test_handmade_files(name: str) -> None:
    paths = sorted((vectors.ROOT / "handmade" / name).rglob("*.ltx"))
    assert all(parse_file_name(int(path.parent.name), path.name) for path in paths)
    if name in REFUSED:
        (path,) = paths
        with pytest.raises(REFUSED[name]) as refusal:
            decode(path.read_bytes())
        assert isinstance(refusal.value, LtxError)
        return
    contents = [decode(path.read_bytes()) for path in paths]
    if name == "gap":
        with pytest.raises(Malformed):
            merged_header([content.header for content in contents])
    else:
        assert hashlib.sha256(image_of(contents)).hexdigest() == vectors.handmade_cases()[name]["sha256"]
