"""packaging/export.sh: what a package is built from."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.programs import TREE

KNOWN = (" blank first", "-dash first", "a 'quoted'", "grösse", "packaging/export.sh")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with names of all kinds, one file that is removed, and one that git does not know."""
    made = tmp_path / "tree"
    (made / "packaging").mkdir(parents=True)
    shutil.copy(TREE / "packaging" / "export.sh", made / "packaging")
    for name in (*KNOWN[:-1], "removed"):
        (made / name).write_text(name)
    for words in (("init", "--quiet"), ("add", "--all")):
        subprocess.run(["git", *words], cwd=made, check=True)
    (made / "removed").unlink()
    (made / ".env").write_text("SECRET=1")
    return made


def export(tree: Path, *before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, tree / "packaging" / "export.sh", tree.parent / "out"], capture_output=True, text=True, check=False
    )


def exported(tree: Path) -> set[str]:
    out = tree.parent / "out"
    return {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}


def test_what_git_knows(tree: Path) -> None:
    done = export(tree)
    assert done.returncode == 0, done.stderr
    assert exported(tree) == {*KNOWN}
    assert "no package has them: .env" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="root only: a tree of another owner is made")
def test_a_tree_that_git_refuses_is_refused(tree: Path) -> None:
    """Its .git, with what the address of a remote says, is no part of a source package."""
    subprocess.run(["chown", "-R", "4711", tree], check=True)
    done = export(tree, "env", "HOME=/nowhere", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
    assert done.returncode != 0
    assert "dubious ownership" in done.stderr
    assert exported(tree) == set()


def test_a_tree_of_which_git_knows_nothing_is_refused(tree: Path) -> None:
    subprocess.run(["git", "rm", "--quiet", "--cached", "-r", "."], cwd=tree, check=True)
    done = export(tree)
    assert done.returncode == 1
    assert "add them (git add --all)" in done.stderr
    assert exported(tree) == set()


def test_a_source_package_has_no_git(tree: Path) -> None:
    shutil.rmtree(tree / ".git")
    (tree / ".env").unlink()
    assert export(tree).returncode == 0
    assert exported(tree) == {*KNOWN}
