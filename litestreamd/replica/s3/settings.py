"""An S3 replica as configured: everything that is said about it, nothing asked of anybody yet.

What is None was left out: the dialect of the endpoint (replica/s3/dialects.py), the environment or the store decides.
Secrets are in no repr, and `url` shows none.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class StaticKeys:
    """An access key as the configuration has it."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """SSE-C: the store encrypts with a key that only we have. `key`: base64 of 256 bits, as AES256 takes it."""

    key: str = field(repr=False)
    algorithm: str = "AES256"


@dataclass(frozen=True, slots=True)
class S3Settings:
    """bucket: its name, or the ARN of an access point. path: what the keys begin with, as Litestream has it: "" of a
    configuration (keys begin with a slash), "." of a URL without a path. endpoint: a URL, None for AWS itself.
    keys: None leaves it to credentials and environment (replica/s3/credentials.py). profile: of ~/.aws. ca_bundle: a
    file with certificates. part_size: bytes. concurrency: parts in flight at once. sign_payload, require_content_md5,
    sign_accept_encoding: Litestream's keys."""

    bucket: str
    path: str = ""
    endpoint: str | None = None
    region: str | None = None
    force_path_style: bool | None = None
    keys: StaticKeys | None = None
    profile: str | None = None
    sign_payload: bool | None = None
    require_content_md5: bool | None = None
    sign_accept_encoding: bool | None = None
    skip_verify: bool = False
    ca_bundle: str | None = None
    storage_class: str | None = None
    part_size: int | None = None
    concurrency: int | None = None
    customer_key: CustomerKey | None = None
    sse_kms_key_id: str | None = None
    kind: ClassVar[str] = "s3"

    @property
    def url(self) -> str:
        """The place as a URL, the endpoint included: the same bucket name elsewhere is another bucket."""
        path = self.path.strip("/")
        place = f"s3://{self.bucket}" + (f"/{path}" if path not in ("", ".") else "")
        return f"{place}?endpoint={self.endpoint}" if self.endpoint else place

    def below(self, relative: str) -> "S3Settings":
        """The place `relative` below this one."""
        path = self.path.rstrip("/")
        return replace(self, path=relative if path in ("", ".") else f"{path}/{relative}")

    @property
    def service(self) -> str:
        """The endpoint."""
        return self.endpoint or "s3.amazonaws.com"
