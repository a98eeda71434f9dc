"""What Litestream 0.3 left in a replica, as names and bytes: snapshots and WAL segments. Read, never written. Pure."""
