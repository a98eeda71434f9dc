"""`replicate -exec`: the application as a child, as in a container."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.markdown import blocks
from tests.support.programs import OURS, TREE, environment
from tests.support.waiting import until

APP = """
import os, signal, sqlite3, sys, time
path, folder = sys.argv[1:]
db = sqlite3.connect(path, isolation_level=None, timeout=30)
def write(word):
    db.execute("INSERT INTO t VALUES (?)", (word,))
def note(number, frame):
    write(signal.Signals(number).name)
def stop(number, frame):
    write("last words")
    sys.exit(7)
for each in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT):
    signal.signal(each, note)
signal.signal(signal.SIGTERM, stop)
write("hello")
write("blocked %d" % len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
write("told " + os.environ.get("NOTIFY_SOCKET", "nothing") + " " + os.environ["OF_THE_USER"])
open(folder + "/started", "w").close()
while not os.path.exists(folder + "/end"):
    time.sleep(0.01)
write("end")
sys.exit(int(open(folder + "/end").read()))
"""
DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").close()
while True:
    time.sleep(10)
"""
COUNTS = """
import os, signal, sys
if sys.argv[1] == "alone":
    os.setpgid(0, 0)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
count = 0
open("started", "w").close()
while signal.sigtimedwait([signal.SIGINT], 2 if count else 50):
    count += 1
sys.exit(count)
"""


class Scene:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "a b.db"
        with closing(sqlite3.connect(self.database)) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE t (word)")
            db.commit()
        (folder / "app.py").write_text(APP)
        self.config = folder / "c.yml"
        (folder / "disk").mkdir()
        self.replica = folder / "disk" / "replica"
        self.config.write_text(f"dbs: [{{path: '{self.database}', replica: {{path: {self.replica}}}}}]\n")

    @property
    def command(self) -> str:
        return f"{sys.executable} app.py '{self.database}' {self.folder}"

    @contextmanager
    def start(
        self, *words: str, before: tuple[str, ...] = (), stdin: int | None = None, stderr: int = subprocess.DEVNULL
    ) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [*before, *OURS.start, "replicate", "-config", str(self.config), *words], cwd=self.folder,
            env=environment(NOTIFY_SOCKET="/nowhere", OF_THE_USER="this", PYTHONPATH=str(TREE)),
            stdin=stdin, stderr=stderr,
        ) as process:  # fmt: skip
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.kill()

    def has_started(self) -> None:
        until((self.folder / "started").exists, "the application has started", 60)

    def words(self) -> list[str]:
        """What the replica has."""
        copy = self.folder / "copy.db"
        copy.unlink(missing_ok=True)
        subprocess.run(
            [*OURS.start, "restore", "-config", self.config, "-o", copy, self.database], cwd=TREE, env=environment(),
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        with closing(sqlite3.connect(copy)) as db:
            return [word for (word,) in db.execute("SELECT word FROM t ORDER BY rowid")]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


LIMITED = ("prlimit", "--nofile=512:4000")
BEGIN = ["hello", "blocked 0", "told nothing this"]


@pytest.mark.parametrize("code", [0, 5])
def test_it_ends_with_its_child_and_as_it_ended(scene: Scene, code: int) -> None:
    with scene.start("-exec", scene.command) as process:
        scene.has_started()
        (scene.folder / "end").write_text(str(code))
        assert process.wait(60) == code
    assert scene.words() == [*BEGIN, "end"]


def test_signals_are_passed_on_and_its_last_commit_is_on_the_replica(scene: Scene) -> None:
    scene.config.write_text(scene.config.read_text() + f'exec: "{scene.command}"\n')
    with scene.start() as process:
        scene.has_started()
        for number in (signal.SIGUSR1, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR2):
            process.send_signal(number)
            until(lambda number=number: number.name in read(scene.database), f"{number.name} has arrived")  # type: ignore[misc]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 7
    assert scene.words() == [*BEGIN, "SIGUSR1", "SIGHUP", "SIGQUIT", "SIGUSR2", "last words"]


def test_what_kills_it_is_told(scene: Scene) -> None:
    with scene.start("-exec", scene.command) as process:
        scene.has_started()
        os.kill(child_of(process.pid), signal.SIGKILL)
        assert process.wait(60) == 128 + signal.SIGKILL
    assert scene.words() == BEGIN


def test_one_that_is_deaf_is_killed_by_the_second_signal(scene: Scene) -> None:
    (scene.folder / "deaf.py").write_text(DEAF)
    with scene.start("-exec", f"{sys.executable} deaf.py started") as process:
        scene.has_started()
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)  # it is waited for
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGKILL


@pytest.mark.parametrize("alone", [False, True])
def test_ctrl_c_comes_once(scene: Scene, alone: bool) -> None:
    """From the terminal, or, where that does not reach it, from us."""
    (scene.folder / "counts.py").write_text(COUNTS)
    master, terminal = os.openpty()
    command = f"{sys.executable} counts.py {'alone' if alone else 'together'}"
    try:
        with scene.start("-exec", command, stdin=terminal, before=("setsid", "--ctty")) as process:
            scene.has_started()
            os.write(master, b"\x03")
            assert process.wait(60) == 1
    finally:
        os.close(master)
        os.close(terminal)


def test_a_terminal_that_hangs_up_is_told(scene: Scene) -> None:
    """The kernel tells the leader of the session, which we are, and nobody else."""
    master, terminal = os.openpty()
    try:
        with scene.start("-exec", scene.command, stdin=terminal, before=("setsid", "--ctty")) as process:
            scene.has_started()
            os.close(terminal)
            terminal = -1
            os.close(master)
            until(lambda: "SIGHUP" in read(scene.database), "SIGHUP has arrived")
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 7
    finally:
        if terminal >= 0:
            os.close(terminal)
            os.close(master)


def test_a_parent_that_ignores_its_children(scene: Scene) -> None:
    """SIGCHLD is then ignored in us as well (execve(2)), and nobody can be waited for."""
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with scene.start("-exec", scene.command, before=(sys.executable, "-c", ignoring)) as process:
        scene.has_started()
        (scene.folder / "end").write_text("5")
        assert process.wait(60) == 5


def test_what_is_left_behind_counts_when_it_ended_well(scene: Scene) -> None:
    scene.config.write_text("shutdown-sync-timeout: 0s\n" + scene.config.read_text())
    with scene.start("-exec", scene.command) as process:
        scene.has_started()
        (scene.folder / "disk").rename(scene.folder / "away")
        (scene.folder / "end").write_text("0")
        assert process.wait(60) == 73


def test_it_reads_what_we_would(scene: Scene) -> None:
    with scene.start("-exec", "sh -c 'cat >read; echo $0 >>read' 'a $HOME'", stdin=subprocess.PIPE) as process:
        process.communicate(b"a line\n", timeout=60)
        assert process.returncode == 0
    assert (scene.folder / "read").read_text() == "a line\na $HOME\n"


def test_it_has_the_limits_that_we_were_given(scene: Scene) -> None:
    """Ours is raised to the hard one."""
    with scene.start("-exec", "sh -c 'ulimit -Sn >read; ulimit -Hn >>read'", before=LIMITED) as process:
        assert process.wait(60) == 0
    assert (scene.folder / "read").read_text() == "512\n4000\n"


def test_it_survives_a_new_configuration(scene: Scene) -> None:
    """SIGHUP is for both: the daemon reads its configuration again, and does not start the program again."""
    with scene.start("-exec", scene.command, stderr=subprocess.PIPE) as process:
        scene.has_started()
        scene.config.write_text(
            scene.config.read_text().replace("disk/replica", "disk/other") + "exec: other --really\n"
        )
        process.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP" in read(scene.database), "SIGHUP has arrived")
        until((scene.folder / "disk" / "other").exists, "the new configuration is in effect", 60)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 7
    assert "exec has changed: what was started goes on" in told.decode()
    assert scene.words() == [*BEGIN, "SIGHUP", "last words"]


def test_one_that_the_system_cannot_run(scene: Scene) -> None:
    (scene.folder / "broken").write_text("#!/no/such/interpreter\n")
    (scene.folder / "broken").chmod(0o755)
    with scene.start("-exec", "./broken", stderr=subprocess.PIPE) as process:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 1
    assert told.decode().splitlines()[-1] == (
        "litestreamd: error: exec: ./broken cannot be started: No such file or directory"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="a name space of processes needs root")
def test_the_entrypoint_of_the_documentation_as_process_1(scene: Scene) -> None:
    """docs/containers.md: a first start, a stop, a lost disk, a second start. Its paths and programs are replaced."""
    (entrypoint,) = [
        block.text for block in blocks(TREE / "docs" / "containers.md") if "exec litestreamd" in block.text
    ]
    (scene.folder / "migrate.py").write_text(
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA journal_mode=WAL')\n"
        "db.execute('CREATE TABLE IF NOT EXISTS t (word)'); db.commit()\n"
    )
    (scene.folder / "gunicorn").write_text(f"#!/bin/sh\nexec {scene.command}\n")
    (scene.folder / "litestreamd").write_text(f'#!/bin/sh\nexec {" ".join(map(str, OURS.start))} "$@"\n')
    (scene.folder / "entrypoint.sh").write_text(entrypoint)
    for there, here in (
        ("/etc/litestream.yml", str(scene.config)),
        ("/data/app.db", f"'{scene.database}'"),
        ("python3 -m app.migrate", f"{sys.executable} migrate.py '{scene.database}'"),
    ):
        text = (scene.folder / "entrypoint.sh").read_text()
        assert there in text
        (scene.folder / "entrypoint.sh").write_text(text.replace(there, here))
    for name in ("gunicorn", "litestreamd", "entrypoint.sh"):
        (scene.folder / name).chmod(0o755)
    environ = environment(
        PATH=f"{scene.folder}:{os.environ['PATH']}", NOTIFY_SOCKET="/nowhere", OF_THE_USER="this", PYTHONPATH=str(TREE)
    )
    for _ in range(2):
        for path in scene.folder.glob("*a b.db*"):  # the disk is lost, with the local state
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        (scene.folder / "started").unlink(missing_ok=True)
        with subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "./entrypoint.sh"], cwd=scene.folder,
            env=environ, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            scene.has_started()
            os.kill(child_of(process.pid), signal.SIGTERM)
            assert process.wait(60) == 7
    assert scene.words() == [*BEGIN, "last words"] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason="a name space of processes needs root")
def test_as_process_1_it_takes_leave_of_orphans(scene: Scene) -> None:
    """The application leaves processes behind whose parents have gone; they end, and are zombies of process 1."""
    orphan = "import os; os.fork() or ((pid := os.fork()) or os._exit(0), print(pid), os._exit(0)); os.wait()"
    script = scene.folder / "leaves.sh"
    script.write_text(
        f"#!/bin/sh\norphan=$({sys.executable} -uc '{orphan}')\n"
        # Ended at once; it stays as a zombie until process 1 has taken leave of it.
        "for round in $(seq 200); do [ -e /proc/$orphan ] || exit 0; sleep 0.05; done\n"
        "exit 1\n"
    )
    script.chmod(0o755)
    before = ("unshare", "--pid", "--fork", "--mount-proc")
    with scene.start("-exec", str(script), before=before) as process:
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-exec", "no-such-program -x"), "exec: there is no program no-such-program"),
        (("-exec", "  "), "exec: the command is empty"),
        (("-exec", "sh -c 'open"), "exec: no closing quotation in the command"),
        (("-once", "-exec", "true"), "-once and exec exclude each other"),
    ],
)
def test_a_command_that_cannot_be_run(scene: Scene, words: tuple[str, ...], told: str) -> None:
    done = subprocess.run(
        [*OURS.start, "replicate", "-config", scene.config, *words], cwd=TREE, env=environment(), capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 64
    assert told in done.stderr
    assert not scene.replica.exists()


def read(database: Path) -> list[str]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        return [word for (word,) in db.execute("SELECT word FROM t")]


def child_of(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)
