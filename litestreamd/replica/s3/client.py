"""Clients of boto3: one for each endpoint and credential set, whichever replicas use it.

In: settings and a key. Out: a client with time-outs, a pool of connections, the dialect's ways and no retries of its
own (replica/retrying.py does that for every back end). boto3 is imported with this module, and that only when an S3
replica is used: a daemon with folders alone stays small.

Promised: after a silence no request meets a connection that a router on the way has forgotten.
"""

import hashlib
import io
import threading
import time
import warnings
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from urllib3.exceptions import InsecureRequestWarning

from litestreamd.replica.s3.connections import within
from litestreamd.replica.s3.dialects import Dialect, dialect_of, host_of
from litestreamd.replica.s3.settings import S3Settings, StaticKeys

POOL = 32
"""Connections kept open to one endpoint: what the daemon's workers, a restore and the parts of uploads need at once."""

IDLE_S = 45.0
"""A connection that was quiet for so long is not used again: a router may have dropped it without a word, and then the
next commit would wait for a time-out."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds until a connection, or the next bytes of an answer, have to be there; `whole_s`: until an answer has
    begun, however it trickles in, and the next piece of its body is there. Bodies may take longer: `least_rate` bytes
    a second."""

    connect_s: float = 10.0
    read_s: float = 20.0
    whole_s: float = 45.0
    least_rate: float = 16384.0

    def for_body(self, size: int) -> float:
        """Seconds for a request with so many bytes."""
        return self.whole_s + size / self.least_rate


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What makes two replicas share a client."""

    endpoint: str | None
    region: str | None
    addressing: str
    sign_payload: bool
    verify: bool | str
    profile: str | None
    keys: StaticKeys | None = field(repr=False)
    timeouts: Timeouts = field(default_factory=Timeouts)

    @property
    def dialect(self) -> Dialect:
        """How this endpoint wants it."""
        return dialect_of(self.endpoint)


def client_key(settings: S3Settings, keys: StaticKeys | None, timeouts: Timeouts) -> ClientKey:
    """The client that these settings need."""
    dialect = dialect_of(settings.endpoint)
    region = settings.region or dialect.region_in(host_of(settings.endpoint)) or dialect.region or None
    if region == "auto" and dialect.name == "AWS S3":
        region = None
    return ClientKey(
        endpoint=settings.endpoint,
        region=region,
        addressing=_addressing(settings, dialect),
        sign_payload=settings.sign_payload is not False,
        verify=False if settings.skip_verify else settings.ca_bundle or True,
        profile=settings.profile,
        keys=keys,
        timeouts=timeouts,
    )


def _addressing(settings: S3Settings, dialect: Dialect) -> str:
    """In boto3's words. "auto" is the host, but for names that no certificate would fit, and only for AWS itself: with
    an endpoint it would be the path."""
    wanted = dialect.path_style if settings.force_path_style is None else settings.force_path_style
    if wanted:
        return "path"
    return "virtual" if settings.endpoint else "auto"


class SharedClient:
    """A boto3 client, made at the first call, and the headers that one call adds."""

    def __init__(self, key: ClientKey) -> None:
        self._key = key
        self._made: Any = None
        self._turn = threading.Lock()
        self._extra = threading.local()
        self._in_flight = 0
        self._used_at = time.monotonic()

    def call(self, operation: str, headers: Mapping[str, str], parameters: Mapping[str, Any]) -> Any:
        """One request. Raises what boto3 raises."""
        client = self._begin()
        self._extra.headers = headers
        try:
            with within(self._key.timeouts.for_body(_size(parameters.get("Body")))):
                return getattr(client, operation)(**parameters)
        finally:
            self._extra.headers = {}
            with self._turn:
                self._in_flight -= 1
                self._used_at = time.monotonic()

    def _begin(self) -> Any:
        with self._turn:
            if self._made is None:
                self._made = self._make()
            elif not self._in_flight and time.monotonic() - self._used_at > IDLE_S:
                self._made.close()  # its connections; the next request opens another
            self._in_flight += 1
            return self._made

    def _make(self) -> Any:
        key = self._key
        given: dict[str, Any] = {}
        if key.keys is not None:
            given["aws_access_key_id"] = key.keys.access_key_id
            given["aws_secret_access_key"] = key.keys.secret_access_key
            given["aws_session_token"] = key.keys.session_token
        session = boto3.session.Session(profile_name=key.profile)
        region = key.region or session.region_name or "us-east-1"
        if key.verify is False:
            # Who set skip-verify was warned by the configuration; not again with every connection.
            warnings.filterwarnings("ignore", category=InsecureRequestWarning)
        client = session.client(
            "s3", endpoint_url=key.endpoint, region_name=region, verify=_verify(key), config=_config(key), **given
        )
        client.meta.events.register_last("before-call.s3", self._adapt)
        return client

    def _adapt(self, params: dict[str, Any], **_: Any) -> None:
        """The last hand on a request before it is signed."""
        headers = params["headers"]
        headers.pop("Expect", None)
        headers.update(self._key.dialect.headers)
        headers.update(getattr(self._extra, "headers", {}))
        if headers.pop(BODY_MD5, None):
            # In place of the checksums of newer SDKs, which older stores do not know.
            headers["Content-MD5"] = content_md5(params["body"])
            params.get("context", {}).get("checksum", {}).pop("request_algorithm", None)
            for name in [name for name in headers if name.lower().startswith("x-amz-checksum-")]:
                del headers[name]


def _size(body: Any) -> int:
    return body.getbuffer().nbytes if isinstance(body, io.BytesIO) else len(body or b"")


BODY_MD5 = "litestreamd-body-md5"
"""As a header of a call: send the Content-MD5 of its body, which only boto3 knows. Never leaves the machine."""


def content_md5(data: bytes) -> str:
    """The value of Content-MD5: against accidents, not against attackers."""
    return b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _verify(key: ClientKey) -> bool | str | None:
    """None leaves AWS_CA_BUNDLE and the configuration of AWS in charge."""
    return None if key.verify is True else key.verify


def _config(key: ClientKey) -> Config:
    common: dict[str, Any] = {
        "connect_timeout": key.timeouts.connect_s,
        "read_timeout": key.timeouts.read_s,
        "max_pool_connections": POOL,
        "tcp_keepalive": True,
        "retries": {"total_max_attempts": 1, "mode": "standard"},
        "s3": {
            "addressing_style": key.addressing,
            "payload_signing_enabled": key.sign_payload,
        },
    }
    with suppress(TypeError):  # botocore before 1.36 never sends them
        return Config(
            request_checksum_calculation="when_required", response_checksum_validation="when_required", **common
        )
    return Config(**common)


_clients: dict[ClientKey, SharedClient] = {}
_clients_turn = threading.Lock()


def shared_client(key: ClientKey) -> SharedClient:
    """The client of these settings; no I/O yet."""
    with _clients_turn:
        return _clients.setdefault(key, SharedClient(key))


def renew(key: ClientKey, refused: SharedClient) -> None:
    """Forget a client whose credentials the store refused: the next one asks their source anew."""
    with _clients_turn:
        if _clients.get(key) is refused:
            del _clients[key]
