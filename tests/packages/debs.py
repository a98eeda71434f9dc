"""The Debian packages of this tree, as `make deb` builds them, and how a machine gets them.

In: the pinned sources (`make sources`). Out: files.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.machine import Machine
from tests.support.programs import TREE

APT = "DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends"
SOURCES = TREE / "build" / "sources"
FOLLOWING = "+next"
"""What the version ends with that comes after the present one."""


@dataclass(frozen=True, slots=True)
class Debs:
    """Files. `folder` has all that one `make deb` makes, source packages included."""

    folder: Path
    present: Path
    following: Path
    cysystemd: Path


def build(folder: Path, following: bool = False) -> None:
    """`make deb`, into a folder."""
    more = {"NEXT": FOLLOWING} if following else {}
    done = subprocess.run(
        [TREE / "packaging" / "deb.sh", SOURCES, folder], env={"PATH": "/usr/bin:/bin", **more},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:]


def give(machine: Machine, *files: Path) -> None:
    """Into /root/packages."""
    for file in files:
        machine.write(f"/root/packages/{file.name}", file.read_bytes())
