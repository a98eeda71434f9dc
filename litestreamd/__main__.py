"""`python -m litestreamd` is the command `litestreamd`."""

import sys

from litestreamd.cli.main import run

if __name__ == "__main__":
    sys.exit(run())
