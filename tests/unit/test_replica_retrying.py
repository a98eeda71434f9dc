"""Another try where it may help: how often, for what, and that reads go on where they broke off."""

import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.errors import ConflictError, ObjectMissing, RightsError, StoreError, StoreMissing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created, Replica
from litestreamd.replica.retrying import REPLAYED, Patience, Retrying
from litestreamd.v3.names import SnapshotName

NAME = ObjectName(0, 1, 1)
QUICK = Patience(first_s=0.0001, longest_s=0.001)
OLD = SnapshotName("0123456789abcdef", 0)


class Shaky(FolderReplica):
    """Fails as often as it is told, before or (with `late`) after it has done what it was asked to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "shaky")
        self.failures: list[Exception] = []
        self.late = False
        self.calls = 0

    def _shake(self, deed: Callable[[], Any]) -> Any:
        self.calls += 1
        if self.failures and not self.late:
            raise self.failures.pop(0)
        done = deed()
        if self.failures:
            raise self.failures.pop(0)
        return done

    def create(self, name: ObjectName, body: Iterable[bytes], timestamp_ms: int, most: int | None = None) -> Created:
        create = super().create
        return self._shake(lambda: create(name, body, timestamp_ms, most))  # type: ignore[no-any-return]

    def list(self, level: int | None = None) -> Iterator[Any]:
        listing = super().list
        return self._shake(lambda: listing(level))  # type: ignore[no-any-return]

    def open(self, name: ObjectName, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        self.calls += 1
        for chunk in super().open(name, offset, length):
            half = len(chunk) // 2
            yield chunk[:half]
            if self.failures:
                raise self.failures.pop(0)
            yield chunk[half:]


@pytest.fixture
def shaky(tmp_path: Path) -> Shaky:
    return Shaky(tmp_path / "root")


def passing(count: int) -> list[Exception]:
    return [StoreError("it is busy") for _ in range(count)]


def test_a_few_failures_are_not_seen(shaky: Shaky) -> None:
    shaky.failures = passing(3)
    assert Retrying(shaky, QUICK).create(NAME, iter([b"a", b"b"]), 1) is Created.CREATED
    assert shaky.calls == 4
    assert shaky.read_at(NAME, 0, 9) == b"ab"


def test_patience_ends(shaky: Shaky) -> None:
    shaky.failures = passing(9)
    with pytest.raises(StoreError, match="busy"):
        Retrying(shaky, QUICK).list()
    assert shaky.calls == QUICK.tries


def test_no_try_begins_after_the_budget(shaky: Shaky) -> None:
    shaky.failures = passing(9)
    with pytest.raises(StoreError):
        Retrying(shaky, Patience(first_s=0.0001, budget_s=-1)).list()
    assert shaky.calls == 1


@pytest.mark.parametrize("error", [RightsError("no"), StoreMissing("no"), ConflictError("no"), ObjectMissing("no")])
def test_what_no_try_can_help_is_told_at_once(shaky: Shaky, error: Exception) -> None:
    shaky.failures = [error]
    with pytest.raises(type(error)):
        Retrying(shaky, QUICK).list()
    assert shaky.calls == 1


def test_an_answer_that_was_lost_leaves_the_name_taken(shaky: Shaky) -> None:
    """The caller then looks at what is there: its own bytes, or another writer's."""
    shaky.failures, shaky.late = passing(1), True
    assert Retrying(shaky, QUICK).create(NAME, [b"ab"], 1) is Created.EXISTS


def test_a_large_body_is_not_held_for_another_try(shaky: Shaky) -> None:
    shaky.failures = passing(1)
    piece = bytes(1 << 20)
    body = (piece for _ in range((REPLAYED >> 20) + 2))
    with pytest.raises(StoreError):
        Retrying(shaky, QUICK).create(NAME, body, 1)
    assert shaky.calls == 1
    sent = (piece for _ in range((REPLAYED >> 20) + 2))
    assert Retrying(shaky, QUICK).create(NAME, sent, 1) is Created.CREATED
    found = shaky.find(NAME)
    assert found is not None
    assert found.size == REPLAYED + (2 << 20)


def test_a_body_that_fails_is_no_trouble_of_the_store(shaky: Shaky) -> None:
    def body() -> Iterator[bytes]:
        yield b"x"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Retrying(shaky, QUICK).create(NAME, body(), 1)
    assert shaky.calls == 0


@given(size=st.integers(0, 400_000), failures=st.integers(0, 3), offset=st.integers(0, 300_000), data=st.data())
def test_a_read_goes_on_where_it_broke_off(
    tmp_path_factory: pytest.TempPathFactory, size: int, failures: int, offset: int, data: st.DataObject
) -> None:
    shaky = Shaky(tmp_path_factory.mktemp("root") / "r")
    body = random.Random(size).randbytes(size)
    shaky.create(NAME, [body], 1)
    length = data.draw(st.none() | st.integers(0, 300_000))
    shaky.failures = passing(failures)
    found = b"".join(Retrying(shaky, QUICK).open(NAME, offset, length))
    assert found == body[offset:][:length]


def test_progress_renews_patience(shaky: Shaky) -> None:
    """A read that takes hours may meet more failures than a request may."""
    body = bytes(range(256)) * 20_000
    shaky.create(NAME, [body], 1)
    shaky.failures = passing(20)
    assert b"".join(Retrying(shaky, QUICK).open(NAME)) == body


def test_old_objects_go_on_too(tmp_path: Path) -> None:
    class Broken(FolderReplica):
        failures = 2

        def open_v3(self, name: Any) -> Iterator[bytes]:
            for number, chunk in enumerate(super().open_v3(name)):
                if number and self.failures:
                    self.failures -= 1
                    raise StoreError("it is busy")
                yield chunk

    body = random.Random(1).randbytes(500_000)
    path = tmp_path / "root" / OLD.path
    path.parent.mkdir(parents=True)
    path.write_bytes(body)
    assert b"".join(Retrying(Broken(tmp_path / "root", "r"), QUICK).open_v3(OLD)) == body


def test_waits_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)

    def fail() -> None:
        raise StoreError("it is busy")

    for _ in range(20):
        with pytest.raises(StoreError):
            Patience(tries=6, first_s=1.0, longest_s=4.0).run(fail)
    for longest, some in zip((1, 2, 4, 4, 4), zip(*[iter(waits)] * 5, strict=True).__next__(), strict=True):
        assert longest / 2 <= some <= longest
    assert len(set(waits)) > 50


def test_it_is_the_replica_it_holds(shaky: Shaky) -> None:
    held: Replica = Retrying(shaky)
    for name in ("name", "description", "kind", "fence", "times"):
        assert getattr(held, name) == getattr(shaky, name)
