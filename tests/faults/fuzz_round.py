"""One round of the fuzz: applications at work, deaths, and then the proof.

In: a `RoundPlan`, an empty folder, the program. Out: a `RoundResult`; `RoundFailed` with a sentence otherwise.
Every clean end of the daemon (SIGTERM) must be exit 0; every other end is one that the plan asked for.
"""

import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.faults.fuzz_plan import Beginning, Deed, Event, Reach, RoundPlan
from tests.faults.fuzz_proof import Proof, RoundFailed, RoundResult, check_held, check_transactions
from tests.support import images
from tests.support.habits import Habits
from tests.support.programs import EXIT_OK, LITESTREAM, OURS, Program, restore
from tests.support.replicator import KILLED, Protected, Replicator
from tests.support.waiting import until
from tests.support.workload import Writers, acknowledged, create_database, write

SETTLER = 999_999

SILENCE_S = 14.0
"""After ten seconds without anybody the daemon brings all into one file."""


class Round:
    """The state of one round in its folder."""

    def __init__(self, plan: RoundPlan, folder: Path, program: Program = OURS) -> None:
        self.plan, self.folder, self.program = plan, folder, program
        self.chance = random.Random(plan.seed ^ 0xF0F0)
        self.path = folder / "app.db"
        self.log = folder / "acknowledged"
        replicas = plan.replicas if program.several_replicas else 1
        self.roots = tuple(folder / f"disk-{number}" / f"replica-{number}" for number in range(replicas))
        for root in self.roots:
            root.parent.mkdir()
        self.result = RoundResult()
        polling = {"monitor-interval": "10ms"} if program is LITESTREAM else {}
        protected = Protected(self.path, self.roots, {**plan.options, **polling})
        self.daemon = Replicator(program, folder, [protected], plan.replica_options, plan.top)
        self.writers = Writers(self.path, self.log, plan.seed)

    def run(self) -> RoundResult:
        """Live, settle, stop, prove."""
        with self.daemon, self.writers:
            self._begin()
            for event in self.plan.events:
                time.sleep(event.after_s)
                self._befall(event)
            time.sleep(self.plan.work_s)
            self._end_of_work()
            real = self._settled_image()
            self._check_end(self.daemon.stop(), "after the final sync")
        if self.program.own_tables:  # it has written to the database since
            real = images.live_image(self.path)
        Proof(self.plan, self.program, self.path, self.log, self.chance).prove(real, self.roots, self.result)
        return self.result

    # Life

    def _begin(self) -> None:
        plan = self.plan
        if plan.beginning is Beginning.DAEMON_FIRST:
            self._start_daemon(plan.first_crash)
        wal = plan.beginning is not Beginning.ROLLBACK_JOURNAL
        create_database(self.path, plan.page_size, plan.auto_vacuum, wal=wal)
        if plan.beginning is Beginning.LEFT_BEHIND:
            write(self.path, self.log, Habits(autocheckpoint=0), plan.seed, 10, close=False)
        if plan.beginning is Beginning.BUSY:
            self._start_writers()
            self.writers.wait_acknowledged(1)
        if not self.daemon.running and not self.result.daemon_deaths:
            self._start_daemon(plan.first_crash)
        if plan.beginning is Beginning.ROLLBACK_JOURNAL:
            self._until_it_or_its_crash(self._in_wal_mode)
        if not self.writers.living:
            self._start_writers()
        if plan.first_crash:
            self._after_crash(plan.first_crash)

    def _in_wal_mode(self) -> bool:
        with self.path.open("rb") as file:
            return file.read(20)[18:] == b"\x02\x02"

    def _until_it_or_its_crash(self, question: Callable[[], bool]) -> None:
        until(lambda: question() or not self.daemon.running, f"{question.__name__} or a crash", 20)

    def _start_writers(self) -> None:
        for habits in self.plan.habits:
            self.writers.start(habits)

    def _start_daemon(self, crash_at: str = "") -> None:
        self.daemon.start(crash_at or None)

    def _after_crash(self, crash_at: str) -> None:
        """Bring the armed daemon to its place, for some time; then it is restarted unarmed."""
        if self.plan.reach is Reach.STOP:
            self.daemon.stop()
        end = time.monotonic() + self.plan.crash_within_s
        while self.daemon.running and time.monotonic() < end:
            if self.plan.reach is Reach.SILENCE:
                self._fall_silent()
            time.sleep(0.005)
        if self.daemon.running:
            self.result.unreached.append(crash_at)
            self._kill_daemon()
        else:
            self._check_crash(crash_at)
        self._start_daemon()
        if not self.writers.living:
            self._start_writers()

    def _fall_silent(self) -> None:
        """Until it dies, for a while. A writer may have truncated the WAL with its last words: then another silence is
        needed."""
        if not self.writers.living:
            self._start_writers()
            time.sleep(self.plan.work_s)
        self.writers.stop()
        end = time.monotonic() + SILENCE_S
        while self.daemon.running and time.monotonic() < end:
            time.sleep(0.005)

    def _check_crash(self, crash_at: str) -> None:
        if self.daemon.code != KILLED:
            raise RoundFailed(f"armed with {crash_at}: exit {self.daemon.code}\n{self.daemon.log[-3000:]}")
        self.result.crash_points.append(crash_at)
        self.result.daemon_deaths += 1

    def _kill_daemon(self) -> None:
        if not self.daemon.running:
            raise RoundFailed(f"the daemon was gone: exit {self.daemon.code}\n{self.daemon.log[-3000:]}")
        self.daemon.kill()
        self.result.daemon_deaths += 1

    def _befall(self, event: Event) -> None:
        match event.deed:
            case Deed.KILL_DAEMON:
                self._kill_daemon()
                self._start_daemon()
            case Deed.CRASH_DAEMON:
                self._kill_daemon()
                self._start_daemon(event.crash_at)
                self._after_crash(event.crash_at)
            case Deed.STOP_DAEMON:
                self._stop_under_load()
            case Deed.OFFLINE:
                self._kill_daemon()
                time.sleep(self.chance.uniform(0.05, 0.4))
                self._start_daemon()
            case Deed.KILL_WRITER:
                self._kill_writers(1)
            case Deed.KILL_WRITERS:
                self._kill_writers(len(self.writers.living))
            case Deed.EVERYBODY:
                self._kill_daemon()
                self._kill_writers(len(self.writers.living))
                self._start_daemon()
            case Deed.NO_DISK:
                self._away()
            case Deed.LULL:
                self.writers.stop()
                time.sleep(1.2)
                self._start_writers()

    def _away(self) -> None:
        """Its parent folder is missing: the daemon must not make another root there."""
        disk = self.roots[-1].parent
        elsewhere = disk.rename(disk.with_name("elsewhere"))
        time.sleep(self.chance.uniform(0.1, 1))
        if self.chance.random() < 0.5:
            self._kill_daemon()
            self._start_daemon()
            time.sleep(self.chance.uniform(0.1, 1))
        elsewhere.rename(disk)

    def _kill_writers(self, count: int) -> None:
        for writer in self.chance.sample(self.writers.living, count):
            self.writers.kill(writer)
            self.result.writer_deaths += 1
            self.writers.start(writer.habits)

    def _stop_under_load(self) -> None:
        """A clean end promises every commit that was acknowledged before it was asked for."""
        promised = acknowledged(self.log)
        self._check_end(self.daemon.stop(), "stopped under load")
        restored = restore(self.program, self.roots[0], self.folder / "under-load.db")
        check_transactions(restored)
        if not self.plan.excuses_sqlite:
            check_held(promised, restored)
        restored.unlink()
        self._start_daemon()

    def _end_of_work(self) -> None:
        if self.plan.writers_die:
            for writer in tuple(self.writers.living):
                self.writers.kill(writer)
                self.result.writer_deaths += 1
        else:
            self.writers.stop()
        if self.writers.complaints and not self.plan.excuses_sqlite:
            raise RoundFailed(f"a writer failed:\n{self.writers.complaints[0][-2000:]}")
        if not self.daemon.running:
            raise RoundFailed(f"the daemon was gone: exit {self.daemon.code}\n{self.daemon.log[-3000:]}")

    def _settled_image(self) -> bytes:
        """The image that is to be restored. A last commit first: it overwrites what a killed writer left half done."""
        until(self._in_wal_mode, "WAL mode", 20)
        with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
            db.execute("INSERT INTO acks VALUES(?, 1)", (SETTLER,))
        with self.log.open("a") as log:
            log.write(f"{SETTLER} 1\n")
        return images.live_image(self.path)

    def _check_end(self, code: int, when: str) -> None:
        if code != EXIT_OK:
            raise RoundFailed(f"exit {code} {when}\n{self.daemon.log[-3000:]}")


def run_round(plan: RoundPlan, folder: Path, program: Program = OURS) -> RoundResult:
    return Round(plan, folder, program).run()
