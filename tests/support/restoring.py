"""Restoring in a test's own process: the job with plain inputs, and what it told.

In: replicas, an output path, a target. Out: what was restored, and the events.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Integrity, Request, Restored, restore
from litestreamd.jobs.restore_choice import Wish
from litestreamd.jobs.restore_owner import Ownership
from litestreamd.plan.restore import Latest
from litestreamd.replica.port import Replica

NOW_MS = 1_760_000_000_000


def restored(
    replicas: Replica | list[Replica],
    output: Path,
    target: Wish | None = None,
    *,
    force: bool = False,
    parallelism: int = 4,
    integrity: Integrity = Integrity.AUTO,
    ownership: Ownership | None = None,
    state_directory: Path | None = None,
    events: list[Event] | None = None,
    identities: Sequence[str] = (),
) -> Restored:
    """Carry out one restore."""
    request = Request(
        target=target or Latest(),
        output=output,
        force=force,
        parallelism=parallelism,
        integrity=integrity,
        ownership=ownership or Ownership(),
        state_directory=state_directory,
    )
    chosen = replicas if isinstance(replicas, list) else [replicas]
    request = replace(request, identities={replica.name: identities for replica in chosen})
    told: list[Event] = [] if events is None else events
    return restore(chosen, request, told.append, NOW_MS)


def left_in(folder: Path) -> set[str]:
    """The names in a folder, to see what a restore left behind."""
    return {path.name for path in folder.iterdir()}
