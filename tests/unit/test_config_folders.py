"""Folders of databases: which files are, what holds for each, and that no two share a place."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.errors import UsageError
from litestreamd.cli.options import Arguments
from litestreamd.cli.selection import select, select_one
from litestreamd.config import folders as module
from litestreamd.config.check import check_config
from litestreamd.config.folders import MAGIC, all_databases, belongs, databases_in, identity, settings_of
from litestreamd.config.model import DatabaseFolder, DatabaseSettings
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import ReplicaSpec
from litestreamd.replica.s3.settings import S3Settings


def folder(directory: Path, *stores: FolderSettings | S3Settings, recursive: bool = True) -> DatabaseFolder:
    specs = tuple(ReplicaSpec(f"r{number}", store) for number, store in enumerate(stores))
    return DatabaseFolder(directory, "*.db", DatabaseSettings(directory, specs), recursive)


def write(path: Path, data: bytes = MAGIC + bytes(100)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_which_files_are_databases(tmp_path: Path) -> None:
    wanted = [write(tmp_path / name) for name in ("a.db", "b c.db", "eu/a.db", "eu/west/z.db")]
    for name in (
        "a.db-wal",
        "a.db-shm",
        "a.db-journal",
        ".hidden.db",
        "x.sqlite",
        "a.before-2026.db",
        ".a.db-litestreamd/p.db",
    ):
        write(tmp_path / name)
    write(tmp_path / "empty.db", b"")
    write(tmp_path / "text.db", b"no database, but long enough")
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "z-link.db").symlink_to(tmp_path / "a.db")
    (tmp_path / "z-hard.db").hardlink_to(tmp_path / "a.db")
    os.mkfifo(tmp_path / "pipe.db")
    found = databases_in(folder(tmp_path, FolderSettings(Path("/backup"))))
    assert [each.path for each in found] == sorted(wanted)
    flat = databases_in(folder(tmp_path, FolderSettings(Path("/backup")), recursive=False))
    assert [each.path.name for each in flat] == ["a.db", "b c.db"]


def test_what_this_process_has_open_is_not_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing it would drop the locks that guard it."""
    a, b = write(tmp_path / "a.db"), write(tmp_path / "b.db")
    (tmp_path / "another name.db").symlink_to(a)
    opened: list[Path] = []
    real = module._is_database
    monkeypatch.setattr(module, "_is_database", lambda path: (opened.append(path), real(path))[1])
    found = identity(a)
    assert found is not None
    settings = databases_in(folder(tmp_path, FolderSettings(Path("/backup"))), {found: a})
    assert [each.path for each in settings] == [a, b]
    assert opened == [b]


def test_a_folder_that_is_missing_holds_nothing(tmp_path: Path) -> None:
    assert databases_in(folder(tmp_path / "none", FolderSettings(Path("/backup")))) == ()


def test_places_of_replicas_lie_below_those_of_the_template() -> None:
    held = folder(Path("/data"), FolderSettings(Path("/mnt/backup")), S3Settings("b", "pre/fix"), S3Settings("b", "."))
    local, bucket, bare = (spec.store for spec in settings_of(held, Path("/data/eu/a.db")).replicas)
    assert isinstance(local, FolderSettings) and isinstance(bucket, S3Settings) and isinstance(bare, S3Settings)
    assert (local.path, local.mount) == (Path("/mnt/backup/eu/a.db"), Path("/mnt"))
    assert (bucket.path, bare.path) == ("pre/fix/eu/a.db", "eu/a.db")


NAMES = st.text("ab.", min_size=1, max_size=4).filter(lambda name: not name.startswith("."))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(lambda parts: Path("/data", *parts))


@given(st.sets(PATHS, min_size=2, max_size=6))
def test_no_two_databases_share_a_place(paths: set[Path]) -> None:
    held = folder(Path("/data"), FolderSettings(Path("/backup")), S3Settings("b", "p"))
    settings = [settings_of(held, path) for path in paths]
    for number in range(2):
        assert len({each.replicas[number].store.url for each in settings}) == len(paths)


def test_names_alone_tell_what_belongs() -> None:
    held = folder(Path("/data"), FolderSettings(Path("/backup")))
    flat = folder(Path("/data"), FolderSettings(Path("/backup")), recursive=False)
    assert belongs(held, Path("/data/a.db")) and belongs(held, Path("/data/x/y/a.db"))
    assert belongs(flat, Path("/data/a.db")) and not belongs(flat, Path("/data/x/a.db"))
    for path in (
        "/other/a.db",
        "/data",
        "/data/a.txt",
        "/data/.x/a.db",
        "/data/.a.db",
        "/data/a.db-wal",
        "/data2/a.db",
    ):
        assert not belongs(held, Path(path)), path


def configured(tmp_path: Path) -> Path:
    path = tmp_path / "c.yml"
    held = f"{{dir: {tmp_path}/d, pattern: '*.db', replica: {{path: {tmp_path}/r}}}}"
    own = f"{{path: {tmp_path}/d/own.db, replica: {{path: {tmp_path}/own}}}}"
    path.write_text(f"dbs: [{held}, {own}]")
    return path


def test_one_with_an_entry_of_its_own_is_taken_once(tmp_path: Path) -> None:
    for name in ("own.db", "a.db"):
        write(tmp_path / "d" / name)
    config = check_config(configured(tmp_path).read_bytes(), tmp_path / "c.yml", {})
    found = {each.path.name: each.replicas[0].store for each in all_databases(config)}
    assert found == {
        "own.db": FolderSettings(tmp_path / "own"),
        "a.db": FolderSettings(tmp_path / "r" / "a.db", tmp_path / "r"),
    }


def test_commands_name_a_database_of_a_folder_also_when_it_is_lost(tmp_path: Path) -> None:
    write(tmp_path / "d" / "a.db")
    arguments = Arguments({"config": str(configured(tmp_path))})
    assert [target.database.path.name for target in select("app", arguments) if target.database] == ["own.db", "a.db"]
    lost = select_one(str(tmp_path / "d" / "lost.db"), arguments)
    assert lost.replicas[0].store == FolderSettings(tmp_path / "r" / "lost.db", tmp_path / "r")
    with pytest.raises(UsageError, match="did you mean"):
        select_one(str(tmp_path / "d" / "a.bd"), arguments)
