"""The local edge: the live database, its WAL, the spool and the page hashes."""
