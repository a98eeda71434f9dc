"""CRC-64/GO-ISO and what LTX builds on it: check values, and one answer whoever computes it."""

import random
import sys
from collections.abc import Callable

import pytest

from litestreamd.basics import checksum as subject
from litestreamd.basics.checksum import FLAG, Buffer, crc64, crc64_in_python, lock_page, page_checksum, rolling

CHECK = 0xB90956C775A41001


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> Callable[[Buffer, int], int]:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    return subject._fastest()[1]


def forms(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[Buffer, int], int]]:
    """Whatever is installed, and the stand-in."""
    return [crc64, without(monkeypatch, "fastcrc"), without(monkeypatch, "fastcrc", "anycrc"), crc64_in_python]


def test_the_catalogue_check_value() -> None:
    assert crc64(b"123456789", 0) == CHECK
    assert crc64_in_python(b"123456789") == CHECK
    assert crc64(b"", 0) == 0


def test_every_form_agrees_and_goes_on_from_an_earlier_one(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(64)
    for _ in range(50):
        data = draw.randbytes(draw.randint(0, 300))
        cut = draw.randint(0, len(data))
        expected = crc64_in_python(data)
        for form in forms(monkeypatch):
            assert form(data, 0) == expected
            assert form(data[cut:], form(data[:cut], 0)) == expected
            assert form(bytearray(data), 0) == form(memoryview(data), 0) == expected


def test_without_a_wheel_the_stand_in_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    assert without(monkeypatch, "fastcrc", "anycrc") is crc64_in_python


def test_a_page_checksum_covers_the_page_number_and_always_has_its_flag() -> None:
    page = bytes(range(256)) * 2
    assert page_checksum(7, page) == FLAG | crc64_in_python(b"\x00\x00\x00\x07" + page)
    assert page_checksum(7, page) != page_checksum(8, page)


def test_the_rolling_checksum_knows_no_order_and_undoes_a_page() -> None:
    a, b, c = (page_checksum(pgno, bytes(512)) for pgno in (1, 2, 3))
    assert rolling([]) == FLAG
    assert rolling([a, b, c]) == rolling([c, a, b])
    assert rolling([a, b, c, c]) == rolling([a, b])


@pytest.mark.parametrize(("page_size", "pgno"), [(512, 2097153), (4096, 262145), (65536, 16385)])
def test_the_lock_page(page_size: int, pgno: int) -> None:
    assert lock_page(page_size) == pgno
    assert (pgno - 1) * page_size == 1 << 30
