"""MiniStack: the fast S3 server of the tests, an emulator that does nearly everything as AWS does.

In: a folder; whether what it holds survives a kill. Out: a server that checks signatures.
Traps: it never looks at the signature of its root key, so an IAM user is written into the state that it reads at its
start, and is the one to be used; it takes bodies whose SHA-256 is not the signed one, and parts that are too small.
"""

import json
import secrets
import urllib.parse
from pathlib import Path
from typing import ClassVar, Self

from tests.support.guarded import bare_environment
from tests.support.s3_access import Access
from tests.support.s3_server import Server
from tests.support.tools import TOOLS

PROGRAM = Path(TOOLS, "ministack", "bin", "hypercorn")
"""Not its own command: that one takes port 443 as well, and leaves a file behind in the machine's temporary folder."""
ACCOUNT = "000000000000"
USER = "backup"
SETTINGS = {
    "SERVICES": "s3,iam,sts",
    "AUTH": "true",
    "LOG_LEVEL": "WARNING",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "MINISTACK_HOST": "s3.localtest",
    "IOT_MTLS_ENABLED": "0",  # or it listens on a port of its own
    "SFTP_ENABLED": "0",
    "DOCKER_HOST": "unix:///nonexistent",  # or it removes containers of others
    "PERSIST_STATE": "1",  # read at the start; written only at an orderly end, which never comes
}


class MiniStack(Server):
    """`restart` keeps the keys, and with `persist` the objects too."""

    name: ClassVar[str] = "ministack"
    atomic_create: ClassVar[bool] = True
    keeps_data: ClassVar[bool] = False
    """Only one that was told to `persist` does."""
    ready_path: ClassVar[str] = "/_ministack/health"

    def __init__(self, folder: Path, *, tls: bool = False, persist: bool = False) -> None:
        super().__init__(folder, tls=tls)
        self.persist = persist

    @classmethod
    def missing(cls) -> str:
        return "" if PROGRAM.exists() else f"{PROGRAM} is missing: `make servers` installs it"

    def keys(self) -> tuple[str, str]:
        return f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20)

    def prepare(self) -> None:
        state = self.folder / "state"
        state.mkdir(exist_ok=True)
        (state / "iam.json").write_text(json.dumps({"__ministack_format__": 2, "payload": self._identity()}))
        (self.folder / "hypercorn.toml").write_text(self._listening())

    def launch(self) -> None:
        where = {"GATEWAY_PORT": str(self.port), "STATE_DIR": str(self.folder / "state")}
        kept = {"S3_PERSIST": "1", "S3_DATA_DIR": str(self.folder / "data")} if self.persist else {}
        command = [str(PROGRAM), "--config", str(self.folder / "hypercorn.toml"), "ministack.app:app"]
        self.run(self.name, command, bare_environment(self.folder, **SETTINGS, **where, **kept))

    def restart(self, *, new_keys: bool = False) -> Self:
        """Kill and start again. With new keys the old ones are unknown from then on: ask for `access` again."""
        self.kill()
        if new_keys:
            self.access_key, self.secret_key = self.keys()
        return self.start()

    def user(self, name: str, *actions: str) -> Access:
        """Another user who may do no more than this (`s3:GetObject`, ...); a restart forgets him."""
        policy = json.dumps(_allow(list(actions)))
        self._iam("CreateUser", UserName=name)
        self._iam("PutUserPolicy", UserName=name, PolicyName="only", PolicyDocument=policy)
        answer = self._iam("CreateAccessKey", UserName=name)
        return self.access.changed(
            access_key=_between(answer, "AccessKeyId"), secret_key=_between(answer, "SecretAccessKey")
        )

    def _identity(self) -> dict[str, object]:
        """The one user in the form in which MiniStack would have saved him."""
        arn = f"arn:aws:iam::{ACCOUNT}:user/{USER}"
        made = {"CreateDate": "2026-01-01T00:00:00Z"}
        user = {"UserName": USER, "Arn": arn, "UserId": "AIDA", "Path": "/", "AttachedPolicies": [], "Tags": [], **made}
        key = {"AccessKeyId": self.access_key, "SecretAccessKey": self.secret_key, "Status": "Active", **made}
        return {
            "users": _scoped(USER, user),
            "access_keys": _scoped(self.access_key, {"UserName": USER, **key}),
            "user_inline_policies": _scoped(USER, {"all": json.dumps(_allow(["s3:*"]))}),
        }

    def _listening(self) -> str:
        """Hypercorn's settings. Without HTTP/2, which S3 does not offer either."""
        lines: dict[str, object] = {
            "bind": [f"127.0.0.1:{self.port}"],
            "workers": 0,
            "keep_alive_timeout": 75,
            "loglevel": "WARNING",
            "alpn_protocols": ["http/1.1"],
        }
        if self.certificate:
            lines |= {"certfile": str(self.certificate.certificate), "keyfile": str(self.certificate.key)}
        return "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())

    def _iam(self, action: str, **fields: str) -> str:
        """One request to its IAM, as root, whose signature may be anything."""
        data = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **fields}).encode()
        scope = "Credential=test/20260101/us-east-1/iam/aws4_request"
        head = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
        connection = self._connection()
        try:
            connection.request("POST", "/", data, head | {"Content-Type": "application/x-www-form-urlencoded"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        assert answer.status == 200, text
        return text


def _allow(actions: list[str]) -> dict[str, object]:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _scoped(key: str, value: object) -> dict[str, object]:
    return {"__scoped__": True, "data": {f"{ACCOUNT}\0{key!r}": value}}


def _between(xml: str, tag: str) -> str:
    return xml.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
