"""`version`: what runs here, and with which libraries."""

import platform
from importlib import metadata

from litestreamd import __version__
from litestreamd.basics.checksum import CRC64_LIBRARY
from litestreamd.basics.errors import ExitCode
from litestreamd.cli.command import Command
from litestreamd.cli.options import Arguments, Option

_LIBRARIES = ("apsw", "PyYAML", "lz4", "boto3", "numpy")


def run(arguments: Arguments) -> ExitCode:
    """Print the version, with -verbose also those of Python, the system and the libraries."""
    if not arguments.switch("verbose"):
        print(__version__)
        return ExitCode.OK
    rows = [
        ("Version", __version__),
        ("Python", platform.python_version()),
        ("System", f"{platform.system().lower()}/{platform.machine()}"),
        *((library, _installed(library)) for library in _LIBRARIES),
        ("CRC-64", CRC64_LIBRARY or "in Python (slow: install fastcrc or anycrc)"),
    ]
    for name, value in rows:
        print(f"{name + ':':<9} {value}")
    return ExitCode.OK


def _installed(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"


COMMAND = Command(
    name="version",
    summary="print the version",
    synopses=("[options]",),
    options=(Option("verbose", "also the versions of Python, the system and the libraries"),),
    run=run,
)
