"""rclone as an S3 server: the one that must be found out.

In: a folder. Out: a server that checks signatures and ignores every conditional header without a word: a PUT with
If-None-Match: * overwrites. It also loses user metadata when it restarts, gives sporadic 500s to concurrent PUTs into
new prefixes, and cuts GETs of an object that is being overwritten.
"""

from pathlib import Path
from typing import ClassVar

from tests.support.guarded import bare_environment
from tests.support.s3_server import Server
from tests.support.tools import TOOLS

PROGRAM = Path(TOOLS, "rclone", "bin", "rclone")
"""Not the one of the machine: Debian's cannot serve S3."""


class Rclone(Server):
    """Objects are files in `data`."""

    name: ClassVar[str] = "rclone"
    atomic_create: ClassVar[bool] = False
    keeps_data: ClassVar[bool] = True

    @classmethod
    def missing(cls) -> str:
        return "" if PROGRAM.exists() else f"{PROGRAM} is missing: `make servers` installs it"

    def keys(self) -> tuple[str, str]:
        return "rclonekey", "rclonesecret"

    def prepare(self) -> None:
        (self.folder / "data").mkdir(exist_ok=True)

    def launch(self) -> None:
        tls = self.certificate
        files = ["--cert", str(tls.certificate), "--key", str(tls.key)] if tls else []
        keys = ["--auth-key", f"{self.access_key},{self.secret_key}"]
        command = ["serve", "s3", "--addr", f"127.0.0.1:{self.port}", *keys, *files, str(self.folder / "data")]
        self.run(self.name, [PROGRAM, *command], bare_environment(self.folder, RCLONE_CONFIG="/dev/null"))
