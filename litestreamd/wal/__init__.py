"""SQLite's write-ahead log as bytes: its header, frames, checksums, commits, and the header of its index. Pure."""
