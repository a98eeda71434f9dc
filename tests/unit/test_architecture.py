"""The floors hold, and the contracts that say so are awake: a planted fault in a copy of the tree is caught."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
MODULES = sorted((TREE / "litestreamd").rglob("*.py"))
LONGEST = 300
NO_NAMES = {"util", "utils", "helper", "helpers", "common", "manager", "base", "misc"}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("importlinter")
    command = [sys.executable, "-c", LINT]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(TREE / "pyproject.toml", tmp_path)
    shutil.copytree(TREE / "litestreamd", tmp_path / "litestreamd", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_imports_only_go_down() -> None:
    result = lint(TREE)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("wal", "import litestreamd.plan", "Floors BROKEN"),
        ("wal", "import litestreamd.ltx", "Floors BROKEN"),
        ("v3", "import litestreamd.wal", "Floors BROKEN"),
        ("replica", "import litestreamd.database", "Floors BROKEN"),
        ("jobs", "import litestreamd.config", "Floors BROKEN"),
        ("basics", "import litestreamd.cli", "Floors BROKEN"),
        ("plan", "import time", "Codecs and decisions are pure BROKEN"),
        ("ltx", "from pathlib import Path", "Codecs and decisions are pure BROKEN"),
        ("v3", "import os", "Codecs and decisions are pure BROKEN"),
        ("wal", "import logging", "Codecs and decisions are pure BROKEN"),
        ("jobs", "import apsw", "Only database/ opens SQLite BROKEN"),
        ("database", "import sqlite3", "And only through apsw BROKEN"),
    ],
)
def test_a_planted_fault_is_caught(copy: Path, room: str, line: str, contract: str) -> None:
    (copy / "litestreamd" / room / "planted.py").write_text(f'"""Planted."""\n\n{line}\n')
    result = lint(copy)
    assert result.returncode != 0
    assert contract in result.stdout


def test_a_room_without_a_floor_is_caught(copy: Path) -> None:
    (copy / "litestreamd" / "attic").mkdir()
    (copy / "litestreamd" / "attic" / "__init__.py").write_text('"""A new room."""\n')
    assert lint(copy).returncode != 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TREE)))
def test_a_file_does_one_job_and_says_which(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text)), "a module says what goes in, what comes out, what is promised"
    assert len(text.splitlines()) <= LONGEST
    assert path.stem not in NO_NAMES
