"""Ceph's radosgw over the smallest cluster there is: one monitor, one OSD that keeps everything in memory.

In: a folder, Debian's packages. Out: a server in C++ whose If-None-Match: * is atomic. A restart is empty.
It stands for older providers: no trailers (so boto3's defaults fail over TLS), If-Match only without quotes, checksums
unknown (Content-MD5 is checked), conditions ignored on DeleteObject and CompleteMultipartUpload.
"""

import shutil
import subprocess
import uuid
from pathlib import Path
from typing import ClassVar

from tests.support.guarded import bare_environment
from tests.support.ports import free_ports
from tests.support.s3_server import Server

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
OPEN = ("--ms_mon_client_mode=crc", "--auth_client_required=none")
"""What radosgw does not take from the file; without it, it hangs."""
OSD_PORTS = 8


class RadosGateway(Server):
    """Its monitor answers at `port_of_cluster`, its OSD takes ports after that."""

    name: ClassVar[str] = "radosgw"
    optional: ClassVar[bool] = True
    atomic_create: ClassVar[bool] = True
    keeps_data: ClassVar[bool] = False

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        super().__init__(folder, tls=tls)
        self.port_of_cluster = free_ports(1 + OSD_PORTS)
        self.env = bare_environment(folder)

    @classmethod
    def missing(cls) -> str:
        lost = [program for program in PROGRAMS if not shutil.which(program)]
        return f"{', '.join(lost)} missing: `make servers` installs radosgw on Debian, as root" if lost else ""

    def keys(self) -> tuple[str, str]:
        return "testkey0123456789ab", "testsecret0123456789"

    def prepare(self) -> None:
        """An empty cluster, whatever there was."""
        for folder in ("mon", "osd", "rgw", "run"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)
            (self.folder / folder).mkdir()
        cluster = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(self._configuration(cluster))
        known = ["--create", "--clobber", "--addv", "a", self._monitor, "--fsid", cluster]
        self._tell("monmaptool", *known, str(self.folder / "monmap"), configured=False)
        self._tell("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(self.folder / "monmap"))

    def launch(self) -> None:
        """One after the other: each step needs the daemons of those before."""
        self._daemon("ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        self._tell("ceph", "osd", "new", osd, "0")
        self._tell("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon("ceph-osd", "-i", "0")
        keys = [f"--access-key={self.access_key}", f"--secret-key={self.secret_key}"]
        self._tell("radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=t", "--display-name=t", *keys)
        self._daemon("radosgw", "-n", "client.rgw", *OPEN)

    @property
    def _monitor(self) -> str:
        return f"[v2:127.0.0.1:{self.port_of_cluster}]"

    def _daemon(self, program: str, *arguments: str) -> None:
        """In the foreground (-f): one that daemonises would leave the group that we kill."""
        self.run(program, [program, "-c", self.folder / "ceph.conf", "-f", *arguments], self.env)

    def _tell(self, program: str, *arguments: str, configured: bool = True) -> None:
        """A command that ends."""
        file = ["-c", str(self.folder / "ceph.conf")] if configured else []
        command = [program, *file, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=self.deadline_s, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)} -> {done.returncode}\n{done.stdout}{done.stderr}"

    def _configuration(self, cluster: str) -> str:
        first = self.port_of_cluster + 1
        values = {"folder": self.folder, "cluster": cluster, "monitor": self._monitor, "front": self._front}
        return CONFIGURATION.format(**values, first=first, last=first + OSD_PORTS - 1)

    @property
    def _front(self) -> str:
        """Without tcp_nodelay every GET takes 45 ms."""
        tls = self.certificate
        if tls is None:
            return f"beast tcp_nodelay=1 endpoint=127.0.0.1:{self.port}"
        files = f"ssl_certificate={tls.certificate} ssl_private_key={tls.key}"
        return f"beast tcp_nodelay=1 ssl_endpoint=127.0.0.1:{self.port} {files}"


CONFIGURATION = """\
# A cluster of one is there in a second, not in twelve: Paxos proposes at once, and who missed a step asks again soon.
[global]
fsid = {cluster}
mon host = {monitor}
mon initial members = a
mon allow pool size one = true
paxos propose interval = 0.02
paxos min wait = 0.01
mon tick interval = 1
objecter tick interval = 0.5
osd mon report interval = 1
osd heartbeat interval = 1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc secure
ms bind msgr1 = false
ms bind port min = {first}
ms bind port max = {last}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
run dir = {folder}/run
crash dir = {folder}/run
admin socket =
log file = {folder}/$name.log
osd objectstore = memstore
memstore device bytes = 4294967296
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
[mon.a]
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = {front}
rgw dns name = s3.localtest
rgw enable usage log = false
"""
