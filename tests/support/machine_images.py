"""Root file systems for booted containers: Debian 12 and Debian 13, made once with mmdebstrap.

In: a release. Out: a folder below TOOLS (`make machines`), never written to afterwards, and why it is not there.
Run as a program it makes those that are missing, or whose list of packages has changed.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.tools import TOOLS

RELEASES = ("bookworm", "trixie")
PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "ca-certificates", "curl", "sqlite3",
    "python3", "python3-apsw", "python3-boto3", "python3-lz4", "python3-prometheus-client", "python3-sdnotify",
    "python3-systemd", "python3-yaml",
    "pdns-server", "pdns-backend-sqlite3",
)  # fmt: skip
"""What litestreamd needs, and an application that nobody here wrote."""

LEFT_OUT = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")
_STAMP = ".made-of"


def folder(release: str) -> Path:
    """Where it is."""
    return Path(TOOLS, "machines", release)


def missing(release: str) -> str | None:
    """Why there is none; None when there is."""
    if (folder(release) / _STAMP).exists():
        return None
    return f"{folder(release)} is missing: `make machines` makes it (as root, with mmdebstrap)"


def make(release: str) -> None:
    """Make one anew; half a one is never left."""
    place = folder(release)
    unfinished = place.with_suffix(".unfinished")
    for old in (unfinished, place):
        if old.exists():
            shutil.rmtree(old)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    try:
        subprocess.run([*command, release, unfinished], check=True, stdin=subprocess.DEVNULL, timeout=1200)
        # An image starts nothing by itself that a test has not enabled.
        subprocess.run(
            ["systemctl", f"--root={unfinished}", "disable", "--quiet", "pdns.service"], check=False, timeout=60
        )
        (unfinished / _STAMP).write_text(_recipe())
        unfinished.rename(place)
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished)


def _recipe() -> str:
    return "\n".join((*PACKAGES, *LEFT_OUT)) + "\n"


def main() -> int:
    for release in RELEASES:
        stamp = folder(release) / _STAMP
        if not stamp.exists() or stamp.read_text() != _recipe():
            print(f"making {folder(release)}", flush=True)
            make(release)
    return 0


if __name__ == "__main__":
    sys.exit(main())
