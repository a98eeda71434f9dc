"""litestreamd: continuous backup for SQLite, native to systemd."""

__version__ = "0.1.0"
