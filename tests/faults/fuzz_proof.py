"""The proof at the end of a fuzz round, and what a round reports.

In: the plan, the folder, the image that stock SQLite saw before the final sync. Out: numbers in a `RoundResult`;
`RoundFailed` with a sentence otherwise. Proven: each replica restores to that image byte for byte; every acknowledged
commit is in it; older TXIDs restore to whole transactions; the schema holds nothing but the applications' own.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.fuzz_plan import RoundPlan
from tests.support import folder_listing, images
from tests.support.programs import Program, restore
from tests.support.workload import acknowledged, is_ours

OLDER_POINTS = 3


class RoundFailed(AssertionError):
    """The program under test is at fault, or the harness; never SQLite."""


@dataclass(slots=True)
class RoundResult:
    """What a good round saw; `sqlite_*`: SQLite's own doing, counted and not held against anyone."""

    commits: int = 0
    restored: int = 0
    daemon_deaths: int = 0
    writer_deaths: int = 0
    crash_points: list[str] = field(default_factory=list)
    unreached: list[str] = field(default_factory=list)
    sqlite_lost: int = 0
    sqlite_damaged: int = 0
    sqlite_unrecoverable: int = 0


def check_transactions(restored: Path) -> None:
    """Each writer numbers its commits from 1 without a gap: any state between two transactions holds a prefix."""
    if "acks" not in images.schema_names(restored):
        return
    for writer, numbers in images.acknowledged_in(restored).items():
        if numbers != set(range(1, len(numbers) + 1)):
            raise RoundFailed(f"{restored.name}: writer {writer} has gaps below {max(numbers)}")


def check_held(promised: dict[int, set[int]], restored: Path) -> None:
    """Every commit that was acknowledged before a clean end was asked for is in what it left."""
    held = images.acknowledged_in(restored)
    missing = {
        writer: sorted(numbers - held[writer])[:5] for writer, numbers in promised.items() if numbers - held[writer]
    }
    if missing:
        raise RoundFailed(f"{restored.name}: acknowledged before the stop and not restored: {missing}")


class Proof:
    """All checks of one round; everybody is gone by now."""

    def __init__(self, plan: RoundPlan, program: Program, path: Path, log: Path, chance: random.Random) -> None:
        self.plan, self.program, self.path, self.log, self.chance = plan, program, path, log, chance
        self.folder = path.parent

    def prove(self, real: bytes, roots: tuple[Path, ...], result: RoundResult) -> None:
        """Compare, count into `result`. Raises RoundFailed."""
        reference = self.folder / "real.db"
        reference.write_bytes(real)
        sound = self._check_sqlite(reference, real, result)
        foreign = {name for name in images.schema_names(reference) if not self._is_known(name)}
        if foreign:
            raise RoundFailed(f"foreign names in the user's schema: {sorted(foreign)}")
        for root in roots:
            self._check_newest(root, real)
            result.restored += self._check_older(root, sound)

    def _is_known(self, name: str) -> bool:
        own = self.program.own_tables
        return is_ours(name) or bool(own and name.startswith(own))

    def _check_sqlite(self, reference: Path, real: bytes, result: RoundResult) -> bool:
        """What SQLite itself kept of its promises; out: whether the real database is sound."""
        told = acknowledged(self.log)
        held = images.acknowledged_in(reference)
        lost = sum(len(numbers - held[writer]) for writer, numbers in told.items())
        damage = images.damage(reference)
        recovered = images.recovered_image(self.path, self.folder / "recovered")
        difference = images.first_difference(real, recovered, self.plan.page_size)
        result.commits = sum(map(len, told.values()))
        result.sqlite_lost, result.sqlite_damaged, result.sqlite_unrecoverable = lost, bool(damage), bool(difference)
        faults = [f"{lost} acknowledged commits lost"] if lost else []
        faults += [damage] if damage else []
        faults += [f"recovered file: {difference}"] if difference else []
        if faults and not self.plan.excuses_sqlite:
            raise RoundFailed(f"the real database itself: {', '.join(faults)}")
        return not damage

    def _check_newest(self, root: Path, real: bytes) -> None:
        restored = restore(self.program, root, self.folder / "restored.db")
        difference = images.first_difference(real, restored.read_bytes(), self.plan.page_size)
        if difference:
            raise RoundFailed(f"{root.name}: real and restored differ: {difference}")
        restored.unlink()

    def _check_older(self, root: Path, sound: bool) -> int:
        points = folder_listing.level_zero(root)
        chosen = sorted(self.chance.sample(points, min(OLDER_POINTS, len(points))))
        for txid in chosen:
            restored = restore(self.program, root, self.folder / f"restored-{txid:x}.db", txid=txid)
            damage = images.damage(restored)
            if damage and sound:
                raise RoundFailed(f"{root.name} at {txid:016x}: {damage}")
            if not damage:
                check_transactions(restored)
            restored.unlink()
        return len(chosen)
