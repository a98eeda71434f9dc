"""A debt and the live pages are worth the files that left the spool, whatever the history and whatever happens."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litestreamd.basics.checksum import lock_page
from litestreamd.database.debt import debt_before, decode_debt
from litestreamd.database.debts import Debts
from litestreamd.database.ledger import Head
from litestreamd.database.page_set import PageSet
from litestreamd.database.spool import Spool
from litestreamd.plan.position import Position
from litestreamd.plan.spool_quota import leaving
from tests.support.debts import PAGE, State, applied, caught_up, checksum, head_at, ledger, page, spooled

# A change: the size that the database gets, and pages that are written (content drawn from few, so that some return).
CHANGE = st.tuples(st.integers(1, 12), st.dictionaries(st.integers(1, 12), st.integers(0, 3), max_size=4))
HISTORY = st.lists(CHANGE, min_size=2, max_size=12)


def changed(state: State, change: tuple[int, dict[int, int]]) -> State:
    size, written = change
    pages = [*state[:size], *(page(100 + pgno) for pgno in range(len(state) + 1, size + 1))]
    for pgno, seed in written.items():
        if pgno <= size:
            pages[pgno - 1] = page(seed)
    return tuple(pages)


def states_of(history: list[tuple[int, dict[int, int]]]) -> list[State]:
    states: list[State] = [(page(0), page(1), page(2))]
    for change in history:
        states.append(changed(states[-1], change))
    return states


@given(HISTORY, st.data())
def test_a_debt_and_the_live_pages_are_worth_the_files(
    history: list[tuple[int, dict[int, int]]], data: st.DataObject
) -> None:
    states = states_of(history)
    start = data.draw(st.integers(0, len(states) - 2))
    steps = [
        ledger(txid, states[txid - 1], states[txid], data.draw(st.sets(st.integers(1, 12), max_size=2)))
        for txid in range(start + 1, len(states))
    ]
    debt = debt_before(steps[0])
    assert (debt.txid, debt.before, debt.empty) == (start, checksum(states[start]), True)
    for number, step in enumerate(steps):
        assert debt.add(step)
        assert debt.add(steps[data.draw(st.integers(0, number))])  # one that is in already
        if data.draw(st.booleans()):
            debt = decode_debt(debt.encode())
        assert debt.after == checksum(states[debt.through])
    reached = data.draw(st.integers(start, len(states) - 1))
    debt.rebase(reached, checksum(states[reached]))
    live = states[-1]
    assert debt.meets(steps[-1].head)
    file = caught_up(debt, live)
    assert file.proven == checksum(live)
    assert applied(states[reached], file) == live
    assert (debt.since.txid, debt.since.before) == (reached, checksum(states[reached]))
    assert debt.count == len(file.pages)
    assert debt.image_is_cheaper == (len(file.pages) > len(live) / 2)
    # One fault at a time: a CRC is linear, so that several that fit each other can cancel out.
    whole = file.pages
    for pgno in whole:
        wrong = {**whole, pgno: page(77)}
        missing = {one: content for one, content in whole.items() if one != pgno}
        for pages in (wrong, missing):
            file.pages = pages
            assert file.proven != checksum(live)


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), CHANGE),
        st.tuples(st.just("commit"), CHANGE),
        st.tuples(st.just("room"), st.integers(0, 400)),
        st.tuples(st.just("room"), st.integers(0, 400)),
        st.tuples(st.sampled_from(("ship", "restart", "begin", "arrive", "fail")), st.none()),
    ),
    max_size=30,
)


class Replicated:
    """One database, its spool, one replica with its debts. A catch-up is on its way while `coming` is set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states: list[State] = [(page(0), page(1), page(2))]
        self.replica, self.cursor = self.states[0], 0
        self.spool = Spool(folder / "spool")
        self.coming: tuple[int, State] | None = None
        self.restart()

    @property
    def head(self) -> Head:
        txid, state = len(self.states) - 1, self.states[-1]
        return head_at(txid, state, Position(bytes(8), txid, bytes(8), txid, PAGE, len(state)))

    def restart(self) -> None:
        self.coming = None
        list(self.spool.open())
        self.debts = Debts(self.folder / "replicas", "nas")
        self.debts.open()

    def commit(self, change: tuple[int, dict[int, int]]) -> None:
        before = self.states[-1]
        self.states.append(changed(before, change))
        told = ledger(len(self.states) - 1, before, self.states[-1], also=[1])
        spooled(self.spool, told, size=50)

    def room(self, room: int) -> None:
        entries = [(entry.txid, entry.stored) for entry in self.spool.entries()]
        found = leaving(entries, {"nas": self.debts.covered(self.cursor)}, room * 10)
        if "nas" in found.owed:
            told = (one for one in self.spool.ledgers(found.owed["nas"]) if one.head.txid <= found.through)
            assert self.debts.owe(self.cursor, told)
        self.spool.trim(found.through)

    def ship(self) -> None:
        """The next level-0 file, if it is there."""
        if self.coming is None and self.spool.get(self.cursor + 1) is not None:
            self.cursor += 1
            self.replica = self.states[self.cursor]

    def begin(self) -> None:
        debt = self.debts.due(self.cursor, checksum(self.replica), self.spool) if self.coming is None else None
        if debt is None:
            return
        assert debt.meets(self.head)
        self.debts.began(self.head)
        file = caught_up(debt, self.states[-1])
        assert file.proven == self.head.checksum
        self.coming = self.head.txid, applied(self.replica, file)

    def arrive(self) -> None:
        if self.coming is not None:
            self.cursor, self.replica = self.coming
            self.coming = None
            self.debts.paid()

    def fail(self) -> None:
        if self.coming is not None:
            self.coming = None
            self.debts.ended()

    def check(self) -> None:
        """What the replica lacks is in the spool, or owed."""
        assert self.replica == self.states[self.cursor]
        there = [entry.txid for entry in self.spool.entries()]
        covered = self.debts.covered(self.cursor)
        assert covered >= self.cursor
        assert set(range(covered + 1, len(self.states))) <= set(there)
        assert len(self.states) == 1 or there[-1] == len(self.states) - 1


@given(DEEDS)
@settings(deadline=None, max_examples=150)
def test_a_replica_that_was_away_comes_back_to_the_newest_state(deeds: list[tuple[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = Replicated(Path(folder))
        for deed, what in deeds:
            act = getattr(world, deed)
            act() if what is None else act(what)
            world.check()
        world.fail()
        for _ in range(2):
            world.begin()
            world.arrive()
        while world.spool.get(world.cursor + 1) is not None:
            world.ship()
            world.check()
        assert world.replica == world.states[-1]
        assert world.debts.covered(world.cursor) == world.cursor


@given(st.sets(st.integers(1, 400)), st.integers(1, 420), st.integers(1, 420))
def test_a_page_set_is_a_set(pages: set[int], first: int, last: int) -> None:
    found = PageSet()
    for pgno in sorted(pages, key=hash):
        assert found.add(pgno)
        assert not found.add(pgno)
    found = PageSet(found.encode())
    within = sorted(pgno for pgno in pages if first <= pgno <= last)
    assert list(found.within(first, last)) == within
    assert found.count(last) == sum(pgno <= last for pgno in pages)
    assert [pgno for pgno in range(1, 430) if pgno in found] == sorted(pages)
    if within:
        assert found.any(first, last - first + 1)


@pytest.mark.parametrize("size", [512, 65536])
def test_the_lock_page_is_not_counted(size: int) -> None:
    lock = lock_page(size)
    before: State = (page(0),)
    debt = debt_before(ledger(5, before, (page(1),), page_size=size))
    assert debt.add(ledger(5, before, (page(1),), page_size=size))
    debt.commit = lock + 5
    debt.pages.add(lock)
    debt.pages.add(lock + 1)
    assert debt.count == 2
