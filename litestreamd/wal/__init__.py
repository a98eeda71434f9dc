"""SQLite WAL bytes to committed page sets. Pure."""
