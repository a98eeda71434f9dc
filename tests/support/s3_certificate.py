"""A certificate for 127.0.0.1 that signs itself.

In: a folder. Out: the files; made once, by the command `openssl`. Its own certificate is what a client has to trust.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files."""

    certificate: Path
    key: Path


def self_signed(folder: Path) -> Certificate:
    """The certificate of the folder, made if it is not there. An elliptic curve: its key costs no time."""
    files = Certificate(folder / "tls.crt", folder / "tls.key")
    if not files.certificate.exists():
        assert shutil.which("openssl"), "openssl is missing: `make servers` installs it"
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]
        names = ["-subj", "/CN=localhost", "-addext", NAMES]
        where = ["-keyout", str(files.key), "-out", str(files.certificate)]
        subprocess.run(["openssl", "req", "-x509", *kind, *names, *where], capture_output=True, check=True)
    return files
