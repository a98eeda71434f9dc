"""Where `make dev` and `make servers` put the other programs: beside this Python, or where TEST_TOOLS says.

The second is for an environment with the oldest libraries that the program works with, which has no tools of its own.
"""

import os
import sys
from pathlib import Path

TOOLS = Path(os.environ.get("TEST_TOOLS") or sys.prefix)
