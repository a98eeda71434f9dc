"""Whose a new file is: nothing is asked of the system when it is so already."""

import os
from pathlib import Path

import pytest

from litestreamd.database.ownership import give


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What was asked for, as a system that allows it."""
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid, follow_symlinks: calls.append((uid, gid)))
    monkeypatch.setattr(os, "fchown", lambda descriptor, uid, gid: calls.append((uid, gid)))
    return calls


def test_what_is_so_already_is_not_asked_for(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    (tmp_path / "a").touch()
    uid, gid = os.getuid(), (tmp_path / "a").stat().st_gid
    with (tmp_path / "a").open() as file:
        for target in (tmp_path / "a", file.fileno()):
            for owner in ((-1, -1), (uid, -1), (-1, gid), (uid, gid)):
                give(target, *owner)
    assert asked == []


def test_what_differs_is(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    (tmp_path / "a").touch()
    uid, gid = os.getuid(), (tmp_path / "a").stat().st_gid
    with (tmp_path / "a").open() as file:
        for target in (tmp_path / "a", file.fileno()):
            give(target, uid + 1, -1)
            give(target, uid, gid + 1)
    assert asked == [(uid + 1, -1), (uid, gid + 1)] * 2


def test_a_link_is_meant_itself(tmp_path: Path, asked: list[tuple[int, int]]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    give(tmp_path / "link", os.getuid() + 1, -1)
    assert asked == [(os.getuid() + 1, -1)]
