"""Folds a chain of LTX files into one: what compaction writes (LTX file format, "compaction").

In: the pages and the headers of the inputs, oldest first. Out: the pages and the header of the result.
Pure: who reads the inputs and writes the output is elsewhere.

Of each input some pages are decoded ahead. All pages up to the smallest number that ends such a stretch can be told at
once, the newest of each, without looking at them one by one; then the stretch that ended is filled up.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from litestreamd.basics.txid import format_txid
from litestreamd.ltx.decoder import Pages
from litestreamd.ltx.errors import ChecksumMismatch, Malformed
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.window import Stored, Window

_NO_PAGE = 1 << 32


def merge(inputs: Sequence[Iterable[Pages]], commit: int, ahead: int = 256, together: int = 256) -> Iterator[Pages]:
    """The newest image of each page, with its block, ascending; pages above `commit` are dropped.

    `inputs` are ascending by page number and ordered oldest first; about `ahead` pages of each are in memory, and
    `together` are told at once. Every input is read to its end even when its last pages are dropped, so that an input
    that proves itself there can do so.
    """
    windows = [Window(batches, ahead) for batches in inputs]
    while windows:
        for window in windows:
            window.fill()
        windows = [window for window in windows if window.numbers]
        through = min((window.numbers[-1] for window in windows if not window.ended), default=_NO_PAGE)
        newest: dict[int, Stored] = {}
        for window in windows:
            if window.numbers[0] <= through:
                newest.update(window.take(through))
        yield from _batches(newest, commit, together)


def _batches(pages: dict[int, Stored], commit: int, together: int) -> Iterator[Pages]:
    numbers = sorted(pages)
    del numbers[bisect_right(numbers, commit) :]
    for start in range(0, len(numbers), together):
        part = numbers[start : start + together]
        blocks, images = zip(*map(pages.__getitem__, part), strict=True)
        yield Pages(part, list(images), blocks)


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
