"""The sync of the present before it is rolled back: what is committed now stays restorable.

In: where the daemon listens, or a configuration. Out: nothing, when everything committed before the call is durable
here and on the replica that the rollback rests on; else an error that says what to do.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import litestreamd
from litestreamd.basics.errors import BusyError, EnvironmentFault, StoreError
from litestreamd.basics.quantities import format_duration
from litestreamd.daemon.control_client import NotRunning, ask
from litestreamd.database.install import last_use

COMES_UP_S = 60.0
LOOK_S = 0.1
ATTEMPTS = 4


def sync_by_daemon(socket: Path, database: Path, replica: str, seconds: float) -> None:
    """The barrier for this replica; others may lag, the spool keeps it for them. `database`: as configured. Raises
    EnvironmentFault, StoreError, BusyError."""
    body = {"db": str(database), "replica": replica, "timeout_s": round(seconds, 3)}
    status, answer = _ask(socket, body, seconds + COMES_UP_S)
    if status not in (200, 504):
        raise EnvironmentFault(f"the daemon on {socket} cannot sync {database}: {answer.get('error', status)}")
    for each in answer["databases"]:
        if each["error"]:
            raise EnvironmentFault(f"the present could not be captured: {each['error']}")
    if status == 504:
        raise StoreError(
            f"the present did not get to replica {replica} within {format_duration(seconds)}, and could not be brought "
            "back later: nothing was changed (-timeout gives it longer)"
        )


def sync_once(config: Path, database: Path) -> int:
    """By a process of our own, until it had nothing to do. Out: when the database was used last, all of which is on the
    replicas. Raises StoreError, BusyError."""
    for _ in range(ATTEMPTS):
        as_of = last_use(database)
        _replicate_once(config, database)
        if last_use(database) == as_of:
            return as_of
    raise BusyError(f"{database} is used all the time: stop its application first; nothing was changed")


def _replicate_once(config: Path, database: Path) -> None:
    """As the owner of the database: a daemon of that user finds nothing of root's."""
    # -P, -s: root is not made to import what lies in the folder where it stands, or in a home.
    command = [sys.executable, "-Ps", "-m", "litestreamd", "replicate", "-once", "-log-level", "error"]
    owner = database.stat()
    other = os.geteuid() == 0 and owner.st_uid != 0
    done = subprocess.run(
        [*command, "-config", str(config)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(litestreamd.__file__).parents[1])},
        user=owner.st_uid if other else None,
        group=owner.st_gid if other else None,
        extra_groups=() if other else None,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise StoreError(f"the present could not be synced, so nothing was changed: {said[-1]}")


def _ask(socket: Path, body: Mapping[str, Any], seconds: float) -> tuple[int, Mapping[str, Any]]:
    """Of a daemon that may just be coming up."""
    end = time.monotonic() + COMES_UP_S
    while True:
        with suppress(NotRunning):
            return ask(socket, "POST", "/sync", body, seconds)
        if time.monotonic() >= end:
            raise EnvironmentFault(f"no daemon listens on {socket}: does it fail? (litestreamd logs)")
        time.sleep(LOOK_S)
