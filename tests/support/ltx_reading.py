"""Decoding in tests: whole files in any portions, and what they come to."""

from dataclasses import dataclass

from litestreamd.ltx.decoder import Decoder, Pages
from litestreamd.ltx.header import Header
from litestreamd.ltx.trailer import Trailer


@dataclass(frozen=True)
class Content:
    """Everything a file says."""

    header: Header
    pages: list[tuple[int, bytes]]
    trailer: Trailer


def decode(data: bytes, portion: int | None = None) -> Content:
    """Feed `data` in portions (default: at once), close, and check the order of events."""
    decoder, events = Decoder(), []
    for start in range(0, len(data), portion or len(data) or 1):
        events += decoder.feed(data[start : start + (portion or len(data))])
    decoder.close()
    header, *batches, trailer = events
    assert isinstance(header, Header)
    assert isinstance(trailer, Trailer)
    pages = []
    for batch in batches:
        assert isinstance(batch, Pages)
        pages += batch.pages
    return Content(header, pages, trailer)
