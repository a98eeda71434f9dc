"""The command line: which command, with which options, and how its outcome is told.

In: the words of the command line. Out: an exit code (`basics.errors.ExitCode`).
Promises: errors are translated here and nowhere else, one `litestreamd: error:` line each on stderr;
a command's code is imported only when it runs. An exception that is no error of ours is a bug and
leaves as a traceback with exit code 1.
"""

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from litestreamd.basics.errors import ExitCode, LitestreamdError, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.options import HELP_NAMES, nearest, parse_arguments

# The summaries are here as well as in the commands, so that help imports nothing.
COMMANDS = {
    "replicate": "copy databases to their replicas as they change",
    "restore": "bring a database back from a replica",
    "status": "show where every database and replica stands",
    "sync": "wait until what is committed now is captured, or with -wait on every replica",
    "logs": "print what the journal has of an instance: what was synced, where to, how long it took",
    "metrics": "serve the metrics of all instances of this machine",
    "points": "list the moments that can be restored",
    "verify": "prove that a backup can be restored, and equals the live database",
    "databases": "list the databases of a configuration",
    "generations": "list what Litestream 0.3 left of a database on its replicas",
    "ltx": "list the LTX files of a database on its replicas",
    "accept": "take a damaged live database as it is for the truth",
    "doctor": "look whether everything around an instance is as it has to be",
    "migrate-config": "turn a configuration of Litestream 0.3 or 0.5 into one for litestreamd",
    "init": "set an instance up: its configuration, and units that run as the owner of its databases",
    "failure": "report that a unit has failed, and run the hooks for that (used by systemd)",
    "version": "print the version",
}
_INTERRUPTED = 130
_RIGHTS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def run() -> int:
    """Entry point `litestreamd`."""
    return main(sys.argv[1:])


def run_restore() -> int:
    """Entry point `litestreamd-restore`: the same as `litestreamd restore`."""
    return main(["restore", *sys.argv[1:]], called="litestreamd-restore")


def main(words: Sequence[str], called: str | None = None) -> int:
    """Carry out one command line; `called` replaces `litestreamd COMMAND` in usage texts."""
    try:
        code = _dispatch(list(words), called)
        sys.stdout.flush()
        return code
    except LitestreamdError as error:
        _complain(str(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not worth a word, and the interpreter must
        # not try to flush into the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    except OSError as error:
        _complain(_os_sentence(error))
        return ExitCode.RIGHTS if error.errno in _RIGHTS else ExitCode.FAILED
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "litestreamd":
            raise
        _complain(f"the Python module {error.name} is missing: install litestreamd from its package, or with pip")
        return ExitCode.FAILED
    except KeyboardInterrupt:
        return _INTERRUPTED


def _dispatch(words: list[str], called: str | None) -> int:
    if not words:
        sys.stderr.write(_overview())
        return ExitCode.USAGE
    name, *rest = words
    bare = name.removeprefix("-").removeprefix("-") if name.startswith("-") else name
    if bare in HELP_NAMES:
        return _help(rest)
    if bare == "version":
        name = bare
    command = load(name)
    called = called or f"litestreamd {name}"
    arguments = parse_arguments(rest, command.options)
    if arguments.help_wanted:
        sys.stdout.write(command.usage(called))
        return ExitCode.OK
    command.check_words(arguments, called)
    return command.run(arguments)


def _help(rest: list[str]) -> ExitCode:
    names = [word for word in rest if not word.startswith("-")]
    sys.stdout.write(load(names[0]).usage(f"litestreamd {names[0]}") if names else _overview())
    return ExitCode.OK


def load(name: str) -> Command:
    """The command of this name, imported now. Raises UsageError."""
    if name not in COMMANDS:
        if name.startswith("-"):
            raise UsageError(f"the command comes first, then its options: litestreamd COMMAND {name.partition('=')[0]}")
        raise UsageError(f"unknown command {name}{nearest(name, COMMANDS)}; litestreamd -h lists them")
    command: Command = importlib.import_module(f"litestreamd.cli.{name.replace('-', '_')}").COMMAND
    return command


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()]
    return "\n".join(
        (
            "litestreamd keeps SQLite databases safe on replicas, as they change.",
            "",
            "Usage:",
            "  litestreamd COMMAND [options] [arguments]",
            "",
            "Commands:",
            *lines,
            "",
            "litestreamd COMMAND -h explains one command.",
            "",
        )
    )


def _complain(text: str) -> None:
    for line in text.splitlines():
        sys.stderr.write(f"litestreamd: error: {line}\n")


def _os_sentence(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename is not None else reason
