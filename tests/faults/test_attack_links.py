"""A state directory beside the database can be prepared by the application's user; the daemon may be root."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from litestreamd.database.kept_copy import Kept, KeptCopy
from litestreamd.database.state import VERSION, read_json, write_json
from litestreamd.database.state_paths import state_directory
from tests.support.driving import Drive
from tests.support.live import create

PRECIOUS = "not ours to write"


NAMES = ["state.json.tmp", "pages.1", "pages.2", f"spool/{2:016x}.tmp", "replicas/replica.json.tmp"]


@pytest.mark.parametrize("name", NAMES)
def test_no_link_is_followed_to_somebody_elses_file(name: str, tmp_path: Path) -> None:
    path, victim = tmp_path / "app.db", tmp_path / "victim"
    create(path)
    victim.write_text(PRECIOUS)
    state = state_directory(path, None, None)
    (state / name).parent.mkdir(parents=True)
    (state / name).symlink_to(victim)
    drive = Drive(path, tmp_path / "replica", state=state).settle().elapse(20)
    drive.stop()
    assert victim.read_text() == PRECIOUS


def test_nobody_else_reads_the_spool(tmp_path: Path) -> None:
    """Not even when somebody else made its folder."""
    path = tmp_path / "app.db"
    create(path)
    state = state_directory(path, None, None)
    (state / "spool").mkdir(parents=True)
    drive = Drive(path, tmp_path / "missing" / "replica", tmp_path / "replica", state=state).settle().elapse(5)
    entries = list((state / "spool").iterdir())
    assert entries
    assert all(stat.S_IMODE(entry.stat().st_mode) == 0o600 for entry in entries)
    drive.stop()


def test_a_link_in_place_of_a_file_of_ours_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("of somebody else")
    (tmp_path / "x.json.tmp").symlink_to(tmp_path / "elsewhere")
    write_json(tmp_path / "x.json", {"version": VERSION, "a": 1})
    assert read_json(tmp_path / "x.json") == {"version": VERSION, "a": 1}
    assert (tmp_path / "elsewhere").read_text() == "of somebody else"
    assert not (tmp_path / "x.json.tmp").is_symlink()


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_drill_does_not_go_on_with_a_file_that_has_another_name(
    link: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    """It would bring the pages of that file forward."""
    victim, kept, output = tmp_path / "victim", Kept("file:///replica", 7, 4096, {}), tmp_path / "restored.db"
    victim.write_text(PRECIOUS)
    (tmp_path / "state").mkdir()
    output.write_bytes(b"a good copy")
    copy = KeptCopy(tmp_path / "state", "replica")
    assert copy.keep(output, kept)
    assert copy.take("file:///replica", output) == kept, "one that is not tampered with is taken"

    assert copy.keep(output, kept)
    (laid,) = (tmp_path / "state" / "drill").glob("*.db")
    laid.unlink()
    link(laid, victim)
    assert copy.take("file:///replica", output) is None
    assert not output.exists() and not output.is_symlink()
    assert victim.read_text() == PRECIOUS
