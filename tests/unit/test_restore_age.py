"""Objects that were encrypted with age: opened while they are read, or refused in one sentence that shows no key."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from litestreamd.basics.errors import ConfigError, DamagedData, NotAvailable, StoreError
from litestreamd.cli.main import main
from litestreamd.jobs.age import decrypt
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Integrity
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.restoring import restored
from tests.support.v3_writer import Backup, store, three_wals

MINE, OTHER = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()


def chunks(data: bytes, size: int = 1000) -> Iterator[bytes]:
    yield from (data[start : start + size] for start in range(0, len(data), size))


def encrypted(data: bytes, identity: object = MINE) -> bytes:
    body: bytes = pyrage.encrypt(data, [identity.to_public()])  # type: ignore[attr-defined]
    return body


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    """Everything in it encrypted."""
    made = three_wals(tmp_path / "replica")
    for entry in made.log:
        store(made.root, entry.name, encrypted(entry.path.read_bytes()), entry.created_ns)
    return made


def opened(backup: Backup, out: Path, *identities: str, events: list[Event] | None = None) -> bytes:
    restored(FolderReplica(backup.root, "file"), out, integrity=Integrity.NONE, identities=identities, events=events)
    return out.read_bytes()


def test_the_right_identity_among_others(tmp_path: Path, backup: Backup) -> None:
    assert opened(backup, tmp_path / "out.db", str(OTHER), str(MINE)) == backup.image(7)


def test_plain_objects_need_none_and_mind_none(tmp_path: Path, backup: Backup) -> None:
    """A generation in which encryption began later."""
    plain = three_wals(tmp_path / "plain")
    for entry in plain.log[:3]:
        store(backup.root, entry.name, entry.path.read_bytes(), entry.created_ns)
    assert opened(backup, tmp_path / "out.db", str(MINE)) == backup.image(7)


@pytest.mark.parametrize(
    ("identities", "sentence"),
    [
        ([], r"00000001\.snapshot\.lz4: it is encrypted with age: put the identity under age: \{identities"),
        ([str(OTHER)], r"00000001\.snapshot\.lz4: it is encrypted with age, and none of the identities .* opens it"),
    ],
)
def test_without_the_right_one(identities: list[str], sentence: str, tmp_path: Path, backup: Backup) -> None:
    events: list[Event] = []
    with pytest.raises(NotAvailable, match=sentence) as caught:
        opened(backup, tmp_path / "out.db", *identities, events=events)
    assert "AGE-SECRET" not in f"{caught.value!r} {events!r}"
    assert {path.name for path in tmp_path.iterdir()} == {"replica"}


def test_what_is_no_identity(tmp_path: Path, backup: Backup) -> None:
    with pytest.raises(ConfigError, match="number 2 is not an identity of age") as caught:
        opened(backup, tmp_path / "out.db", str(MINE), str(MINE)[:-1] + "B")
    assert "SECRET" not in str(caught.value)


def test_without_the_library(tmp_path: Path, backup: Backup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrage", None)
    with pytest.raises(NotAvailable, match=r"library for it is not installed: pip install 'litestreamd\[age\]'"):
        opened(backup, tmp_path / "out.db", str(MINE))
    plain = three_wals(tmp_path / "plain")
    assert opened(plain, tmp_path / "plain.db") == plain.image(7)


@pytest.mark.parametrize("cut", [-1, -5000, 300, 30])
def test_cut(cut: int) -> None:
    data = encrypted(bytes(200_000))
    with pytest.raises((DamagedData, NotAvailable)):
        decrypt(chunks(data[:cut]), [str(MINE)], lambda _: None)


@pytest.mark.parametrize("at", [-1, 500, 100_000])
def test_flipped(at: int) -> None:
    data = bytearray(encrypted(bytes(200_000)))
    data[at] ^= 1
    with pytest.raises(DamagedData, match="does not decrypt"):
        decrypt(chunks(bytes(data)), [str(MINE)], lambda _: None)


def test_a_large_one_is_never_held_whole() -> None:
    """What goes in comes out soon after."""
    data = bytes(range(256)) * 40_000
    body = encrypted(data)
    given = taken = behind = 0
    out = bytearray()

    def source() -> Iterator[bytes]:
        nonlocal given
        for chunk in chunks(body, 64 << 10):
            given += len(chunk)
            yield chunk

    def sink(piece: bytes) -> None:
        nonlocal taken, behind
        out.extend(piece)
        taken += len(piece)
        behind = max(behind, given - taken)

    decrypt(source(), [str(MINE)], sink)
    assert out == data
    assert behind <= 256 << 10


@pytest.mark.parametrize("first", [0, 1, 400])
def test_errors_of_the_store_stay_what_they_are(first: int) -> None:
    def source() -> Iterator[bytes]:
        yield encrypted(bytes(200_000))[: 200 * first]
        raise StoreError("the store is gone")

    with pytest.raises(StoreError, match="the store is gone"):
        decrypt(source(), [str(MINE)], lambda _: None)


@pytest.mark.parametrize("error", [StoreError("full"), DamagedData("wrong page"), KeyboardInterrupt()])
def test_errors_of_whoever_takes_the_bytes_stay_what_they_are(error: BaseException) -> None:
    def sink(_: bytes) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        decrypt(chunks(encrypted(bytes(200_000))), [str(MINE)], sink)
    assert caught.value is error


def test_from_a_configuration(
    tmp_path: Path, backup: Backup, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "app.yml"
    config.write_text(
        f"dbs: [{{path: {tmp_path}/app.db, replica: {{path: {backup.root}, age: {{identities: ['${{KEY}}']}}}}}}]"
    )
    words = ["restore", "-config", str(config), "-integrity-check", "none", str(tmp_path / "app.db")]
    monkeypatch.setenv("KEY", str(OTHER))
    assert main(words) == 1
    monkeypatch.setenv("KEY", str(MINE))
    assert main(words) == 0
    assert (tmp_path / "app.db").read_bytes() == backup.image(7)
    captured = capsys.readouterr()
    assert "none of the identities" in captured.err
    assert "AGE-SECRET" not in captured.err + captured.out
