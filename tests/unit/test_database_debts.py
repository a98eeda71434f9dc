"""What is written down of files that leave the spool: what follows and what does not, and what survives."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from litestreamd.basics import crash_points
from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database.debt import Debt, debt_at, debt_before, decode_debt
from litestreamd.database.debts import Debts
from litestreamd.database.disk import free_bytes
from litestreamd.database.ledger import Ledger
from litestreamd.database.spool import Spool
from tests.support.debts import State, applied, caught_up, checksum, ledger, page, spooled
from tests.support.dying import dies_at

# TXID n changes page n, for good.
STATES: list[State] = [tuple(page(pgno + 10 * (pgno <= txid)) for pgno in range(1, 8)) for txid in range(8)]
STEPS = [ledger(txid, STATES[txid - 1], STATES[txid]) for txid in range(1, 8)]


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    crash_points.arm("restore.kept", 1, lambda: None)


@pytest.fixture
def debts(tmp_path: Path) -> Debts:
    return Debts(tmp_path / "replicas", "nas")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    found = Spool(tmp_path / "spool")
    list(found.open())
    for step in STEPS:
        spooled(found, step)
    return found


def again(tmp_path: Path) -> Debts:
    """After a start."""
    found = Debts(tmp_path / "replicas", "nas")
    found.open()
    return found


def debt_to(txid: int) -> Debt:
    debt = debt_before(STEPS[2])
    assert all(map(debt.add, STEPS[2:txid]))
    return debt


def test_the_spool_gives_its_ledgers_again(spool: Spool) -> None:
    assert list(spool.ledgers(after=0)) == STEPS
    assert list(spool.ledgers(after=5)) == STEPS[5:]
    assert list(spool.ledgers(after=7)) == []


def test_the_spool_knows_its_bytes(spool: Spool, tmp_path: Path) -> None:
    def on_disk() -> int:
        return sum(path.stat().st_size for path in (tmp_path / "spool").iterdir())

    assert spool.bytes() == on_disk() > 0
    spool.trim(3)
    assert spool.bytes() == on_disk()
    other = Spool(tmp_path / "spool")
    list(other.open())
    list(other.open())
    assert other.bytes() == on_disk()
    other.trim(7)
    assert other.bytes() == 0


def other_line(txid: int) -> Ledger:
    """The same change to the same pages, of a database that was another before."""
    told = STEPS[txid - 1]
    return replace(told, head=replace(told.head, checksum=told.head.checksum ^ 1))


def larger_pages(txid: int) -> Ledger:
    told = STEPS[txid - 1]
    position = replace(told.head.position, page_size=1024)
    return replace(told, head=replace(told.head, position=position))


@pytest.mark.parametrize(
    "wrong",
    [STEPS[6], ledger(7, STATES[5], STATES[5], also=[1]), other_line(6), larger_pages(6)],
    ids=["a gap", "a gap that comes back", "a line", "a page size"],
)
def test_what_does_not_follow_voids_a_debt(debts: Debts, tmp_path: Path, wrong: Ledger) -> None:
    debt = debt_to(5)
    kept = debt.encode()
    assert not debt.add(wrong)
    assert debt.encode() == kept
    assert debts.owe(2, STEPS[2:5])
    assert not debts.owe(2, [wrong])
    assert debts.covered(2) == 2
    assert again(tmp_path).covered(2) == 2


def test_a_replica_that_lacks_even_older_files_cannot_be_owed(debts: Debts) -> None:
    assert not debts.owe(1, STEPS[2:5])
    assert debts.covered(1) == 1


def test_a_debt_grows_and_survives(debts: Debts, spool: Spool, tmp_path: Path) -> None:
    assert debts.owe(2, STEPS[:3])
    assert (debts.covered(2), debts.covered(1), debts.covered(3)) == (3, 1, 3)
    assert debts.owe(2, STEPS[3:5])
    for found in (debts, again(tmp_path)):
        assert found.covered(2) == 5
        spool.trim(5)
        debt = found.due(2, checksum(STATES[2]), spool)
        assert debt is not None and debt.meets(STEPS[-1].head)
        file = caught_up(debt, STATES[-1])
        assert applied(STATES[2], file) == STATES[-1]
        assert sorted(file.pages) == [3, 4, 5, 6, 7]


def test_a_replica_that_got_further_meanwhile_is_served(debts: Debts, spool: Spool) -> None:
    assert debts.owe(2, STEPS[2:5])
    spool.trim(5)
    debt = debts.due(4, checksum(STATES[4]), spool)
    assert debt is not None and debt.txid == 4
    assert caught_up(debt, STATES[-1]).proven == checksum(STATES[-1])
    assert debts.due(4, None, spool) is None
    assert debts.due(5, checksum(STATES[5]), spool) is None  # everything that is owed is there
    assert debts.due(6, checksum(STATES[6]), spool) is None


def test_a_replica_that_holds_something_else_is_not_served(debts: Debts, spool: Spool) -> None:
    assert debts.owe(2, STEPS[2:5])
    spool.trim(5)
    assert debts.due(2, checksum(STATES[1]), spool) is None
    assert debts.due(2, None, spool) is not None


def test_a_spool_that_does_not_go_on_gives_no_catch_up(debts: Debts, spool: Spool) -> None:
    assert debts.owe(2, STEPS[2:4])
    spool.trim(5)
    assert debts.due(2, checksum(STATES[2]), spool) is None


def test_entries_that_leave_while_a_catch_up_is_on_its_way(debts: Debts, spool: Spool, tmp_path: Path) -> None:
    """Whether it arrives or not, and whether we live to see it: what is needed is owed."""
    assert debts.owe(2, STEPS[2:4])
    debts.began(STEPS[4].head)  # to TXID 5
    assert debts.owe(2, STEPS[4:6])
    spool.trim(6)
    for found in (debts, again(tmp_path)):
        assert (found.covered(2), found.covered(5)) == (6, 6)
    shutil.copytree(tmp_path / "replicas", tmp_path / "died" / "replicas")
    arrived = again(tmp_path / "died")
    small = arrived.due(5, checksum(STATES[5]), spool)
    assert small is not None and list(small.pages.within(1, 9)) == [6, 7]
    debts.paid()
    for living in (True, False):
        found = debts if living else again(tmp_path)
        small = found.due(5, checksum(STATES[5]), spool)
        assert small is not None and list(small.pages.within(1, 9)) == [6, 7]
        assert found.covered(2) == 2
    debts.began(STEPS[6].head)
    debts.paid()
    assert debts.covered(5) == again(tmp_path).covered(5) == 5


def test_entries_that_leave_when_a_catch_up_has_arrived_and_is_not_paid_yet(debts: Debts, spool: Spool) -> None:
    assert debts.owe(2, STEPS[2:4])
    debts.began(STEPS[4].head)
    assert debts.owe(5, STEPS[5:6])
    debts.paid()
    spool.trim(6)
    assert debts.covered(5) == 6
    debt = debts.due(5, checksum(STATES[5]), spool)
    assert debt is not None and list(debt.pages.within(1, 9)) == [6, 7]


@pytest.mark.parametrize("through", [5, 6])
def test_the_level_0_file_of_the_catch_up_itself_may_leave(debts: Debts, spool: Spool, through: int) -> None:
    """The cursor stands before it, because it was to go next."""
    assert debts.owe(2, STEPS[2:4])
    debts.began(STEPS[4].head)
    assert debts.owe(4, STEPS[4:through])
    debts.paid()
    spool.trim(through)
    assert debts.covered(4) == through
    debt = debts.due(4, checksum(STATES[4]), spool)
    assert debt is not None and applied(STATES[4], caught_up(debt, STATES[-1])) == STATES[-1]


def test_a_catch_up_that_failed_leaves_the_debt(debts: Debts, spool: Spool) -> None:
    assert debts.owe(2, STEPS[2:4])
    debts.began(STEPS[4].head)
    assert debts.owe(2, STEPS[4:6])
    debts.ended()
    debt = debts.due(2, checksum(STATES[2]), spool)
    assert debt is not None and list(debt.pages.within(1, 9)) == [3, 4, 5, 6, 7]


@pytest.mark.parametrize("deed", ["paid", "void"])
def test_nothing_is_owed_after_the_end(debts: Debts, spool: Spool, tmp_path: Path, deed: str) -> None:
    assert debts.owe(2, STEPS[2:5])
    debts.began(STEPS[-1].head)
    getattr(debts, deed)()
    assert debts.covered(2) == again(tmp_path).covered(2) == 2
    assert debts.due(2, checksum(STATES[2]), spool) is None
    assert not [*(tmp_path / "replicas").iterdir()]


def test_a_debt_of_long_ago_is_not_in_the_way(debts: Debts, spool: Spool) -> None:
    assert debts.owe(0, STEPS[:2])
    debts.began(STEPS[1].head)
    assert debts.owe(4, STEPS[4:6])
    assert (debts.covered(4), debts.covered(0)) == (6, 0)


def test_half_of_the_pages_are_as_good_as_all() -> None:
    debt = debt_at(STEPS[0].head)
    found = []
    for step in STEPS[1:5]:
        assert debt.add(step)
        found.append((debt.count, debt.image_is_cheaper))
    assert found == [(1, False), (2, False), (3, False), (4, True)]


def test_a_page_that_did_not_change_can_be_sent_too() -> None:
    debt = debt_to(4)
    debt.include(1, 12345 | 1 << 63)
    debt.include(4, 54321)  # is in already
    wanted = debt_to(4)
    assert debt.old ^ wanted.old == 12345 | 1 << 63
    assert list(debt.pages.within(1, 9)) == [1, *wanted.pages.within(1, 9)]


def test_damage_is_noticed_wherever_it_is(debts: Debts, tmp_path: Path) -> None:
    assert debts.owe(2, STEPS[2:5])
    path = tmp_path / "replicas" / "nas.debt"
    whole = path.read_bytes()
    assert decode_debt(whole).through == 5
    damaged = [whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :] for at in range(len(whole))]
    for data in (*damaged, *(whole[:at] for at in range(len(whole))), whole + b"\0"):
        with pytest.raises(DamagedData):
            decode_debt(data)
    path.write_bytes(damaged[-1])
    assert again(tmp_path).covered(2) == 2


def test_no_entry_goes_when_the_debt_cannot_be_written(
    debts: Debts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert debts.owe(2, STEPS[2:3])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(EnvironmentFault, match="cannot be written"):
            debts.owe(2, STEPS[3:5])
    assert debts.covered(2) == again(tmp_path).covered(2) == 3
    assert debts.owe(2, STEPS[3:5])
    assert debts.covered(2) == again(tmp_path).covered(2) == 5


@pytest.mark.parametrize("point", ["file.written", "file.renamed"])
@pytest.mark.parametrize("passing", [1, 2, 3, 4])
def test_a_crash_leaves_everything_in_the_spool_or_owed(tmp_path: Path, spool: Spool, point: str, passing: int) -> None:
    """Two debts, in files of their own, and a death between any two of their writes."""

    def work() -> None:
        debts = Debts(tmp_path / "replicas", "nas")
        assert debts.owe(2, STEPS[2:3])
        spool.trim(3)
        debts.began(STEPS[3].head)
        for txid in (5, 6):
            assert debts.owe(2, STEPS[debts.covered(2) : txid])
            spool.trim(txid)

    died = dies_at(point, passing, work)
    assert died
    for cursor in (2, 4):
        life = tmp_path / f"{cursor}"
        for name in ("spool", "replicas"):
            shutil.copytree(tmp_path / name, life / name)
        left = Spool(life / "spool")
        list(left.open())
        found = again(life)
        covered = found.covered(cursor)
        assert {entry.txid for entry in left.entries(covered)} == set(range(covered + 1, 8))
        debt = found.due(cursor, checksum(STATES[cursor]), left)
        if debt is None:
            assert covered == cursor
        else:
            assert applied(STATES[cursor], caught_up(debt, STATES[-1])) == STATES[-1]
        other = again(life)
        assert other.owe(cursor, left.ledgers(other.covered(cursor)))
        left.trim(6)
        debt = other.due(cursor, checksum(STATES[cursor]), left)
        assert debt is not None and applied(STATES[cursor], caught_up(debt, STATES[-1])) == STATES[-1]


def test_free_room_is_told(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    assert 0 < free_bytes(tmp_path) <= found.f_blocks * found.f_frsize
    with pytest.raises(EnvironmentFault, match="nowhere cannot be looked at"):
        free_bytes(tmp_path / "nowhere")
