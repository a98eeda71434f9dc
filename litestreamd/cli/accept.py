"""`accept`: take a live database as it is for the truth, although it does not prove itself.

In: databases of a configuration. Out: a note for the daemon (database/acceptance.py); deletions on the replicas go on.
"""

from litestreamd.basics.errors import ExitCode, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.options import Arguments
from litestreamd.cli.selection import SELECTION, select_one
from litestreamd.database.acceptance import accept
from litestreamd.database.disk import state_disk
from litestreamd.database.state_paths import state_directory
from litestreamd.jobs.retention_stop import NOTE


def run(arguments: Arguments) -> ExitCode:
    """Leave the note, and lift the stop."""
    target = select_one(arguments.words[0], arguments)
    database = target.database
    if database is None:
        raise UsageError(f"{arguments.words[0]} is a replica: a database of a configuration is wanted")
    state = state_directory(database.path, database.meta_path, target.source)
    if not state.is_dir():
        raise UsageError(f"{database.path} was never replicated from here: there is nothing to accept")
    accept(state)
    with state_disk(state / NOTE, "removed"):
        (state / NOTE).unlink(missing_ok=True)
    print(f"{database.path} is taken as it is, once: what differs from its last captured state is sent to the replicas")
    print(f"next: litestreamd sync -wait {arguments.words[0]}")
    return ExitCode.OK


COMMAND = Command(
    name="accept",
    summary="take a damaged live database as it is for the truth",
    synopses=("[options] INSTANCE|DATABASE",),
    options=SELECTION,
    run=run,
    words_min=1,
    words_max=1,
    examples=("app",),
)
