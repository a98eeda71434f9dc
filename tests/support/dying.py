"""Work in a forked child that dies by SIGKILL at a named crash point, as the daemon would.

In: a name of basics.crash_points, which passing, the work. Out: whether the child died there (else it finished).
The parent must have no SQLite connection open: SQLite does not survive a fork.
"""

import os
import signal
import traceback
from collections.abc import Callable

from litestreamd.basics import crash_points


def dies_at(name: str, passing: int, work: Callable[[], object]) -> bool:
    """Run the work in a child. Raises AssertionError when it fails otherwise than by that death."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            crash_points.arm(name, passing, lambda: os.kill(os.getpid(), signal.SIGKILL))
            work()
            code = 0
        except BaseException:  # noqa: BLE001  told, and turned into an exit code
            traceback.print_exc()
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), f"the child ended with {code}"
    return code != 0
