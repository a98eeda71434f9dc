"""The status document: where every database and replica stands, as JSON-able values without secrets.

In: an Instance, a Board. Out: a dict of the shape in docs/status.md: what `status`, health.json and metrics show.
Health: "failing" when something does not work now, "stale" when a replica lags behind for longer than it should.
"""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import litestreamd
from litestreamd.basics.errors import LitestreamdError
from litestreamd.daemon.board import Board, ReplicaTally, Tally, Trouble
from litestreamd.daemon.instance import Instance
from litestreamd.daemon.protection import Protection
from litestreamd.database.verified import load_each, load_verified
from litestreamd.jobs.ship import Line, Stage
from litestreamd.jobs.standing import Stage as Capturing
from litestreamd.jobs.standing import Standing
from litestreamd.plan.window import Window
from litestreamd.replica.port import Fence

Document = dict[str, Any]

CURRENT_S = 2.0
"""A replica that lacks what is not older than two intervals and this is up to date."""

STALE_S = 60.0
"""A replica that lags for longer is stale."""


class StatusDocument:
    """Makes documents; from any thread. The attributes are what only the supervisor knows."""

    def __init__(self, instance: Instance, board: Board, config: str | None) -> None:
        self.state = "starting"
        self.reload_error: str | None = None
        self.litestream_names = False
        self.silence_s = 0.0
        self._instance = instance
        self._board = board
        self._config = config
        self._started_ms = time.time_ns() // 1_000_000

    def make(self) -> Document:
        """The document of now."""
        databases = [self._database(protection) for protection in self._instance.protections]
        databases += [
            {"path": str(settings.path), "state": "paused", "replicas": []} for settings in self._instance.paused
        ]
        databases.sort(key=lambda each: str(each["path"]))
        return {
            "version": 1,
            "program": litestreamd.__version__,
            "instance": self._instance.name,
            "pid": os.getpid(),
            "started_ms": self._started_ms,
            "now_ms": time.time_ns() // 1_000_000,
            "state": self.state,
            "health": health_of(databases),
            "config": self._config,
            "reload_error": self.reload_error,
            "watchdog_age_s": round(self.silence_s, 3),
            "litestream_names": self.litestream_names,
            "databases": databases,
        }

    def _database(self, protection: Protection) -> Document:
        replication, tally = protection.replication, self._board.of(str(protection.settings.path))
        standing = replication.outlook.standing()
        verified, each = _last_drills(self._instance.state_of(protection.settings))
        return {
            "path": str(protection.settings.path),
            "state": standing.stage.value,
            "error": _trouble(tally.trouble),
            "txid": standing.txid,
            "size": standing.size,
            "wal_size": standing.wal_size,
            "captures": tally.captures,
            "captured_bytes": tally.captured_bytes,
            "captured_pages": tally.captured_pages,
            "checkpoints": tally.checkpoints,
            "write_lock_s": tally.write_lock_s,
            "spool_bytes": standing.spool_bytes,
            "spool_files": standing.spool_files,
            "spool_quota": standing.spool_quota,
            "errors": dict(tally.errors),
            "verified": verified,
            "replicas": [
                self._replica(protection, line, standing, tally) | {"verified": each.get(line.replica.name)}
                for line in replication.lines
            ],
        }

    def _replica(self, protection: Protection, line: Line, standing: Standing, database: Tally) -> Document:
        tally = database.replicas[line.replica.name]
        missing = protection.replication.outlook.missing(line)
        lag_s = standing.waiting_s
        if missing.oldest_ms is not None:
            lag_s = max(lag_s, time.time() - missing.oldest_ms / 1000)
        if lag_s == 0.0 and missing.txids and tally.trouble is not None:
            lag_s = time.time() - tally.trouble.since_ms / 1000
        late = lag_s > protection.replication.settings.sync_interval_s * 2 + CURRENT_S
        return {
            "name": line.replica.name,
            "type": line.replica.kind,
            "state": "failing" if tally.trouble else _replica_state(line, standing, missing.txids, late),
            "error": _trouble(tally.trouble),
            "txid": line.cursor,
            "lag_s": round(lag_s, 3),
            "lag_bytes": missing.size,
            "lag_txids": max(0, missing.txids),
            "last_sync_ms": tally.synced_ms,
            "window": _window(line.owned.window if line.stage is Stage.ADMITTED else None),
            "fence": _fence(line),
            **_uploads(tally),
            "requests": dict(line.replica.requests),
        }


def _last_drills(state: Path) -> tuple[Document | None, Mapping[str, Document]]:
    """Of the database, and of its replicas by name."""
    try:
        verified = load_verified(state)
        return None if verified is None else verified.to_json(), {
            name: record.to_json() for name, record in load_each(state).items()
        }
    except LitestreamdError:
        return None, {}  # the next drill writes it anew


def _replica_state(line: Line, standing: Standing, lacking: int, late: bool) -> str:
    if line.stage is not Stage.ADMITTED:
        return "in sync" if standing.stage is Capturing.ABSENT and not standing.txid else "starting"
    return "behind" if line.needs_image is not None or ((lacking > 0 or standing.waiting_s) and late) else "in sync"


def _window(window: Window | None) -> Document | None:
    if window is None:
        return None
    oldest, newest = window.oldest, window.newest
    return {
        "oldest_ms": oldest.created_ms, "oldest_txid": oldest.txid,
        "newest_ms": newest.created_ms, "newest_txid": newest.txid,
    }  # fmt: skip


def _fence(line: Line) -> str | None:
    """Known only once something was written."""
    return line.replica.fence.value if line.stage is Stage.ADMITTED or line.replica.fence is Fence.WEAK else None


def _uploads(tally: ReplicaTally) -> Document:
    return {
        "uploads": {str(level): count for level, count in sorted(tally.uploads.items())},
        "upload_bytes": {str(level): size for level, size in sorted(tally.upload_bytes.items())},
        "upload_s": {str(level): round(seconds, 6) for level, seconds in sorted(tally.upload_s.items())},
        "deleted": tally.deleted,
        "errors": dict(tally.errors),
    }


def _trouble(trouble: Trouble | None) -> Document | None:
    if trouble is None:
        return None
    return {"class": trouble.error_class, "text": trouble.text, "since_ms": trouble.since_ms}


def health_of(databases: Sequence[Mapping[str, Any]]) -> str:
    """The worst of what these databases, and their replicas, say: "ok", "stale" or "failing"."""
    replicas = [replica for database in databases for replica in database["replicas"]]
    if any(each["state"] == "failing" for each in (*databases, *replicas)):
        return "failing"
    return "stale" if any(replica["lag_s"] > STALE_S for replica in replicas) else "ok"


def one_line(document: Document) -> str:
    """For systemctl status: what there is, how far it is, what is wrong."""
    databases = document["databases"]
    replicas = [replica for database in databases for replica in database["replicas"]]
    parts = [_counted(len(databases), "database")]
    for state in ("absent", "starting", "failing", "paused"):
        count = sum(database["state"] == state for database in databases)
        parts += [f"{count} {state}"] if count else []
    if len(databases) == 1 and databases[0].get("txid"):
        parts.append(f"TXID {databases[0]['txid']:x}")
    behind = [replica for replica in replicas if replica["state"] != "in sync"]
    if not behind:
        parts.append(f"{_counted(len(replicas), 'replica')} in sync")
    else:
        parts.append(f"{len(behind)} of {_counted(len(replicas), 'replica')} behind")
        parts.append(f"lag {max(replica['lag_s'] for replica in behind):.0f} s")
    trouble = next((each["error"] for each in (*databases, *replicas) if each.get("error")), None)
    return ", ".join(parts) + (f": {trouble['text']}" if trouble else "")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
