"""Root file systems for booted containers: Debian 12 and Debian 13, made once with mmdebstrap.

Two of each: one with all that litestreamd needs, and a minimal one, into which its package is installed.

In: a release. Out: a folder below TOOLS (`make machines`), never written to afterwards, and why it is not there.
Run as a program it makes those that are missing, or whose list of packages has changed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.tools import TOOLS

RELEASES = ("bookworm", "trixie")
_SYSTEM = ("systemd", "systemd-sysv")
PACKAGES = (
    *_SYSTEM, "dbus", "ca-certificates", "curl", "sqlite3",
    "python3", "python3-apsw", "python3-boto3", "python3-lz4", "python3-prometheus-client", "python3-sdnotify",
    "python3-systemd", "python3-yaml",
    "pdns-server", "pdns-backend-sqlite3",
)  # fmt: skip
"""What litestreamd needs, and an application that nobody here wrote."""

MINIMAL = "-minimal"
"""What the name of an image ends with in which there is a booting system, and nothing else."""

LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
_STAMP = ".made-of"


def folder(image: str) -> Path:
    """Where it is; `image`: a release, or a release + MINIMAL."""
    return Path(TOOLS, "machines", image)


def missing(image: str) -> str | None:
    """Why there is none; None when there is."""
    if (folder(image) / _STAMP).exists():
        return None
    return f"{folder(image)} is missing: `make machines` makes it (as root, with mmdebstrap)"


def unavailable(image: str) -> str | None:
    """Why no machine of this image can be booted here."""
    if os.geteuid() != 0:
        return "booting a machine needs root"
    if shutil.which("systemd-nspawn") is None:
        return "systemd-nspawn is missing (package systemd-container)"
    return missing(image)


def make(image: str) -> None:
    """Make one anew; half a one is never left."""
    place, release = folder(image), image.removesuffix(MINIMAL)
    unfinished = place.with_suffix(".unfinished")
    for old in (unfinished, place):
        if old.exists():
            shutil.rmtree(old)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(_packages(image))}"]
    command += [f"--dpkgopt=path-exclude={path}" for path in _left_out(image)]
    try:
        subprocess.run([*command, release, unfinished], check=True, stdin=subprocess.DEVNULL, timeout=1200)
        if not image.endswith(MINIMAL):  # an image starts nothing by itself that a test has not enabled
            subprocess.run(
                ["systemctl", f"--root={unfinished}", "disable", "--quiet", "pdns.service"], check=False, timeout=60
            )
        (unfinished / _STAMP).write_text(_recipe(image))
        unfinished.rename(place)
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished)


def _packages(image: str) -> tuple[str, ...]:
    return _SYSTEM if image.endswith(MINIMAL) else PACKAGES


def _left_out(image: str) -> tuple[str, ...]:
    """What is installed into a minimal one later comes as its users get it."""
    return () if image.endswith(MINIMAL) else LEFT_OUT


def _recipe(image: str) -> str:
    return "\n".join((*_packages(image), *_left_out(image))) + "\n"


def main() -> int:
    for image in (*RELEASES, *(release + MINIMAL for release in RELEASES)):
        stamp = folder(image) / _STAMP
        if not stamp.exists() or stamp.read_text() != _recipe(image):
            print(f"making {folder(image)}", flush=True)
            make(image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
