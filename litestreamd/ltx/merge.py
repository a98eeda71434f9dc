"""Folds a chain of LTX files into one: what compaction writes (LTX file format, "compaction").

In: the pages and the headers of the inputs, oldest first. Out: the pages and the header of the result.
Pure: who reads the inputs and writes the output is elsewhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge as merge_sorted
from itertools import pairwise

from litestreamd.basics.txid import format_txid
from litestreamd.ltx.decoder import Event, Pages
from litestreamd.ltx.errors import ChecksumMismatch, Malformed
from litestreamd.ltx.header import Header, Proof

Page = tuple[int, bytes]


def page_stream(events: Iterable[Event]) -> Iterator[Page]:
    """The pages among decoder events, one by one. Reads to the end of the events, and so proves the file."""
    for event in events:
        if isinstance(event, Pages):
            yield from event.pages


def merge(inputs: Sequence[Iterable[Page]], commit: int) -> Iterator[Page]:
    """The newest image of each page, ascending; pages above `commit` are dropped.

    `inputs` are ascending by page number and ordered oldest first. One page of each is in memory. Every input is
    read to its end even when its last pages are dropped, so that an input that proves itself there can do so.
    """
    previous = 0
    for number, _, image in merge_sorted(*(_with_age(age, pages) for age, pages in enumerate(reversed(inputs)))):
        if number != previous and number <= commit:
            yield number, image
        previous = number


def _with_age(age: int, pages: Iterable[Page]) -> Iterator[tuple[int, int, bytes]]:
    """Sort key and page: the newest image of a page comes first, and no two keys are equal."""
    return ((number, age, image) for number, image in pages)


def merged_header(headers: Sequence[Header]) -> Header:
    """The header of the file that takes the place of these, oldest first, at least one.

    Raises Malformed when they do not follow each other (LTX file format, "contiguity") or differ in page size,
    ChecksumMismatch when the database checksums of neighbors contradict each other.
    """
    first, last = headers[0], headers[-1]
    for older, newer in pairwise(headers):
        _check_follows(older, newer)
    return Header(
        page_size=first.page_size,
        commit=last.commit,
        min_txid=first.min_txid,
        max_txid=last.max_txid,
        timestamp_ms=last.timestamp_ms,
        proof=_merged_proof(headers),
    )


def _check_follows(older: Header, newer: Header) -> None:
    span = f"TXIDs {format_txid(newer.min_txid)} to {format_txid(newer.max_txid)}"
    if newer.min_txid > older.max_txid + 1 or newer.max_txid <= older.max_txid:
        raise Malformed(f"{span} do not continue a file that ends with {format_txid(older.max_txid)}")
    if newer.page_size != older.page_size:
        raise Malformed(f"{span} have pages of {newer.page_size} bytes, those before them of {older.page_size}")


def _merged_proof(headers: Sequence[Header]) -> Proof | None:
    """From before the first to after the last file, when every file and every seam between two vouches for it."""
    seams = [_seam_proven(older, newer) for older, newer in pairwise(headers)]
    first, last = headers[0].proof, headers[-1].proof
    return Proof(first.before, last.after) if first and last and all(seams) else None


def _seam_proven(older: Header, newer: Header) -> bool:
    """Whether two neighbors agree on the database between them; False when one of them does not say."""
    # Where TXIDs overlap, the newer file starts from a state inside the older one, which no header records.
    if older.proof is None or newer.proof is None or newer.min_txid != older.max_txid + 1:
        return False
    if older.proof.after != newer.proof.before:
        txid = format_txid(older.max_txid)
        raise ChecksumMismatch(f"the files before and after TXID {txid} disagree on the database checksum between them")
    return True
