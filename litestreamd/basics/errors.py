"""The one tree of errors: whose fault it is, whether a retry can help, and the exit code.

In: a sentence for the operator that names the thing, the place and the way out.
Out: an exception that is translated once, at the command line or at the top of a worker.
"""

from enum import Enum, IntEnum


class ExitCode(IntEnum):
    """What the process tells its caller (docs/man/litestreamd.1)."""

    OK = 0
    FAILED = 1
    STALE = 2
    FAILING = 3
    USAGE = 64
    DAMAGED = 65
    UNREACHABLE = 69
    LEFT_BEHIND = 73
    BUSY = 75
    RIGHTS = 77
    CONFIG = 78


class Fault(Enum):
    """Who has to act."""

    USER = "user"
    ENVIRONMENT = "environment"
    STORE = "store"
    DATA = "data"
    BUG = "bug"


class LitestreamdError(Exception):
    """Root of the tree. `str(error)` is one clear sentence without secrets."""

    exit_code: ExitCode = ExitCode.FAILED
    fault: Fault = Fault.BUG
    retry: bool = False


class UsageError(LitestreamdError):
    """The command line cannot be carried out as written."""

    exit_code = ExitCode.USAGE
    fault = Fault.USER


class ConfigError(LitestreamdError):
    """The configuration is not valid; the text holds every fault, one a line."""

    exit_code = ExitCode.CONFIG
    fault = Fault.USER


class RightsError(LitestreamdError):
    """The operating system or the store refused us."""

    exit_code = ExitCode.RIGHTS
    fault = Fault.ENVIRONMENT


class BusyError(LitestreamdError):
    """Somebody else holds what we need: another daemon, a lock, an open file."""

    exit_code = ExitCode.BUSY
    fault = Fault.ENVIRONMENT
    retry = True


class EnvironmentFault(LitestreamdError):
    """The machine does not let us go on (disk full, missing folder, wrong file)."""

    fault = Fault.ENVIRONMENT
    retry = True


class StoreError(LitestreamdError):
    """A replica cannot be reached or does not answer as it should; a retry may help."""

    exit_code = ExitCode.UNREACHABLE
    fault = Fault.STORE
    retry = True


class StoreMissing(StoreError):
    """The place that should hold the replica is not there: unmounted, mistyped or deleted."""

    retry = False


class StoreRefuses(StoreError):
    """It answers, and will go on saying no until somebody changes something: a clock, a region, a setting."""

    retry = False


class ObjectMissing(StoreError):
    """An object that a listing named is gone."""


class ConflictError(LitestreamdError):
    """Somebody else writes, or wrote, this replica (a second writer, another database)."""

    exit_code = ExitCode.FAILED
    fault = Fault.USER


class DamagedData(LitestreamdError):
    """Bytes do not prove what they claim to be."""

    exit_code = ExitCode.DAMAGED
    fault = Fault.DATA


class NotAvailable(LitestreamdError):
    """The wished-for state is not in the replica."""

    exit_code = ExitCode.FAILED
    fault = Fault.USER
