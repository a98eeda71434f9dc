"""The header: every field in its place, every rule kept, on the way in and on the way out."""

from dataclasses import replace
from typing import Any

import pytest

from litestreamd.basics.checksum import FLAG
from litestreamd.ltx.errors import LtxError, Malformed, Truncated, Unsupported
from litestreamd.ltx.header import HEADER_SIZE, Header, Proof, decode_header
from tests.support.ltx_writer import raw_header

# LTX file format, "worked example": a real file of Litestream 0.5.17.
REAL = bytes.fromhex(
    "4c545831 00000002 00001000 00000004 0000000000000002 0000000000000002 000001a205ef66ff 0000000000000000"
    "00000000000060b0 0000000000002030 316d2ec5 6b6ed1e0 0000000000000000" + 20 * "00"
)
HEADER = Header(
    page_size=4096,
    commit=4,
    min_txid=2,
    max_txid=2,
    timestamp_ms=0x1A205EF66FF,
    wal_offset=24752,
    wal_size=8240,
    salt1=0x316D2EC5,
    salt2=0x6B6ED1E0,
)


def test_the_worked_example() -> None:
    assert decode_header(REAL) == HEADER
    assert HEADER.encode() == REAL
    assert decode_header(REAL + b"and pages") == HEADER


def test_a_snapshot_starts_at_txid_1() -> None:
    assert not HEADER.is_snapshot
    assert replace(HEADER, min_txid=1).is_snapshot


def test_our_proof_lies_in_the_reserved_bytes() -> None:
    proven = replace(HEADER, proof=Proof(FLAG | 0x1122, FLAG | 0x3344), node_id=77)
    data = proven.encode()
    assert data[72:80] == (77).to_bytes(8)
    assert data[80:] == bytes.fromhex("8000000000001122 8000000000003344") + b"LSD1"
    assert decode_header(data) == proven


def test_reserved_bytes_without_our_tag_mean_nothing() -> None:
    assert decode_header(REAL[:80] + b"x" * 16 + b"LSD2") == HEADER


def test_a_proof_without_its_highest_bits_is_refused() -> None:
    with pytest.raises(Malformed):
        decode_header(REAL[:80] + bytes(16) + b"LSD1")


@pytest.mark.parametrize("size", range(HEADER_SIZE))
def test_a_short_header_is_truncated(size: int) -> None:
    with pytest.raises(Truncated):
        decode_header(REAL[:size])


@pytest.mark.parametrize("page_size", [1 << bit for bit in range(9, 17)])
def test_page_sizes(page_size: int) -> None:
    assert decode_header(raw_header(page_size=page_size)).page_size == page_size


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"magic": b"LTX2"}, Malformed),
        ({"flags": 3}, Unsupported),
        ({"flags": 1 << 31}, Unsupported),
        ({"page_size": 0}, Malformed),
        ({"page_size": 256}, Malformed),
        ({"page_size": 4097}, Malformed),
        ({"page_size": 1 << 17}, Malformed),
        ({"commit": 0}, Malformed),
        ({"min_txid": 0}, Malformed),
        ({"min_txid": 6}, Malformed),
        ({"wal_offset": -1}, Malformed),
        ({"wal_size": -1}, Malformed),
        ({"wal_offset": 0, "salt1": 0, "salt2": 0}, Malformed),
        ({"wal_offset": 0, "wal_size": 0, "salt2": 0}, Malformed),
        ({"wal_offset": 0, "wal_size": 0, "salt1": 0}, Malformed),
        ({"pre_apply": FLAG}, Malformed),
        ({"flags": 0}, Malformed),
        ({"flags": 0, "pre_apply": 1}, Malformed),
        ({"flags": 0, "pre_apply": FLAG, "min_txid": 1}, Malformed),
    ],
)
def test_rules_of_the_format(fields: dict[str, Any], error: type[LtxError]) -> None:
    with pytest.raises(error):
        decode_header(raw_header(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"timestamp": 0},
        {"timestamp": -1},
        {"node_id": (1 << 64) - 1},
        {"max_txid": (1 << 64) - 1},
        {"wal_offset": 0, "wal_size": 0, "salt1": 0, "salt2": 0},
        {"flags": 0, "pre_apply": FLAG | 5},
        {"flags": 0, "min_txid": 1},
    ],
)
def test_odd_but_valid(fields: dict[str, Any]) -> None:
    data = raw_header(**fields)
    assert decode_header(data).encode() == data


@pytest.mark.parametrize(
    "fields",
    [
        {"commit": 1 << 32},
        {"max_txid": 1 << 64},
        {"node_id": 1 << 64},
        {"node_id": -1},
        {"timestamp_ms": 1 << 63},
        {"wal_size": 1 << 63},
        {"salt1": 1 << 32},
        {"salt2": -1},
        {"flags": 0, "pre_apply": 1 << 64},
    ],
)
def test_a_header_that_would_not_fit_cannot_be_made(fields: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        replace(HEADER, **fields)
