"""The drop-in that hands access keys to the units of one instance.

In: a folder with files named like the credentials; those that end in .cred are encrypted (systemd-creds(1)). Out: the
text of credentials.conf. Source: systemd.exec(5), LoadCredential= and LoadCredentialEncrypted=.
"""

import re
from pathlib import Path

from litestreamd.basics.errors import RightsError, UsageError
from litestreamd.config.owner_dropin import MARK

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*-(access-key-id|secret-access-key|session-token)")
_ENCRYPTED = ".cred"


def credentials_dropin(instance: str, folder: Path) -> str:
    """Raises UsageError when there is no key in the folder, RightsError when others may read one."""
    found = sorted(path for path in _files(folder) if _NAME.fullmatch(path.name.removesuffix(_ENCRYPTED)))
    if not found:
        raise UsageError(f"{folder} has no key: write it into s3-access-key-id and s3-secret-access-key there")
    _refuse_halves(found, folder)
    for path in found:
        if path.suffix != _ENCRYPTED and path.stat().st_mode & 0o077:
            raise RightsError(f"others than its owner may read {path}: chmod 600 {path}")
    lines = [f"{MARK} {instance}: run it again after changing the keys' names.", "[Service]"]
    lines += [f"{_key(path)}={path.name.removesuffix(_ENCRYPTED)}:{path}".replace("%", "%%") for path in found]
    return "\n".join(lines) + "\n"


def _refuse_halves(found: list[Path], folder: Path) -> None:
    """Half a key, or a name in two ways."""
    names = [path.name.removesuffix(_ENCRYPTED) for path in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{folder} has {name} and {name}{_ENCRYPTED}: keep one of them")
        prefix = name.partition("-access-key-id")[0].partition("-secret-access-key")[0].partition("-session-token")[0]
        for half in ("access-key-id", "secret-access-key"):
            if f"{prefix}-{half}" not in names:
                raise UsageError(f"{folder} has {name}, and no {prefix}-{half}: a key has two halves")


def _files(folder: Path) -> list[Path]:
    if not str(folder).isprintable():
        raise UsageError("-credentials: a unit file cannot name this folder")
    if not folder.is_dir():
        raise UsageError(f"-credentials: {folder} is not a folder")
    return [path for path in folder.iterdir() if path.is_file()]


def _key(path: Path) -> str:
    return "LoadCredentialEncrypted" if path.suffix == _ENCRYPTED else "LoadCredential"
