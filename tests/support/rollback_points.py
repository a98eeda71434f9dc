"""Where a rollback can be killed, in the order in which it comes by."""

POINTS = (
    "rollback.planned",
    "rollback.synced",
    "restore.filled",
    "restore.installed",
    "rollback.restored",
    "rollback.users-stopped",
    "rollback.present-synced",
    "rollback.stopped",
    "restore.sidecars-moved",
    "restore.kept",
    "rollback.exchanged",
    "rollback.released",
    "rollback.started",
)
