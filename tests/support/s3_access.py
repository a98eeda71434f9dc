"""How a client reaches an S3 server: a value that also another process can be told.

In: an endpoint with its keys. Out: boto3 clients that depend on nothing else (no profile, proxy or bundle of the
machine), buckets, and the same as JSON.
"""

import dataclasses
import json
import secrets
import threading
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

_SESSION = boto3.session.Session()
_LOCK = threading.Lock()
"""Of the session: clients may be used by many threads, and be made by one at a time."""


@dataclass(frozen=True, slots=True)
class Access:
    """A server (or a proxy before it) and a key that it knows. `ca_file`: its certificate, if it speaks TLS."""

    name: str
    endpoint: str
    access_key: str
    secret_key: str
    ca_file: str | None = None
    region: str = "us-east-1"

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def from_json(text: str) -> "Access":
        return Access(**json.loads(text))

    def changed(self, **fields: Any) -> "Access":
        """The same but for these fields: another endpoint, a wrong secret."""
        return dataclasses.replace(self, **fields)

    def boto3_client(self, attempts: int = 1, **options: Any) -> Any:
        """A new client for S3; `options` as for botocore's Config, before the defaults here."""
        retries = {"total_max_attempts": attempts, "mode": "standard"}
        config = Config(**{**DEFAULTS, **_checksums(), "retries": retries, **options})
        # verify is nothing for http, and for https never the machine's own bundle.
        keys = {"aws_access_key_id": self.access_key, "aws_secret_access_key": self.secret_key}
        where = {"endpoint_url": self.endpoint, "region_name": self.region, "verify": self.ca_file or False}
        with _LOCK:
            return _SESSION.client("s3", config=config, **keys, **where)

    def make_bucket(self, prefix: str = "test") -> str:
        """A new, empty bucket; out: its name."""
        bucket = f"{prefix}-{secrets.token_hex(6)}"
        self.boto3_client(attempts=5).create_bucket(Bucket=bucket)
        return bucket


def _checksums() -> dict[str, str]:
    """A botocore before 1.36 knows neither these checksums nor the words to switch them off."""
    wanted = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
    return {name: value for name, value in wanted.items() if name in Config.OPTION_DEFAULTS}


DEFAULTS: dict[str, Any] = {
    "s3": {"addressing_style": "path"},
    "connect_timeout": 5,
    "read_timeout": 30,
    "proxies": {},
}
"""What every server of ours understands, with TLS or without."""
