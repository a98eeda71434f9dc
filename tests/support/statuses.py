"""Status documents for tests of what is made of them."""

from typing import Any


def replica(**changed: Any) -> dict[str, Any]:
    return {
        "name": "s3", "type": "s3", "state": "in sync", "error": None, "txid": 12, "lag_s": 0.5, "lag_bytes": 300,
        "lag_txids": 1, "last_sync_ms": 1_800_000_000_000,
        "window": {
            "oldest_ms": 1_799_900_000_000, "oldest_txid": 2, "newest_ms": 1_800_000_000_000, "newest_txid": 12,
        },
        "fence": "strong", "uploads": {"0": 7, "9": 1},
        "upload_bytes": {"0": 700, "9": 9000}, "upload_s": {"0": 0.25, "9": 2.0}, "deleted": 5,
        "errors": {"StoreError": 2}, "requests": {"put_object": 8, "list_objects_v2": 1},
        "verified": {"ok": True, "at_ms": 1_799_000_000_000, "txid": 11, "replica": "s3", "error": None}, **changed,
    }  # fmt: skip


def database(**changed: Any) -> dict[str, Any]:
    return {
        "path": "/var/lib/app/app.db", "state": "watched", "error": None, "txid": 13, "size": 8192, "wal_size": 4120,
        "captures": 9, "captured_bytes": 1000, "captured_pages": 44, "checkpoints": 3, "write_lock_s": 0.125,
        "spool_bytes": 300, "spool_files": 1, "spool_quota": 1 << 30, "errors": {"EnvironmentFault": 1},
        "verified": {"ok": True, "at_ms": 1_799_000_000_000, "txid": 11, "replica": "s3", "error": None},
        "replicas": [replica()], **changed,
    }  # fmt: skip


def document(**changed: Any) -> dict[str, Any]:
    return {
        "version": 1, "program": "0.1.0", "instance": "app", "pid": 7, "started_ms": 1_700_000_000_000,
        "now_ms": 1_800_000_000_100, "state": "running", "health": "ok", "config": "/etc/litestreamd/app.yml",
        "reload_error": None, "watchdog_age_s": 0.25, "litestream_names": False, "age_s": 0.0,
        "databases": [database()], **changed,
    }  # fmt: skip
