"""The drill: the newest state of a replica is restored to scratch, proven, and compared with the live database.

In: one replica of one database, and the places. Out: an Outcome. Promised: the restore is the one that an emergency
would make, with every proof of it (jobs/verify, jobs/restore); scratch is gone afterwards; an outcome is well only when
nothing was found, and says so when the live database was not compared. Of all outcomes of one database `summarize`
makes the record that is kept.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from litestreamd.basics.errors import DamagedData, LitestreamdError
from litestreamd.basics.txid import format_txid
from litestreamd.database.examine import page_size_of
from litestreamd.database.kept_copy import KeptCopy
from litestreamd.database.scratch import ensure_room, scratch_folder
from litestreamd.database.sql_check import run_check
from litestreamd.database.verified import Verified as Record
from litestreamd.jobs.drill_changes import Superseded
from litestreamd.jobs.drill_compare import Barrier, Comparison, Live, RestoredState, compare, not_compared
from litestreamd.jobs.drill_events import DrillFailed, DrillPassed
from litestreamd.jobs.drill_further import kept_of, verify_further
from litestreamd.jobs.events import Observer
from litestreamd.jobs.restore_sink import Progress
from litestreamd.jobs.verify import Checks, Damage, Verified, verify
from litestreamd.plan.restore import RestorePlan
from litestreamd.replica.port import Replica

ATTEMPTS = 3
"""How often the newest state is restored when it is superseded before it could be compared."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a drill happens. database: the live one. state: its state directory. scratch: an existing folder.
    barrier: of this replica, None without a daemon. compare_live: False leaves the live database alone. checks: SQL of
    the operator (database/sql_check.py). full: everything is restored, also when the last drill left a copy."""

    database: Path
    state: Path
    scratch: Path
    barrier: Barrier | None = None
    compare_live: bool = True
    checks: tuple[str, ...] = ()
    full: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one replica. verified and comparison: None when the drill was broken off by `fault`."""

    replica: str
    seconds: float
    verified: Verified | None = None
    comparison: Comparison | None = None
    fault: LitestreamdError | None = None

    @property
    def txid(self) -> int | None:
        """What was restored."""
        plan = self.verified.plan if self.verified and self.verified.filled else None
        return plan.max_txid if isinstance(plan, RestorePlan) else None

    @property
    def error(self) -> LitestreamdError | None:
        """Why it is not well: damage first."""
        if self.verified and self.verified.damage:
            return DamagedData(self.verified.damage[0].error)
        if self.comparison and self.comparison.live is Live.DIFFERENT:
            return DamagedData(f"the live database is not what is on the replica: {self.comparison.why}")
        return self.fault


def drill(replica: Replica, ground: Ground, checks: Checks, tell: Observer) -> Outcome:
    """One replica; the end is told as DrillPassed or DrillFailed. Errors of the tree are in the outcome."""
    began = time.monotonic()
    try:
        verified, comparison = _drill(replica, ground, checks, tell)
        outcome = Outcome(replica.name, time.monotonic() - began, verified, comparison)
    except LitestreamdError as error:
        outcome = Outcome(replica.name, time.monotonic() - began, fault=error)
    _tell(outcome, str(ground.database), tell)
    return outcome


def summarize(outcomes: Sequence[Outcome], now_ms: int, last: Record | None) -> Record:
    """The record of a database: the first outcome that is not well, else the one with the oldest state. `last` is the
    record so far."""
    failed = [outcome for outcome in outcomes if outcome.error]
    return record_of(failed[0] if failed else min(outcomes, key=lambda outcome: outcome.txid or 0), now_ms, last)


def record_of(outcome: Outcome, now_ms: int, last: Record | None) -> Record:
    """Of one replica; `last` is its record so far."""
    error = outcome.error
    return Record(
        ok=error is None,
        at_ms=now_ms,
        txid=outcome.txid,
        replica=outcome.replica,
        error=str(error) if error else None,
        live=(outcome.comparison.live if outcome.comparison else Live.NOT_COMPARED).value,
        last_ok_ms=now_ms if error is None else last.last_ok_ms if last else None,
    )


def _drill(replica: Replica, ground: Ground, checks: Checks, tell: Observer) -> tuple[Verified, Comparison]:
    verified: Verified | None = None
    why, kept = "", KeptCopy(ground.state, replica.name)
    for attempt in range(ATTEMPTS):
        durable = ground.barrier() if ground.barrier else None
        with scratch_folder(ground.scratch) as folder:
            output = folder / "restored.db"
            verified = None if attempt or ground.full else verify_further(replica, kept, output, checks)
            if verified is None:
                kept.forget()
                admit = partial(ensure_room, ground.scratch)
                verified = verify(replica, replace(checks, output=output, admit=admit), tell)
            verified = _asked(_reaching(durable, verified), output, ground)
            try:
                comparison = _comparison(verified, output, ground, durable, checks.progress)
            except Superseded as error:
                why = str(error)
                continue
            _keep(kept, verified, comparison, output, ground)
            return verified, comparison
    assert verified is not None, "there was an attempt"
    return verified, not_compared(f"every state that was restored was superseded meanwhile: {why}")


def _keep(kept: KeptCopy, verified: Verified, comparison: Comparison, output: Path, ground: Ground) -> None:
    """The next drill goes on from here, if all is well and there is room for two."""
    plan, filled = verified.plan, verified.filled
    if verified.damage or not filled or not isinstance(plan, RestorePlan) or comparison.live is Live.DIFFERENT:
        return
    if not ground.state.is_dir() or not kept.has_room(filled.size):
        return
    with suppress(LitestreamdError):  # the next one restores everything, that is all
        kept.keep(output, kept_of(verified, comparison.reached or plan.max_txid, page_size_of(output)))


def _reaching(durable: int | None, verified: Verified) -> Verified:
    """A replica that lacks what had arrived there is damaged, however sound the rest is."""
    plan = verified.plan
    if not durable or not verified.filled or not isinstance(plan, RestorePlan) or plan.max_txid >= durable:
        return verified
    error = (
        f"{verified.replica.description}: its newest state is TXID {format_txid(plan.max_txid)}, although TXID "
        f"{format_txid(durable)} had arrived there"
    )
    return replace(verified, damage=(*verified.damage, Damage("", error, ())))


def _asked(verified: Verified, output: Path, ground: Ground) -> Verified:
    """What the operator wants to know of the restored database."""
    if not verified.filled or verified.damage:
        return verified
    failed = [Damage("", complaint, ()) for sql in ground.checks if (complaint := run_check(output, sql)) is not None]
    return replace(verified, damage=tuple(failed))


def _comparison(
    verified: Verified, output: Path, ground: Ground, durable: int | None, progress: Progress | None
) -> Comparison:
    if not ground.compare_live:
        return not_compared("-no-live was given")
    if not verified.filled or verified.damage:
        return not_compared("the replica is damaged")
    plan = verified.plan
    if not isinstance(plan, RestorePlan):
        return not_compared("a backup of Litestream 0.3 has no TXIDs that could be followed")
    state = RestoredState(verified.replica, plan.max_txid, output, page_size_of(output))
    return compare(state, ground.database, ground.state, ground.barrier if durable is not None else None, progress)


def _tell(outcome: Outcome, database: str, tell: Observer) -> None:
    error, verified, comparison = outcome.error, outcome.verified, outcome.comparison
    if error or not verified or not verified.filled or not comparison:
        kind = type(error).__name__ if error else ""
        tell(DrillFailed(database, outcome.replica, outcome.txid, str(error), kind, outcome.seconds))
        return
    size, live = verified.filled.size, comparison.live.value
    tell(DrillPassed(database, outcome.replica, outcome.txid, size, live, comparison.why, outcome.seconds))
