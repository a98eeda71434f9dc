"""Side-by-side measurements of litestreamd and Litestream; see `python -m bench --help`."""
