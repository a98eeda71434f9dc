"""What `restore` prints: the plan, the result, and warnings on the way.

JSON has the fields that Litestream 0.5 documents, and a few more. Times are RFC 3339, sizes bytes.
"""

import json
import sys
from collections.abc import Sequence

from litestreamd.basics.clock import format_time
from litestreamd.basics.quantities import format_duration, format_size
from litestreamd.basics.txid import format_txid
from litestreamd.cli.progress import mention
from litestreamd.cli.restore_order import order_fields, print_order
from litestreamd.cli.restore_owner import owner_fields, owner_text
from litestreamd.cli.restore_point import point_fields, point_lines
from litestreamd.cli.restore_report_v3 import files_v3, head_v3, print_plan_v3, reached_v3
from litestreamd.cli.table import print_table
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Restored
from litestreamd.jobs.restore_choice import Candidate, CandidateV3, Wish
from litestreamd.jobs.restore_events import (
    FormatChosen,
    HeaderTimesUsed,
    IntegrityUnknown,
    PointResolved,
    ReplicaPassedOver,
    RestorePlannedAgain,
)
from litestreamd.plan.resolution import Resolution, resolve
from litestreamd.plan.restore import Before, RestorePlan
from litestreamd.plan.restore_v3 import PlanV3

_COLUMNS = ("level", "file", "min_txid", "max_txid", "size", "timestamp")


class Report:
    """Prints for one run of the command. `several`: there is more than one replica to fall back to."""

    def __init__(self, as_json: bool, several: bool) -> None:
        self._as_json = as_json
        self._several = several
        self._found: Resolution | None = None

    def tell(self, event: Event) -> None:
        """The observer of the job: warnings, and what was decided."""
        match event:
            case ReplicaPassedOver(replica=replica, error=error) if self._several:
                warn(f"replica {replica} is passed over: {error}")
            case FormatChosen(replica=replica, v3=v3, why=why):
                taken = "Litestream 0.3" if v3 else "LTX"
                say(f"replica {replica} holds LTX and Litestream 0.3: {taken} is taken, {why}")
            case HeaderTimesUsed(replica=replica):
                say(
                    f"the files of replica {replica} have lost the times they were made at (a copy?): "
                    "those in their headers are used"
                )
            case PointResolved(resolution=found):
                self._found = found
                for line in () if self._as_json else point_lines(found):
                    say(line)
            case RestorePlannedAgain(error=error):
                warn(f"{error}; listing the replica again")
            case IntegrityUnknown(why=why):
                warn(f"SQLite could not check the restored database ({why}); every object's checksum was right")

    def plan(
        self,
        source: str,
        target: str,
        order: Sequence[Candidate | CandidateV3],
        moment: Wish,
        fetched: Sequence[int] | None,
    ) -> None:
        """What would be done (`-dry-run`). order: the replicas as they would be tried. fetched: bytes that would be
        read of each object of the first, None when not known."""
        best = order[0]
        replica, plan = best.replica, best.plan
        if isinstance(plan, PlanV3):
            if not self._as_json:
                print_plan_v3(source, target, replica.name, plan)
                print_order(order)
                return
            place = {"source": source, "target_path": target, "replica": replica.name, "order": order_fields(order)}
            print(json.dumps(place | head_v3(plan) | {"files": files_v3(plan)}, indent=2))
            return
        head = {
            "source": source,
            "target_path": target,
            "replica": replica.name,
            "min_txid": format_txid(plan.min_txid),
            "max_txid": format_txid(plan.max_txid),
        }
        found = (
            resolve(best.objects, plan, moment) if isinstance(best, Candidate) and isinstance(moment, Before) else None
        )
        files: list[dict[str, object]] = [
            {
                "level": step.name.level,
                "name": step.name.file_name,
                "min_txid": format_txid(step.name.min_txid),
                "max_txid": format_txid(step.name.max_txid),
                "size": step.size,
                "timestamp": format_time(step.created_ms),
            }
            for step in plan.steps
        ]
        if self._as_json:
            more: dict[str, object] = {"size": plan.size, "fetch": sum(fetched) if fetched is not None else None}
            if found:
                more["point"] = point_fields(found)
            if fetched is not None:
                files = [file | {"fetch": size} for file, size in zip(files, fetched, strict=True)]
            print(json.dumps(head | {"order": order_fields(order)} | more | {"files": files}, indent=2))
            return
        print("Restore plan:")
        print(f"  source: {source}\n  target: {target}\n  replica: {replica.name}")
        print(f"  txid range: {head['min_txid']} - {head['max_txid']}")
        for line in point_lines(found) if found else ():
            print(f"  {line}")
        print(f"\nFiles to fetch{_amount(plan, fetched)}:")
        print_table(_COLUMNS, [[str(cell) for cell in file.values()] for file in files])
        print_order(order)

    def result(self, target: str, done: Restored, seconds: float) -> None:
        """What was done."""
        for path in done.installed.aside:
            warn(f"kept what was there before as {path}")
        for pid in done.installed.late:
            warn(f"process {pid} opened the old database at the last moment and still uses it: restart it")
        if done.label_refused:
            warn(f"the security label {done.owner.label} could not be given to {target}: {done.label_refused}")
        plan = done.plan
        reached = f"TXID {format_txid(plan.max_txid)}" if isinstance(plan, RestorePlan) else reached_v3(plan)
        if self._as_json:
            print(json.dumps({
                "db_path": target,
                "replica": done.replica.name,
                **({"txid": format_txid(plan.max_txid)} if isinstance(plan, RestorePlan) else head_v3(plan)),
                **({"point": point_fields(self._found)} if self._found else {}),
                "duration_ms": round(seconds * 1000),
                "integrity_check": done.integrity.value,
                "size": done.size,
                "proof": "database-checksum" if done.proven else "file-checksums",
                **owner_fields(done),
            }, indent=2))  # fmt: skip
            return
        proof = "the database checksum" if done.proven else "every file checksum"
        checked = f" and integrity check ({done.integrity.value})" if done.integrity.value != "none" else ""
        print(
            f"restored {target} to {reached} from {done.replica.description}: {format_size(done.size)} "
            f"in {format_duration(seconds)}, proven by {proof}{checked}; {owner_text(done)}"
        )


def _amount(plan: RestorePlan, fetched: Sequence[int] | None) -> str:
    """` (3, the last one first: 1.5 MiB of 2.0 MiB)`."""
    count = str(len(plan.steps)) if len(plan.steps) == 1 else f"{len(plan.steps)}, the last one first"
    part = "" if fetched is None else f"{format_size(sum(fetched))} of "
    return f" ({count}: {part}{format_size(plan.size)})"


def say(sentence: str) -> None:
    """One line on stderr."""
    mention(sys.stderr, f"litestreamd: {sentence}\n")


def warn(sentence: str) -> None:
    """One line on stderr."""
    say(f"warning: {sentence}")
