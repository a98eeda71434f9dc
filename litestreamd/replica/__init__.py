"""Where backups are kept: the storage port and its back ends."""
