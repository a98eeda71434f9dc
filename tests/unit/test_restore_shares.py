"""Who holds the newest image of a page, and in how many pieces it is fetched."""

from array import array
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.checksum import lock_page
from litestreamd.plan.shares import PageMap, Share, packed, pieces, unpacked


@dataclass(frozen=True)
class Index:
    """A page index made by hand."""

    numbers: "array[int]"
    offsets: "array[int]"
    lengths: "array[int]"


def index(numbers: list[int], lengths: list[int] | None = None) -> Index:
    sizes = lengths or [50] * len(numbers)
    offsets = [100 + sum(sizes[:at]) for at in range(len(sizes))]
    return Index(array("I", numbers), array("Q", offsets), array("I", sizes))


def test_the_newest_object_gets_the_page() -> None:
    pages = PageMap(commit=6, page_size=512)
    assert pages.missing() == 6
    assert list(pages.claim(index([2, 5])).numbers) == [2, 5]
    share = pages.claim(index([1, 2, 3, 5, 6]))
    assert (list(share.numbers), list(share.offsets), list(share.lengths)) == ([1, 3, 6], [100, 200, 300], [50] * 3)
    assert (pages.missing(), pages.first_missing()) == (1, 4)
    assert list(pages.claim(index([1, 2, 3, 4])).numbers) == [4]
    assert pages.missing() == 0
    assert list(pages.claim(index([1, 2, 3, 4])).numbers) == []


def test_pages_beyond_the_end_are_nobodys() -> None:
    assert list(PageMap(commit=3, page_size=512).claim(index([2, 4, 9])).numbers) == [2]


def test_the_lock_page_is_not_missed() -> None:
    lock = lock_page(65536)
    pages = PageMap(commit=lock + 1, page_size=65536)
    assert pages.missing() == lock
    assert list(pages.claim(index([lock - 1, lock, lock + 1])).numbers) == [lock - 1, lock + 1]
    assert PageMap(commit=lock - 1, page_size=65536).missing() == lock - 1


def test_pieces_join_what_lies_close_together() -> None:
    share = Share(array("I", [1, 2, 9]), array("Q", [100, 150, 300]), array("I", [50, 50, 50]))
    spans = [(piece.offset, piece.length, piece.first, piece.last) for piece in pieces(share, 10_000, 99, gap=100)]
    assert spans == [(100, 250, 0, 3)]
    spans = [(piece.offset, piece.length, piece.first, piece.last) for piece in pieces(share, 10_000, 99, gap=99)]
    assert spans == [(100, 100, 0, 2), (300, 50, 2, 3)]


def test_an_empty_share_has_no_pieces() -> None:
    assert list(pieces(Share(array("I"), array("Q"), array("I")), 10, 10, 10)) == []


@given(
    st.lists(st.tuples(st.integers(7, 90), st.booleans()), max_size=60),
    st.integers(20, 300),
    st.integers(1, 9),
    st.integers(0, 120),
)
def test_pieces_cover_each_frame_once_within_their_limits(
    frames: list[tuple[int, bool]], most_bytes: int, most_pages: int, gap: int
) -> None:
    whole = index(list(range(1, len(frames) + 1)), [length for length, _ in frames])
    kept = [at for at, (_, counts) in enumerate(frames) if counts]
    share = Share(
        array("I", [whole.numbers[at] for at in kept]),
        array("Q", [whole.offsets[at] for at in kept]),
        array("I", [whole.lengths[at] for at in kept]),
    )
    found = list(pieces(share, most_bytes, most_pages, gap))
    assert [at for piece in found for at in range(piece.first, piece.last)] == list(range(len(kept)))
    for piece in found:
        assert piece.last - piece.first <= most_pages
        assert piece.length <= most_bytes or piece.last - piece.first == 1
        assert piece.offset == share.offsets[piece.first]
        assert piece.offset + piece.length == share.offsets[piece.last - 1] + share.lengths[piece.last - 1]
        for one, two in pairwise(range(piece.first, piece.last)):
            assert share.offsets[two] - share.offsets[one] - share.lengths[one] <= gap


@given(
    st.integers(1, 90),
    st.lists(
        st.one_of(
            st.sets(st.integers(1, 100), min_size=1).map(sorted),
            st.tuples(st.integers(1, 100), st.integers(1, 60)).map(lambda run: list(range(run[0], run[0] + run[1]))),
        ),
        max_size=8,
    ),
)
def test_a_page_is_chosen_once_and_what_is_left_is_missed(commit: int, indexes: list[list[int]]) -> None:
    pages, left = PageMap(commit, 65536), set(range(1, commit + 1))
    for numbers in indexes:
        assert list(pages.choose(array("I", numbers))) == [number in left for number in numbers]
        left -= set(numbers)
        assert pages.missing() == len(left)
        if left:
            assert pages.first_missing() == min(left)


@given(st.lists(st.booleans()), st.data())
def test_flags_are_packed_and_come_back_from_anywhere(flags: list[bool], data: st.DataObject) -> None:
    bits = packed(bytes(flags))
    assert len(bits) == (len(flags) + 7) // 8
    first = data.draw(st.integers(0, len(flags)))
    count = data.draw(st.integers(0, len(flags) - first))
    assert list(unpacked(bits, first, count)) == flags[first : first + count]
