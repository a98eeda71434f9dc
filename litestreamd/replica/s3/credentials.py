"""Which access key a replica signs with, and where it comes from.

In: the settings, the replica's name, the environment. Out: a key; or None, which leaves it to the AWS chain (AWS_*, a
profile, credential_process, web identity, container and instance roles; boto3 asks them). The first of these counts:
the configuration; a profile it names; systemd credentials; LITESTREAM_ACCESS_KEY_ID, unless AWS_ACCESS_KEY_ID is set
(as in Litestream); the chain.

Systemd credentials are files in $CREDENTIALS_DIRECTORY: `<name of the replica>-access-key-id`, `-secret-access-key`,
perhaps `-session-token`, so that several replicas can have several; else the same with `s3`. They are read anew when
the store refuses a key, so that a rotation needs no restart. Promised: no text of ours shows a value.
"""

from collections.abc import Mapping
from pathlib import Path

from litestreamd.basics.errors import RightsError
from litestreamd.replica.s3.settings import S3Settings, StaticKeys

_ID, _SECRET, _TOKEN = "access-key-id", "secret-access-key", "session-token"


def find_keys(settings: S3Settings, name: str, environment: Mapping[str, str]) -> StaticKeys | None:
    """The key to sign with; None leaves it to boto3. Raises RightsError for half a key."""
    if settings.keys is not None or settings.profile is not None:
        return settings.keys
    return _from_systemd(name, environment) or _from_environment(environment)


def _from_systemd(name: str, environment: Mapping[str, str]) -> StaticKeys | None:
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    for prefix in dict.fromkeys((name, "s3")):
        key, secret, token = (_read(Path(directory, f"{prefix}-{kind}")) for kind in (_ID, _SECRET, _TOKEN))
        if key and secret:
            return StaticKeys(key, secret, token)
        if key or secret:
            missing = f"{prefix}-{_SECRET if key else _ID}"
            raise RightsError(f"the credential {missing} is missing in {directory}: add LoadCredential={missing}:PATH")
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise RightsError(f"the credential {path} cannot be read: {reason}") from None


def _from_environment(environment: Mapping[str, str]) -> StaticKeys | None:
    key, secret = environment.get("LITESTREAM_ACCESS_KEY_ID"), environment.get("LITESTREAM_SECRET_ACCESS_KEY")
    if environment.get("AWS_ACCESS_KEY_ID") or not (key or secret):
        return None
    if not (key and secret):
        missing = "LITESTREAM_SECRET_ACCESS_KEY" if key else "LITESTREAM_ACCESS_KEY_ID"
        raise RightsError(f"the environment variable {missing} is not set: an access key has two halves")
    return StaticKeys(key, secret)
