"""The real Litestream 0.3.13 writes, we restore what it restores; then its root becomes ours, or Litestream 0.5's."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from litestreamd.basics.clock import format_time_ns
from litestreamd.basics.errors import DamagedData, NotAvailable
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore_events import FormatChosen
from litestreamd.plan.restore import Before, Latest
from litestreamd.plan.restore_v3 import TargetV3
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.programs import EXIT_OK, LITESTREAM, LITESTREAM_3, OURS, demand, environment
from tests.support.replicator import Replicator
from tests.support.restoring import restored
from tests.support.scene import Scene
from tests.support.scene_v3 import DAMAGED, found, litestream_3, restored_by_3, sha256, stop, wishes, write_generation


def ours(
    root: Path, out: Path, wish: object, identities: tuple[str, ...] = (), events: list[Event] | None = None
) -> str | None:
    """The sha256 of what we restore, None when there is no such thing, DAMAGED when that is no sound database."""
    try:
        restored(FolderReplica(root, "file"), out, wish, identities=identities, events=events)
    except NotAvailable:
        return None
    except DamagedData as error:
        assert "a later -timestamp" in str(error), error
        return DAMAGED
    return sha256(out)


def old_objects(root: Path) -> dict[str, tuple[int, str]]:
    """Everything 0.3 left: times and contents."""
    files = (path for path in (root / "generations").rglob("*") if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, sha256(path)) for path in files}


@pytest.mark.parametrize(("page_size", "auto_vacuum"), [(4096, 0), (512, 1), (65536, 0)])
def test_every_state_that_litestream_3_restores(page_size: int, auto_vacuum: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size, auto_vacuum)
    for _ in range(2):
        write_generation(scene)
    states, refused = set(), 0
    for number, (wish, options) in enumerate(wishes(scene.root, page_size, times=6)):
        theirs = restored_by_3(scene.root, tmp_path / f"{number}-theirs.db", options)
        assert ours(scene.root, tmp_path / f"{number}-ours.db", wish) == theirs, options
        refused += theirs is None
        states.add(theirs)
    scene.assert_same(scene.source(), (tmp_path / "0-ours.db").read_bytes())
    assert len(states) > 8
    assert refused >= 2


def test_the_command_line_says_the_same(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    name = write_generation(scene)
    index = found(scene.root)[0].parts[-1].index
    options = ["-generation", name, "-index", f"{index:x}"]
    command = [*OURS.start, "restore", "-json", "-o", str(tmp_path / "ours.db"), *options, f"file://{scene.root}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert done.returncode == EXIT_OK, done.stderr
    assert json.loads(done.stdout)["generation"] == name
    assert sha256(tmp_path / "ours.db") == restored_by_3(scene.root, tmp_path / "theirs.db", options)


def test_what_it_encrypted_with_age(tmp_path: Path) -> None:
    age = pytest.importorskip("pyrage")
    identity = age.x25519.Identity.generate()
    scene = Scene(tmp_path)
    keys = {"identities": [str(identity)], "recipients": [str(identity.to_public())]}
    write_generation(scene, age=keys)
    newest = next(iter((scene.root / "generations").rglob("*.lz4"))).read_bytes()
    assert newest.startswith(b"age-encryption.org/v1\n")
    with pytest.raises(NotAvailable, match=r"encrypted with age: put the identity under age") as caught:
        restored(FolderReplica(scene.root, "file"), tmp_path / "locked.db")
    assert "AGE-SECRET" not in str(caught.value)
    events: list[Event] = []
    assert ours(scene.root, tmp_path / "open.db", Latest(), (str(identity),), events) is not None
    scene.assert_same(scene.source(), (tmp_path / "open.db").read_bytes())
    assert "AGE-SECRET" not in repr(events)


@pytest.mark.parametrize("successor", [OURS, LITESTREAM], ids=lambda program: program.name)
def test_a_root_of_litestream_3_gets_a_history_beside_it(successor: object, tmp_path: Path) -> None:
    """Both restore from it as if the other format were not there, each for its own time."""
    scene = Scene(tmp_path)
    write_generation(scene)
    last = found(scene.root)[-1].last_ns
    old_state, old = scene.source(), old_objects(scene.root)
    replicator: Replicator = scene.ours() if successor is OURS else scene.litestream()
    with replicator:
        replicator.start().wait_head(1)
        scene.work()
        replicator.wait_head(2)
        replicator.stop_clean()
    assert old_objects(scene.root) == old
    source = scene.source()
    events: list[Event] = []
    ours(scene.root, tmp_path / "ours-latest.db", Latest(), events=events)
    scene.assert_same(source, (tmp_path / "ours-latest.db").read_bytes())
    scene.assert_same(source, scene.restored(LITESTREAM))
    assert [event.v3 for event in events if isinstance(event, FormatChosen)] == [False]
    ours(scene.root, tmp_path / "ours-old.db", Before(last / 1_000_000, last))
    scene.assert_same(old_state, (tmp_path / "ours-old.db").read_bytes())
    scene.assert_same(old_state, scene.restored(LITESTREAM, timestamp=format_time_ns(last)))
    first = next(each.name for each in found(scene.root))
    assert ours(scene.root, tmp_path / "named.db", TargetV3(first)) == sha256(tmp_path / "ours-old.db")
    # 0.3 goes on: its objects are the newest again.
    with litestream_3(scene) as running:
        running.start()
        scene.work()
        running.wait(lambda: found(scene.root)[-1].last_ns > last, "something newer")
        stop(running)
    ours(scene.root, tmp_path / "again.db", Latest())
    scene.assert_same(scene.source(), (tmp_path / "again.db").read_bytes())
    scene.assert_same(scene.source(), scene.restored(LITESTREAM))


def test_which_format_counts_is_what_litestream_5_decides(tmp_path: Path) -> None:
    """The same root with other ages: at every moment around every object the same bytes."""
    scene = Scene(tmp_path)
    write_generation(scene)
    with scene.litestream() as running:
        running.start()
        scene.work(5)
        running.wait_head(2)
        running.wait(lambda: any(scene.root.glob("ltx/9/*.ltx")), "a snapshot")
        running.stop_clean()
    agreed, formats = 0, set()
    for turn, shift_s in enumerate((-3600, 0, 2, 3600)):
        root = Path(shutil.copytree(scene.root, tmp_path / f"root-{turn}"))
        files = [path for path in (root / "generations").rglob("*") if path.is_file()]
        for path in files:
            ns = path.stat().st_mtime_ns + shift_s * 1_000_000_000
            os.utime(path, ns=(ns, ns))
        snapshots = [path.stat().st_mtime_ns for path in root.glob("generations/*/snapshots/*")]
        full = [path.stat().st_mtime_ns for path in root.glob("ltx/9/*")]
        moments = sorted({snapshots[0], max(snapshots), *full, max(full) + 1_000_000, found(root)[-1].last_ns})
        for number, ns in enumerate([None, *moments]):
            wish = Latest() if ns is None else Before(ns / 1_000_000, ns)
            events: list[Event] = []
            mine = ours(root, tmp_path / f"{turn}-{number}-ours.db", wish, events=events)
            theirs = _restored_by_5(root, tmp_path / f"{turn}-{number}-theirs.db", ns)
            if theirs is not None:
                assert mine == theirs, (shift_s, ns)
                agreed += 1
                formats |= {event.v3 for event in events if isinstance(event, FormatChosen)}
    assert agreed > 12
    assert formats == {False, True}


def _restored_by_5(root: Path, out: Path, ns: int | None) -> str | None:
    """The sha256 of what 0.5.17 restores, None for a time that its bounds exclude."""
    chosen = [] if ns is None else ["-timestamp", format_time_ns(ns)]
    command = [*LITESTREAM.start, "restore", "-o", str(out), *chosen, f"file://{root}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    if done.returncode != EXIT_OK:
        assert "timestamp does not exist" in done.stdout + done.stderr, done.stdout + done.stderr
        return None
    return sha256(out)


def test_the_program_is_there() -> None:
    """CI must not pass without it."""
    demand(LITESTREAM_3)
    done = subprocess.run([*LITESTREAM_3.start, "version"], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "v0.3.13"
