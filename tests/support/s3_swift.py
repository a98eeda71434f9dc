"""OpenStack Swift with its S3 interface: a real object store of other origin, on disk, in four small processes.

In: a folder on a file system with user attributes. Out: a server that, alone among ours, checks the SHA-256 of every
body; like AWS it wants Content-MD5 or a checksum with DeleteObjects.
Not for leases: If-None-Match: * is not atomic here, If-Match is not implemented. It returns no checksums.
"""

import getpass
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from tests.support.guarded import bare_environment
from tests.support.ports import free_ports
from tests.support.s3_server import Server
from tests.support.tools import TOOLS

BIN = Path(TOOLS, "swift", "bin")
BACK = ("account", "container", "object")
PIPELINE = (
    "catch_errors", "gatekeeper", "healthcheck", "listing_formats", "s3api", "tempauth", "bulk", "slo", "dlo",
    "versioned_writes", "symlink",
)  # fmt: skip
RINGS = """
import json, sys
from swift.common.ring import RingBuilder
for name, port in json.loads(sys.argv[1]).items():
    ring = RingBuilder(4, 1, 0)
    ring.add_dev(dict(region=1, zone=1, weight=1, device="sdb1", meta="", ip="127.0.0.1", port=port,
                      replication_ip="127.0.0.1", replication_port=port))
    ring.rebalance()
    ring.get_ring().save(name + ".ring.gz")
"""
Sections = Mapping[str, Mapping[str, object]]


class Swift(Server):
    """One device, one copy of everything."""

    name: ClassVar[str] = "swift"
    atomic_create: ClassVar[bool] = False
    keeps_data: ClassVar[bool] = True
    ready_path: ClassVar[str] = "/healthcheck"

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        super().__init__(folder, tls=tls)
        first = free_ports(len(BACK))
        self.ports = {name: first + number for number, name in enumerate(BACK)}

    @classmethod
    def missing(cls) -> str:
        if not (BIN / "swift-proxy-server").exists():
            return f"{BIN}/swift-proxy-server is missing: `make servers` installs it"
        return "" if _has_attributes() else f"{tempfile.gettempdir()} takes no user attributes, which Swift needs"

    def keys(self) -> tuple[str, str]:
        return "test:tester", "testing"

    def prepare(self) -> None:
        for folder in ("srv/sdb1", "cache", "lock"):
            (self.folder / folder).mkdir(parents=True, exist_ok=True)
        self._write("swift", SWIFT)
        for name, port in self.ports.items():
            self._write(name, self._back(name, port))
        self._write("proxy", self._front())
        if not (self.folder / "object.ring.gz").exists():
            command = [str(BIN / "python"), "-c", RINGS, json.dumps(self.ports)]
            subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def launch(self) -> None:
        env = bare_environment(self.folder)
        for name in (*BACK, "proxy"):
            self.run(name, [BIN / f"swift-{name}-server", self.folder / f"{name}.conf", "--verbose"], env)

    def is_ready(self) -> bool:
        return all(map(_listens, self.ports.values())) and super().is_ready()

    def _default(self, name: str, port: int) -> dict[str, object]:
        """Of every one of the four. No workers: the process itself serves, and there is one less to start."""
        whose = {"user": getpass.getuser(), "log_name": name, "log_level": "WARNING"}
        return {"bind_ip": "127.0.0.1", "bind_port": port, "workers": 0, "swift_dir": self.folder, **whose}

    def _back(self, name: str, port: int) -> Sections:
        disk = {"devices": self.folder / "srv", "mount_check": "false", "disable_fallocate": "true"}
        notes = {"recon_cache_path": self.folder / "cache", "lock_path": self.folder / "lock"}
        return {
            "DEFAULT": {**self._default(name, port), **disk, **notes},
            "pipeline:main": {"pipeline": f"{name}-server"},
            f"app:{name}-server": {"use": f"egg:swift#{name}"},
        }

    def _front(self) -> Sections:
        tls = self.certificate
        files = {"cert_file": tls.certificate, "key_file": tls.key} if tls else {}
        auto = {"allow_account_management": "true", "account_autocreate": "true"}
        filters = {f"filter:{each}": {"use": f"egg:swift#{each}", **OPTIONS.get(each, {})} for each in PIPELINE}
        return {
            "DEFAULT": {**self._default("proxy", self.port), **files},
            "pipeline:main": {"pipeline": " ".join((*PIPELINE, "proxy-server"))},
            "app:proxy-server": {"use": "egg:swift#proxy", **auto},
            **filters,
        }

    def _write(self, name: str, sections: Sections) -> None:
        lines: list[str] = []
        for section, values in sections.items():
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in values.items())]
        (self.folder / f"{name}.conf").write_text("\n".join(lines) + "\n")


SWIFT: Sections = {
    "swift-hash": {"swift_hash_path_prefix": "pfx", "swift_hash_path_suffix": "sfx"},
    "storage-policy:0": {"name": "Policy-0", "default": "yes"},
    "swift-constraints": {"max_file_size": 5368709122, "max_header_size": 16384},
}
OPTIONS: Mapping[str, Mapping[str, object]] = {
    "versioned_writes": {"allow_object_versioning": "true"},
    "tempauth": {"user_test_tester": "testing .admin"},
    "s3api": {
        "s3_acl": "false",
        "location": "us-east-1",
        "storage_domain": "s3.localtest",
        "check_bucket_owner": "false",
        "min_segment_size": 5242880,
    },
}


def _has_attributes() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        try:
            os.setxattr(file.name, "user.test", b"x")
        except OSError:
            return False
    return True


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.settimeout(1)
        return attempt.connect_ex(("127.0.0.1", port)) == 0
