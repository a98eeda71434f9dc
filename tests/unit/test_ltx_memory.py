"""A gibibyte of pages goes through the encoder, and through the decoder, in a few megabytes of memory; and what 128
objects hold becomes one within the budget of a merge."""

import io
import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from litestreamd.jobs.compact import BUDGET, Compaction, Input
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.encoder import Encoder
from litestreamd.ltx.header import Header
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import CHUNK

LIMIT = 16 << 20


def header(page_size: int) -> Header:
    """A snapshot of exactly 1 GiB: its last page is the one before the lock page."""
    return Header(page_size=page_size, commit=(1 << 30) // page_size, min_txid=1, max_txid=1, timestamp_ms=0)


def synthetic_pages(page_size: int) -> Iterator[tuple[int, bytes]]:
    """All different, quick to make and to compress."""
    rest = bytes(page_size - 8)
    for number in range(1, (1 << 30) // page_size + 1):
        yield number, number.to_bytes(8) + rest


@contextmanager
def at_most(limit: int) -> Iterator[None]:
    """Fails when more than `limit` bytes are held at any moment."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def test_encoding() -> None:
    with at_most(LIMIT):
        encoder = Encoder(header(4096), lambda _: None)
        encoder.add(synthetic_pages(4096))
        assert encoder.finish().pages == 262144


def test_decoding() -> None:
    out = io.BytesIO()
    encoder = Encoder(header(16384), out.write)
    encoder.add(synthetic_pages(16384))
    encoder.finish()
    data = out.getvalue()
    with at_most(LIMIT):
        chunks = (data[start : start + (1 << 20)] for start in range(0, len(data), 1 << 20))
        batches = (event.pages for event in read_pages(chunks) if isinstance(event, Pages))
        assert sum(map(len, batches)) == 65536


INPUTS = 128


def inputs(page_size: int, apart: int) -> list[Input]:
    """Objects of 1 MiB of noise. `apart`: they have every so manieth page, each other ones."""
    noise = random.Random(page_size).randbytes((1 << 20) + INPUTS)
    made = []
    for age in range(INPUTS):
        out = io.BytesIO()
        count = (1 << 20) // page_size
        encoder = Encoder(Header(page_size, count * apart, age + 2, age + 2, 0), out.write)
        starts = range(age, age + count * page_size, page_size)
        encoder.add((1 + n * apart + age % apart, noise[at : at + page_size]) for n, at in enumerate(starts))
        encoder.finish()
        data = out.getvalue()

        def read(data: bytes = data) -> Iterator[bytes]:
            for start in range(0, len(data), CHUNK):
                yield bytes(bytearray(data[start : start + CHUNK]))

        made.append(Input(ObjectName(0, age + 2, age + 2), len(data), read))
    return made


@pytest.mark.parametrize(("page_size", "apart"), [(512, INPUTS), (4096, 1), (4096, INPUTS), (65536, INPUTS)])
def test_merging(page_size: int, apart: int) -> None:
    made = inputs(page_size, apart)
    indexes = 10 * 2 * INPUTS * ((1 << 20) // page_size)
    with at_most(BUDGET + indexes):
        size = sum(map(len, Compaction(made).body()))
    assert size > (1 << 20) * apart
