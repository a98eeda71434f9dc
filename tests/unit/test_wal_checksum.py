"""The WAL checksum and its chain over frames: known answers, and what breaks a chain."""

import sys
from struct import pack

import pytest

from litestreamd.wal import checksum as subject
from litestreamd.wal.checksum import Chain, chain, checksum, stored
from tests.support.wal_writer import WalWriter


def three_frames(page_size: int = 512, big_endian: bool = False) -> WalWriter:
    wal = WalWriter(page_size, big_endian)
    for pgno in (1, 2, 3):
        wal.append(pgno, bytes([pgno]) * page_size, commit=3)
    return wal


def verify(wal: WalWriter, frames: bytes) -> Chain:
    seed = int.from_bytes(wal.data[24:28], "big"), int.from_bytes(wal.data[28:32], "big")
    return chain(frames, wal.page_size, wal.big_endian, wal.salts, seed)


def test_known_answers() -> None:
    """By hand: (1, 2) gives s1 = 1, s2 = 2 + 1; then (3, 4) gives s1 = 1 + 3 + 3, s2 = 3 + 4 + 7."""
    assert checksum(b"", big_endian=True) == (0, 0)
    assert checksum(pack(">II", 1, 2), big_endian=True) == (1, 3)
    assert checksum(pack(">IIII", 1, 2, 3, 4), big_endian=True) == (7, 14)
    assert checksum(pack("<IIII", 1, 2, 3, 4), big_endian=False) == (7, 14)
    assert checksum(pack(">II", 3, 4), big_endian=True, seed=(1, 3)) == (7, 14)
    assert checksum(b"\xff" * 8, big_endian=True, seed=(5, 6)) == (10, 15)


def test_the_sums_are_stored_big_endian() -> None:
    assert stored((0x01020304, 0xA0B0C0D0)) == bytes.fromhex("01020304a0b0c0d0")


@pytest.mark.parametrize("length", [1, 4, 7, 9, 12])
def test_only_whole_pairs_of_words_are_summed(length: int) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        checksum(bytes(length), big_endian=False)


@pytest.mark.parametrize("big_endian", [False, True])
def test_whole_chain(big_endian: bool) -> None:
    wal = three_frames(1024, big_endian)
    found = verify(wal, bytes(wal.data[32:]))
    assert found.valid == 3
    assert stored(found.sums) == wal.data[32 + 2 * 1048 + 16 :][:8]


def test_a_chain_goes_on_where_an_earlier_one_ended() -> None:
    wal = three_frames()
    first = verify(wal, bytes(wal.data[32 : 32 + 536]))
    rest = chain(wal.data[32 + 536 :], 512, False, wal.salts, first.sums)
    assert (first.valid, rest.valid) == (1, 2)
    assert rest.sums == verify(wal, bytes(wal.data[32:])).sums


def test_no_frames_give_back_the_seed() -> None:
    assert chain(b"", 512, False, bytes(8), (3, 4)) == Chain(0, (3, 4))


def test_part_of_a_frame_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="whole frames"):
        chain(bytes(535), 512, False, bytes(8), (0, 0))


@pytest.mark.parametrize("form", ["python", "numpy"])
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_bit_of_a_frame_breaks_the_chain_there(
    form: str, big_endian: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if form == "numpy":
        pytest.importorskip("numpy")
        monkeypatch.setattr(subject, "WORTH_NUMPY", 0)
    wal = three_frames(big_endian=big_endian)
    frames = bytearray(wal.data[32:])
    for bit in range(536 * 8, 2 * 536 * 8):
        frames[bit // 8] ^= 1 << bit % 8
        assert verify(wal, frames).valid == 1
        frames[bit // 8] ^= 1 << bit % 8
    assert verify(wal, frames).valid == 3


@pytest.mark.parametrize("form", ["python", "numpy"])
def test_page_zero_ends_the_chain_whatever_its_checksum(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if form == "numpy":
        pytest.importorskip("numpy")
        monkeypatch.setattr(subject, "WORTH_NUMPY", 0)
    wal = WalWriter()
    wal.append(1, bytes(512))
    wal.append(0, bytes(512), commit=1)
    assert verify(wal, bytes(wal.data[32:])).valid == 1


def test_without_numpy_long_input_is_summed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 8
    expected = checksum(data, True)
    monkeypatch.setattr(subject, "WORTH_NUMPY", 0)
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "litestreamd.wal.linear", raising=False)
    subject._linear.cache_clear()
    try:
        assert subject._linear() is None
        assert checksum(data, True) == expected
        wal = three_frames()
        assert verify(wal, bytes(wal.data[32:])).valid == 3
    finally:
        subject._linear.cache_clear()


def test_short_input_does_not_load_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_load() -> None:
        raise AssertionError("numpy was asked for")

    monkeypatch.setattr(subject, "_linear", must_not_load)
    assert checksum(bytes(subject.WORTH_NUMPY - 8), False) == (0, 0)
    with pytest.raises(AssertionError, match="asked for"):
        checksum(bytes(subject.WORTH_NUMPY), False)


@pytest.mark.parametrize("big_endian", [False, True])
def test_a_long_wal_is_verified_to_its_first_fault(big_endian: bool) -> None:
    """Long enough for numpy, where it is installed."""
    wal = WalWriter(65536, big_endian)
    for pgno in range(1, 19):
        wal.append(pgno, bytes([pgno]) * 65536, commit=pgno)
    frames = bytearray(wal.data[32:])
    assert len(frames) > subject.WORTH_NUMPY
    whole = verify(wal, frames)
    assert (whole.valid, stored(whole.sums)) == (18, wal.data[-65536 - 8 : -65536])
    frames[17 * 65560 - 1] ^= 1
    damaged = verify(wal, frames)
    assert (damaged.valid, stored(damaged.sums)) == (16, wal.data[32 + 15 * 65560 + 16 :][:8])
    frames[30] ^= 1
    assert verify(wal, frames) == Chain(0, (int.from_bytes(wal.data[24:28]), int.from_bytes(wal.data[28:32])))
