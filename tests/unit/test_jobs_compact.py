"""Compaction: one object of several, its blocks copied, every damage told with the culprit's name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import lz4.block
import pytest

from litestreamd.basics.checksum import FLAG, page_checksum, rolling
from litestreamd.basics.errors import ObjectMissing
from litestreamd.jobs.compact import Compaction, Input, SourceDamaged
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import CHUNK
from tests.support.ltx_reading import decode
from tests.support.ltx_writer import Frame, block_frame, old_frame, raw_file, raw_header

Content = dict[int, bytes]
SIZE = 512
PLACE = "file:///replica"


def page(text: str) -> bytes:
    return (text * SIZE).encode()[:SIZE]


def hard(number: int, image: bytes) -> Frame:
    """A frame that our own compressor would not write."""
    return block_frame(number, image, body=lz4.block.compress(image, mode="high_compression", store_size=False))


def given(data: bytes, low: int, high: int | None = None) -> Input:
    def read() -> Iterator[bytes]:
        yield from (data[start : start + 100] for start in range(0, len(data), 100))

    return Input(ObjectName(0, low, high or low), len(data), read, PLACE)


def merged(inputs: Sequence[Input]) -> bytes:
    return b"".join(Compaction(inputs).body())


def file(head: Header, pages: Content, make: Callable[[int, bytes], Frame] = hard) -> bytes:
    return raw_file(head.encode(), [make(*each) for each in pages.items()])


FIRST = {number: page(f"{number} first ") for number in range(1, 10)}
SECOND = {2: page("2 second "), 9: page("9 second "), 10: page("10 second "), 11: page("11 second ")}
THIRD = {2: page("2 third "), 5: page("5 third ")}
RESULT = dict(sorted({**FIRST, **SECOND, **THIRD}.items())[:10])
"""Ten pages: the third file cuts off the eleventh."""

STATES = [
    FLAG,
    *(rolling(page_checksum(*each) for each in pages.items()) for pages in (FIRST, {**FIRST, **SECOND}, RESULT)),
]
HEADS = [
    Header(SIZE, commit, txid, txid, 1000 + txid, wal_offset=32, wal_size=536, salt1=1, salt2=2)
    for txid, commit in ((1, 9), (2, 11), (3, 10))
]
PROVEN = [
    replace(head, proof=Proof(before, after))
    for head, before, after in zip(HEADS, STATES[:-1], STATES[1:], strict=True)
]
FILES = [file(head, pages) for head, pages in zip(HEADS, (FIRST, SECOND, THIRD), strict=True)]
PROVEN_FILES = [file(head, pages) for head, pages in zip(PROVEN, (FIRST, SECOND, THIRD), strict=True)]


def chain(files: Sequence[bytes]) -> list[Input]:
    return [given(data, txid) for txid, data in enumerate(files, 1)]


def refused(files: Sequence[bytes | Input], culprit: int, *words: str) -> None:
    """The end is never reached, and the error names the object with this TXID and its place."""
    inputs = [each if isinstance(each, Input) else given(each, txid) for txid, each in enumerate(files, 1)]
    with pytest.raises(SourceDamaged) as caught:
        merged(inputs)
    assert caught.value.names == (caught.value.name,) == (ObjectName(0, culprit, culprit),)
    for word in (f"{PLACE}: {caught.value.name}", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(("files", "proof"), [(FILES, None), (PROVEN_FILES, Proof(STATES[0], STATES[3]))])
def test_three_become_one_with_their_blocks_as_they_are(files: list[bytes], proof: Proof | None) -> None:
    compaction = Compaction(chain(files))
    assert compaction.header == Header(SIZE, 10, 1, 3, 1003, proof=proof)
    assert b"".join(compaction.body()) == file(compaction.header, RESULT)
    assert b"".join(compaction.body()) == file(compaction.header, RESULT), "a second try begins anew"


def test_of_an_old_encoding_only_what_counts_is_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    old = file(HEADS[0], FIRST, old_frame)
    expected = [(hard if number in {**SECOND, **THIRD} else block_frame)(number, RESULT[number]) for number in RESULT]
    done: list[bytes] = []

    def counted(image: bytes) -> bytes:
        done.append(image)
        return bytes(lz4.block.compress(image, store_size=False))

    monkeypatch.setattr("litestreamd.ltx.encoder.compress_page", counted)
    compaction = Compaction(chain([old, *FILES[1:]]))
    assert b"".join(compaction.body()) == raw_file(compaction.header.encode(), expected)
    assert done == [FIRST[number] for number in RESULT if number not in {**SECOND, **THIRD}]


def test_part_of_a_history_and_a_single_object() -> None:
    part = decode(merged([given(FILES[1], 2), given(FILES[2], 3)]))
    assert (part.header.min_txid, part.header.max_txid) == (2, 3)
    assert part.pages == sorted({**SECOND, **THIRD}.items())[:4]
    alone = Compaction([given(FILES[1], 2)])
    assert alone.header == replace(HEADS[1], wal_offset=0, wal_size=0, salt1=0, salt2=0)
    assert b"".join(alone.body()) == file(alone.header, SECOND)


def test_merging_in_two_steps_is_the_same() -> None:
    inner = merged(chain(PROVEN_FILES[:2]))
    assert merged([given(inner, 1, 2), given(PROVEN_FILES[2], 3)]) == merged(chain(PROVEN_FILES))


def test_each_input_is_opened_once(tmp_path: Path) -> None:
    replica, opened = FolderReplica(tmp_path, "file"), []

    def read(name: ObjectName) -> Iterator[bytes]:
        opened.append(name)
        return replica.open(name)

    inputs = []
    for each, data in zip(chain(FILES), FILES, strict=True):
        replica.create(each.name, [data], 1)
        inputs.append(replace(each, open=lambda name=each.name: read(name)))
    compaction = Compaction(inputs)
    assert replica.create(ObjectName(1, 1, 3), compaction.body(), compaction.header.timestamp_ms)
    assert sorted(opened) == [each.name for each in inputs]
    assert b"".join(replica.open(ObjectName(1, 1, 3))) == file(compaction.header, RESULT)


def test_an_object_that_is_gone() -> None:
    def gone() -> Iterator[bytes]:
        raise ObjectMissing("0/2 is gone")
        yield b""

    with pytest.raises(ObjectMissing, match="0/2 is gone"):
        Compaction([given(FILES[0], 1), replace(given(FILES[1], 2), open=gone)])


def sized(frames: Sequence[Frame]) -> dict[int, tuple[int, int]]:
    """Where in the file the block of each page is: offset and length."""
    places, offset = {}, 100
    for frame in frames:
        offset += len(frame.head)
        places[frame.number] = (offset, len(frame.body))
        offset += len(frame.body)
    return places


def test_a_block_that_expands_to_another_page() -> None:
    """Each bit of the blocks of a page that counts, and of one that is superseded, in turn."""
    offset, length = sized([hard(*each) for each in SECOND.items()])[10]
    noticed = 0
    for bit in range(8 * offset, 8 * (offset + length)):
        damaged = bytearray(FILES[1])
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            content = decode(merged([given(FILES[0], 1), given(bytes(damaged), 2), given(FILES[2], 3)]))
        except SourceDamaged as error:
            assert error.name == ObjectName(0, 2, 2)
            noticed += 1
        else:
            assert dict(content.pages) == RESULT
    assert noticed > 4 * length


@pytest.mark.parametrize("number", [2, 10, 11])
def test_a_page_of_another_content(number: int) -> None:
    """Also of pages 2 and 11 of the second file, which are not in the result: their damage is told all the same."""
    other = block_frame(0, page("other ")).body
    frames = [block_frame(n, image, body=other if n == number else None) for n, image in SECOND.items()]
    refused([FILES[0], raw_file(HEADS[1].encode(), frames), FILES[2]], 2, "checksum")


def test_cut_files() -> None:
    for size in range(len(FILES[1])):
        refused([FILES[0], replace(given(FILES[1][:size], 2), size=len(FILES[1])), FILES[2]], 2)
        refused([FILES[0], FILES[1][:size], FILES[2]], 2)


def test_a_size_that_is_not_what_the_listing_says() -> None:
    refused([FILES[0], replace(given(FILES[1], 2), size=len(FILES[1]) - 1), FILES[2]], 2, "larger")
    refused([FILES[0], replace(given(FILES[1], 2), size=len(FILES[1]) + 1), FILES[2]], 2, "less")
    refused([FILES[0], given(FILES[1] + b"x", 2), FILES[2]], 2)


def test_every_bit_of_a_header() -> None:
    """Whatever a header says otherwise: the file that it stands in is the culprit, not its neighbours."""
    for bit in range(800):
        damaged = bytearray(PROVEN_FILES[1])
        damaged[bit // 8] ^= 1 << bit % 8
        refused([PROVEN_FILES[0], bytes(damaged), PROVEN_FILES[2]], 2)


def test_files_under_other_names() -> None:
    with pytest.raises(SourceDamaged, match=r"0/0000000000000001-0000000000000001.ltx: .*not what its name says"):
        Compaction([given(FILES[1], 1), given(FILES[0], 2)])
    with pytest.raises(SourceDamaged) as caught:
        Compaction([given(FILES[0], 1), given(FILES[1], 2, 3)])
    assert caught.value.name == ObjectName(0, 2, 3)


@pytest.mark.parametrize("change", [{"proof": Proof(STATES[1] ^ 1, STATES[2])}, {"page_size": 1024}])
def test_neighbours_that_disagree(change: dict[str, Proof]) -> None:
    head = replace(PROVEN[1], **change)
    stranger = raw_file(head.encode(), [hard(n, i * (head.page_size // SIZE)) for n, i in SECOND.items()])
    with pytest.raises(SourceDamaged) as caught:
        Compaction([given(PROVEN_FILES[0], 1), given(stranger, 2)])
    assert caught.value.names == (ObjectName(0, 1, 1), ObjectName(0, 2, 2))
    assert caught.value.name == ObjectName(0, 2, 2)


def test_a_hole_between_inputs() -> None:
    with pytest.raises(SourceDamaged, match="0/0000000000000003"):
        Compaction([given(FILES[0], 1), given(FILES[2], 3)])


def test_pages_missing_at_the_end_of_a_growth() -> None:
    """Nothing but the pages themselves tells it: such a file is whole and sound."""
    for missing in (10, 11):
        pages = {number: image for number, image in SECOND.items() if number != missing}
        refused([FILES[0], file(HEADS[1], pages), FILES[2]], 2, "1 of them")
        part = [given(file(HEADS[1], pages), 2), given(FILES[2], 3)]
        assert len(decode(merged(part)).pages) == 4 - (missing == 10), "how large it was before is not known"


def test_a_growth_past_the_lock_page() -> None:
    heads = [Header(65536, commit, txid, txid, 1) for txid, commit in ((2, 16384), (3, 16386))]
    inputs = [given(file(head, {head.commit: bytes(65536)}), head.min_txid) for head in heads]
    assert [number for number, _ in decode(merged(inputs)).pages] == [16384, 16386]


def test_a_page_beyond_the_end() -> None:
    refused([FILES[0], file(HEADS[1], {**SECOND, 12: page("12 ")}), FILES[2]], 2, "beyond")


def test_an_overlap_is_merged_though_its_growth_is_not_known() -> None:
    """As Litestream does: the second file starts from a state inside the first."""
    head = replace(HEADS[1], min_txid=2, max_txid=4, commit=11)
    first = file(replace(HEADS[0], max_txid=3), FIRST)
    result = decode(merged([given(first, 1, 3), given(file(head, SECOND), 2, 4)]))
    assert (result.header.max_txid, dict(result.pages)) == (4, dict(sorted({**FIRST, **SECOND}.items())))
    fewer = {number: image for number, image in SECOND.items() if number != 11}
    with pytest.raises(SourceDamaged, match="every page"):
        merged([given(first, 1, 3), given(file(head, fewer), 2, 4)])
    grown = replace(head, min_txid=3, commit=9)
    assert merged([given(file(replace(HEADS[1], max_txid=3), SECOND), 2, 3), given(file(grown, {9: FIRST[9]}), 3, 4)])


def test_a_whole_database_is_what_its_checksum_says() -> None:
    """Every file is sound and every seam fits, but together they are not the database they were made from."""
    other = file(PROVEN[2], {2: THIRD[2], 3: page("never written "), 5: THIRD[5]})
    with pytest.raises(SourceDamaged, match="together they do not give"):
        merged(chain([*PROVEN_FILES[:2], other]))
    merged([given(PROVEN_FILES[1], 2), given(other, 3)])


def test_damage_is_told_before_the_last_bytes() -> None:
    """Whoever stores what comes out has nothing that could pass for a whole file."""
    damaged = FILES[0][:-1] + bytes([FILES[0][-1] ^ 1])
    out = []
    with pytest.raises(SourceDamaged):
        out.extend(Compaction(chain([damaged, *FILES[1:]])).body())
    with pytest.raises(Exception, match="cut short"):
        decode(b"".join(out) or raw_header())


def test_a_large_object_that_does_not_end_is_not_gathered() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(CHUNK)

    with pytest.raises(SourceDamaged):
        Compaction([Input(ObjectName(0, 1, 1), 200, endless)])
