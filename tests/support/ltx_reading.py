"""Decoding in tests: whole files in any portions, and what they come to."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from litestreamd.ltx.decoder import Decoder, Pages
from litestreamd.ltx.header import Header
from litestreamd.ltx.merge import merge
from litestreamd.ltx.trailer import Trailer


@dataclass(frozen=True)
class Content:
    """Everything a file says."""

    header: Header
    pages: list[tuple[int, bytes]]
    trailer: Trailer


def merged_pages(inputs: Iterable[Collection[tuple[int, bytes]]], commit: int) -> list[tuple[int, bytes]]:
    """What the pages of some files, oldest first, come to."""
    files = [[Pages([n for n, _ in pages], [i for _, i in pages], [b""] * len(pages))] for pages in inputs if pages]
    return [page for batch in merge(files, commit) for page in batch.pages]


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
