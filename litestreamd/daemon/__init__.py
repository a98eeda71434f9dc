"""Threads, signals, the log: the long-running process."""
