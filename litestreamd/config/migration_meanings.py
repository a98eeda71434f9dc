"""Keys that Litestream has as well, and that mean something else here (docs/configuration.md; Litestream 0.5.17)."""

MEANINGS = {
    "exec": "a child of the daemon, as before; under systemd give the program a service of its own, which "
    "litestreamd@NAME then stands around",
    "addr": "metrics are called litestreamd_*; metrics: {litestream-names: true} adds Litestream's names",
    "socket.enabled": "another protocol (docs/status.md), and on by default for an instance",
    "socket.path": "another protocol (docs/status.md); the default is /run/litestreamd/INSTANCE/control.sock",
    "sync-interval": "the first change after a quiet spell is sent at once, further ones at most this often",
    "name": "it is the replica's name in status, logs and metrics, and in -replica",
    "snapshot.retention": "each replica keeps to its own, and every moment within it can be restored",
    "checkpoint-interval": "a checkpoint waits for nobody, and never holds writers up",
    "busy-timeout": "for our own locks only: the application's are never waited for while it writes",
}
