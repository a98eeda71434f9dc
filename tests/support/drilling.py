"""A drill in a process of its own, whose barrier is the test: what a daemon would do then, the test does.

In: paths, and a function that is called for each barrier (out: the TXID, None: nobody answers). Out: a Result.
The drill must not run in the test's process when that replicates the database: it closes descriptors of it.
Run as a script: `drilling.py` reads its arguments as JSON from the first line of stdin.
"""

import dataclasses
import json
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from litestreamd.jobs.drill import Ground, Outcome, drill
from litestreamd.jobs.events import Event
from litestreamd.jobs.verify import Checks
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.programs import environment

Barrier = Callable[[], int | None]


@dataclasses.dataclass(frozen=True)
class Result:
    """live, why, changed, different, pages: of the comparison; error: of the outcome, None when all is well."""

    live: str | None
    why: str
    changed: int
    different: int
    pages: list[int]
    txid: int | None
    error: str | None
    code: int
    events: list[str]


def drilled(
    path: Path,
    root: Path,
    barrier: Barrier | None,
    *,
    state: Path | None = None,
    compare_live: bool = True,
    meanwhile: Callable[[], object] | None = None,
) -> Result:
    """Carry one out, and now and then what happens `meanwhile`. Afterwards the state directory has no scratch."""
    state = state or path.with_name(path.name + "-state")
    state.mkdir(exist_ok=True)
    asked = {
        "path": str(path),
        "root": str(root),
        "state": str(state),
        "daemon": barrier is not None,
        "live": compare_live,
    }
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        while True:
            # The drill says one line at a time, then waits: nothing of it is ever left in our buffer.
            while meanwhile and not select.select([process.stdout], [], [], 0.02)[0]:
                meanwhile()
            line = process.stdout.readline()
            assert line, "the drill ended without a result"
            told = json.loads(line)
            if "result" in told:
                break
            assert barrier is not None
            process.stdin.write(json.dumps(barrier()) + "\n")
            process.stdin.flush()
    assert not [each for each in state.iterdir() if each.name.startswith("scratch-")]
    return Result(**told["result"])


def _serve() -> None:
    asked = json.loads(sys.stdin.readline())

    def barrier() -> int | None:
        print(json.dumps({"barrier": True}), flush=True)
        txid: int | None = json.loads(sys.stdin.readline())
        return txid

    state = Path(asked["state"])
    ground = Ground(Path(asked["path"]), state, state, barrier if asked["daemon"] else None, asked["live"])
    events: list[Event] = []
    outcome = drill(FolderReplica(Path(asked["root"]), "r0"), ground, Checks(), events.append)
    print(json.dumps({"result": _result(outcome, events)}), flush=True)


def _result(outcome: Outcome, events: list[Event]) -> dict[str, Any]:
    comparison, error = outcome.comparison, outcome.error
    return {
        "live": comparison.live.value if comparison else None,
        "why": comparison.why if comparison else "",
        "changed": comparison.changed if comparison else 0,
        "different": comparison.different if comparison else 0,
        "pages": list(comparison.pages) if comparison else [],
        "txid": outcome.txid,
        "error": str(error) if error else None,
        "code": error.exit_code.value if error else 0,
        "events": [type(event).__name__ for event in events],
    }


if __name__ == "__main__":
    _serve()
