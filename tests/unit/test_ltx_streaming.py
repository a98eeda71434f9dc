"""Decoding in bounded memory: bytes made to hurt, and the pull side that jobs use."""

import random
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from litestreamd.ltx.decoder import Decoder, Event, Pages, read_pages
from litestreamd.ltx.errors import Malformed, Truncated
from litestreamd.ltx.header import Header
from litestreamd.ltx.trailer import Trailer
from tests.support.ltx_reading import decode
from tests.support.ltx_writer import Frame, block_frame, old_frame, raw_file, raw_header

NOISE = random.Random(2).randbytes(512)
PAGES = [(1, bytes(512)), (2, NOISE), (4, b"4" * 512), (9, b"nine" * 128)]
DATA = raw_file(raw_header(), [block_frame(*page) for page in PAGES])


class TestBombs:
    """Bytes made to hurt are refused at once, not gathered or expanded first."""

    def test_an_absurd_size(self) -> None:
        decoder = Decoder()
        decoder.feed(raw_header())
        with pytest.raises(Malformed):
            decoder.feed(b"\0\0\0\1\0\1" + (531).to_bytes(4))

    def test_the_largest_size_is_waited_for(self) -> None:
        decoder = Decoder()
        decoder.feed(raw_header() + b"\0\0\0\1\0\1" + (530).to_bytes(4))
        with pytest.raises(Truncated):
            decoder.close()

    def test_an_absurd_frame(self) -> None:
        decoder = Decoder()
        start = old_frame(1, NOISE)
        decoder.feed(raw_header())
        with pytest.raises(Malformed):
            decoder.feed(start.head + start.body[:7] + (0x8000_0000 | 1 << 22).to_bytes(4, "little"))

    @pytest.mark.parametrize("make", [block_frame, old_frame])
    def test_much_from_little(self, make: Callable[[int, bytes], Frame]) -> None:
        data = raw_file(raw_header(), [make(1, bytes(120_000))])
        assert len(data) < 800
        tracemalloc.start()
        with pytest.raises(Malformed):
            decode(data)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 60_000

    def test_many_pages_are_streamed(self) -> None:
        header = raw_header(page_size=65536, commit=400, min_txid=1)
        image = bytes(65536)
        data = raw_file(header, [block_frame(number, image) for number in range(1, 401)])
        tracemalloc.start()
        seen = sum(len(event.pages) for event in read_pages([data]) if isinstance(event, Pages))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(data) < 200_000
        assert seen == 400
        assert peak < 3 << 20


class TestReadPages:
    """The pull side: the same events, the trailer only for a file proven to its end."""

    def test_events(self) -> None:
        events = list(read_pages(DATA[start : start + 77] for start in range(0, len(DATA), 77)))
        assert isinstance(events[0], Header)
        assert isinstance(events[-1], Trailer)
        assert [page for event in events if isinstance(event, Pages) for page in event.pages] == PAGES

    @pytest.mark.parametrize("cut", [0, 50, 300, -1])
    def test_a_cut_file(self, cut: int) -> None:
        with pytest.raises(Truncated):
            list(read_pages([DATA[:cut]]))

    def test_no_trailer_when_bytes_follow_in_a_later_chunk(self) -> None:
        events, seen = read_pages([DATA, b"x"]), list[Event]()
        with pytest.raises(Malformed):
            seen.extend(events)
        assert not any(isinstance(event, Trailer) for event in seen)

    def test_no_trailer_when_bytes_follow_in_the_same_chunk(self) -> None:
        events, seen = Decoder().stream(DATA + b"x"), list[Event]()
        with pytest.raises(Malformed):
            seen.extend(events)
        assert len(seen) == 2
        assert not any(isinstance(event, Trailer) for event in seen)

    def test_errors_of_the_source_pass(self) -> None:
        def broken() -> Iterator[bytes]:
            yield raw_header()
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            list(read_pages(broken()))
