"""Laws of LTX files: what goes in comes out, and nothing else ever does."""

import io
import random
from collections.abc import Callable
from functools import partial
from itertools import accumulate, pairwise

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from litestreamd.basics.checksum import FLAG, lock_page
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.errors import LtxError
from litestreamd.ltx.header import Header, Proof, decode_header
from litestreamd.ltx.index import TAIL_SIZE, locate_index, parse_index
from litestreamd.ltx.names import ObjectName, parse_file_name
from litestreamd.ltx.trailer import Trailer
from litestreamd.ltx.varint import decode_column, encode_column, encode_varint, split_varints
from tests.support.ltx_reading import decode
from tests.support.ltx_writer import Frame, block_frame, old_frame, raw_file, varint

laws = partial(settings, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
u32, u64 = st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 64) - 1)
checksums = st.integers(FLAG, (1 << 64) - 1)
Maker = Callable[[int, bytes], Frame]
MAKERS: tuple[Maker, ...] = (block_frame, old_frame)
page_sizes = st.sampled_from([1 << bit for bit in range(9, 17)])


@st.composite
def headers(draw: st.DrawFn, snapshot: bool | None = None, commit: int | None = None) -> Header:
    low = 1 if snapshot else draw(st.integers(2 if snapshot is False else 1, (1 << 64) - 1))
    with_wal = draw(st.booleans())
    return Header(
        page_size=draw(page_sizes),
        commit=commit or draw(st.integers(1, (1 << 32) - 1)),
        min_txid=low,
        max_txid=draw(st.integers(low, (1 << 64) - 1)),
        timestamp_ms=draw(st.integers(-(1 << 63), (1 << 63) - 1)),
        wal_offset=draw(st.integers(1, (1 << 63) - 1)) if with_wal else 0,
        wal_size=draw(st.integers(0, (1 << 63) - 1)) if with_wal else 0,
        salt1=draw(u32) if with_wal else 0,
        salt2=draw(u32) if with_wal else 0,
        node_id=draw(u64),
        proof=draw(st.none() | st.builds(Proof, checksums, checksums)),
    )


@st.composite
def images(draw: st.DrawFn, page_size: int) -> bytes:
    """Zeros, a short pattern, noise, or half noise: what compresses well, badly, and not at all."""
    pattern = draw(st.binary(min_size=1, max_size=24))
    noise = random.Random(draw(st.integers(0, 1 << 16))).randbytes(
        draw(st.sampled_from([0, page_size // 2, page_size]))
    )
    return (noise + pattern * (page_size // len(pattern) + 1))[:page_size]


@st.composite
def files(draw: st.DrawFn) -> tuple[Header, list[tuple[int, bytes]]]:
    """A sparse file (also around the lock page and at the highest numbers) or a small snapshot."""
    snapshot = draw(st.booleans())
    header = draw(headers(snapshot=snapshot, commit=draw(st.integers(1, 6)) if snapshot else None))
    lock = lock_page(header.page_size)
    if snapshot:
        numbers = list(range(1, header.commit + 1))
    else:
        near_lock = st.integers(min(max(1, lock - 3), header.commit), min(lock + 3, header.commit))
        anywhere = st.integers(1, header.commit) | st.integers(max(1, header.commit - 3), header.commit) | near_lock
        numbers = sorted(draw(st.sets(anywhere, max_size=8)) - {lock})
    return header, [(number, draw(images(header.page_size))) for number in numbers]


def encode(header: Header, pages: list[tuple[int, bytes]]) -> bytes:
    out = io.BytesIO()
    encoder = Encoder(header, out.write)
    encoder.add(pages)
    encoder.finish()
    return out.getvalue()


@given(headers())
def test_a_header_is_what_it_says(header: Header) -> None:
    assert decode_header(header.encode()) == header


@given(st.binary(min_size=96, max_size=110), st.booleans())
def test_any_bytes_are_a_header_or_an_error(data: bytes, magic: bool) -> None:
    try:
        header = decode_header(b"LTX1" + data if magic else data)
    except LtxError:
        return
    assert decode_header(header.encode()) == header


@given(st.integers(0, 9), u64, u64)
def test_a_name_is_what_it_says(level: int, low: int, high: int) -> None:
    name = ObjectName(level, low, high)
    assert parse_file_name(level, name.file_name) == name


@laws(max_examples=150)
@given(files(), st.lists(st.integers(1, 3000), max_size=8), st.data())
def test_decoding_undoes_encoding(
    file: tuple[Header, list[tuple[int, bytes]]], cuts: list[int], data: st.DataObject
) -> None:
    header, pages = file
    encoded = encode(header, pages)
    bounds = [0, *(cut for cut in accumulate(cuts) if cut < len(encoded)), len(encoded)]
    chunks = [encoded[start:end] for start, end in pairwise(bounds)]
    events = list(read_pages(chunks))
    assert events[0] == header
    assert [page for event in events if isinstance(event, Pages) for page in event.pages] == pages
    assert events[-1] == Trailer(0, int.from_bytes(encoded[-8:]))
    offset, length = locate_index(encoded[-TAIL_SIZE:], len(encoded))
    assert list(parse_index(encoded[offset : offset + length], offset, header).numbers) == [n for n, _ in pages]


@laws(max_examples=80)
@given(files())
def test_the_encoder_writes_the_book(file: tuple[Header, list[tuple[int, bytes]]]) -> None:
    header, pages = file
    assert encode(header, pages) == raw_file(header.encode(), [block_frame(*page) for page in pages])


@laws(max_examples=80)
@given(files(), st.data())
def test_encodings_may_be_mixed(file: tuple[Header, list[tuple[int, bytes]]], data: st.DataObject) -> None:
    header, pages = file
    makers = [data.draw(st.sampled_from(MAKERS)) for _ in pages]
    encoded = raw_file(header.encode(), [make(*page) for make, page in zip(makers, pages, strict=True)])
    assert decode(encoded, data.draw(st.integers(1, 5000))).pages == pages


@laws(max_examples=200)
@given(files(), st.data())
def test_damage_is_noticed(file: tuple[Header, list[tuple[int, bytes]]], data: st.DataObject) -> None:
    """Bytes overwritten, inserted or taken out anywhere: an LtxError, or the same content."""
    encoded = encode(*file)
    place = data.draw(st.integers(0, len(encoded)))
    removed, inserted = data.draw(st.integers(0, 40)), data.draw(st.binary(max_size=40))
    try:
        content = decode(encoded[:place] + inserted + encoded[place + removed :])
    except LtxError:
        return
    assert (content.header, content.pages) == file


@laws(max_examples=200)
@given(headers(), st.binary(max_size=400))
@example(Header(512, 1, 1, 1, 0), bytes(6) + b"\0" + (1).to_bytes(8) + bytes(16))
def test_any_bytes_after_a_header_are_an_error_or_a_file(header: Header, rest: bytes) -> None:
    try:
        decode(header.encode() + rest)
    except LtxError:
        return


@given(st.lists(st.integers(0, (1 << 70) - 1), max_size=40))
def test_varints_are_what_they_say(values: list[int]) -> None:
    encoded = list(map(encode_varint, values))
    assert encoded == list(map(varint, values))
    assert split_varints(b"".join(encoded)) == encoded


@given(st.lists(u32, min_size=1, max_size=400))
def test_columns_are_what_they_say(values: list[int]) -> None:
    encoded = list(encode_column(values, min(values), max(values)))
    assert encoded == list(map(varint, values))
    assert decode_column(encoded) == values
