"""The credentials of a unit, for a command that root types in a shell.

In: a unit. Out: a private directory as systemd would have made it for the unit's processes, or nothing.
Promised: only root gets anything; the files are in memory (/run), 0400 below a 0700 directory, until the process ends;
no secret is in an argument, an error or the environment.
Source: systemd.exec(5), "Credentials"; `systemctl show` does not tell them, so the unit's files are read.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.daemon.units import Units

_KINDS = ("LoadCredential", "LoadCredentialEncrypted")
_STORES = ("/etc/credstore", "/run/credstore", "/usr/lib/credstore")
_PLACE = Path("/run")


@dataclass(frozen=True, slots=True)
class Credential:
    """One that a unit loads. path None: looked for in the credential stores."""

    name: str
    path: str | None
    encrypted: bool


def lend_credentials(unit: str, units: Units) -> Path | None:
    """Make the directory; None when the unit loads nothing. Raises EnvironmentFault."""
    found = loaded_by(units.files_of(unit), unit)
    if not found:
        return None
    folder = Path(tempfile.mkdtemp(prefix="litestreamd-lent-", dir=_PLACE))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for credential in found:
        for name, source in _sources(credential):
            target = folder / name
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
            with os.fdopen(descriptor, "wb") as file:
                file.write(_decrypted(credential.name, source) if credential.encrypted else _read(source))
    return folder


def loaded_by(text: str, unit: str) -> list[Credential]:
    """What the files of a unit (`systemctl cat`) say; an empty assignment takes back what stood before."""
    found: dict[str, Credential] = {}
    for line in text.splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if equals and key in _KINDS:
            encrypted = key == _KINDS[1]
            if not value:
                found = {name: each for name, each in found.items() if each.encrypted != encrypted}
                continue
            name, _, path = _expanded(value, unit).partition(":")
            found[name] = Credential(name, path or None, encrypted)
    return list(found.values())


def _expanded(value: str, unit: str) -> str:
    """The specifiers that a path of a credential may sensibly have (systemd.unit(5))."""
    instance = unit.partition("@")[2].rpartition(".")[0]
    for specifier, meaning in (("%i", instance), ("%n", unit), ("%N", unit.rpartition(".")[0]), ("%%", "%")):
        value = value.replace(specifier, meaning)
    return value


def _sources(credential: Credential) -> Iterator[tuple[str, Path]]:
    """Names in the directory, and the files they come from; a directory gives one for each file in it."""
    if credential.path is None:
        ending = ".encrypted" if credential.encrypted else ""
        places = [Path(store + ending, credential.name) for store in _STORES]
    else:
        places = [Path(credential.path)]
    place = next((each for each in places if each.exists()), None)
    if place is None:
        raise EnvironmentFault(f"the credential {credential.name} of the unit is not there: {places[0]}")
    if not place.is_dir():
        yield credential.name, place
        return
    for each in sorted(place.iterdir()):
        if each.is_file():
            yield f"{credential.name}_{each.name}", each


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(f"the credential {path} cannot be read: {error.strerror}") from None


def _decrypted(name: str, path: Path) -> bytes:
    command = ["systemd-creds", "decrypt", f"--name={name}", str(path), "-"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(f"the credential {path} cannot be decrypted: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["systemd-creds does not say why"]
        raise EnvironmentFault(f"the credential {path} cannot be decrypted: {said[-1]}")
    return done.stdout
