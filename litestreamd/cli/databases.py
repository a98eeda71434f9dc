"""`databases`: what a configuration protects, and where to. Needs no daemon and looks at no replica."""

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.command import Command
from litestreamd.cli.options import CONFIG, JSON, NO_EXPAND_ENV, Arguments
from litestreamd.cli.selection import configuration
from litestreamd.cli.table import print_json, print_table
from litestreamd.config.folders import all_databases
from litestreamd.replica.port import ReplicaSpec


def run(arguments: Arguments) -> ExitCode:
    """Print one line a database: its path and its replica."""
    instance = arguments.words[0] if arguments.words else None
    config = configuration(arguments, instance)
    rows = [(str(database.path), _replica_text(database.replicas)) for database in all_databases(config)]
    if arguments.switch("json"):
        print_json([{"path": path, "replica": replica} for path, replica in rows])
    else:
        print_table(("path", "replica"), rows)
    return ExitCode.OK


def _replica_text(replicas: tuple[ReplicaSpec, ...]) -> str:
    """Litestream's text, the type, for a single replica; the names, which tell them apart, for several."""
    return replicas[0].store.kind if len(replicas) == 1 else ",".join(spec.name for spec in replicas)


COMMAND = Command(
    name="databases",
    summary="list the databases of a configuration",
    synopses=("[options] [INSTANCE]",),
    options=(CONFIG, NO_EXPAND_ENV, JSON),
    run=run,
    words_max=1,
    examples=("", "-config /path/to/litestream.yml -json"),
)
