"""A replica of type s3, as S3Settings.

In: the replica's section, and the top of the file for what it leaves out. Out: settings, or None with faults noted.
Promised: no fault shows a value that may be a secret.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from litestreamd.basics.errors import UsageError
from litestreamd.config.customer_key import customer_key
from litestreamd.config.places import absolute, url_scheme
from litestreamd.config.reading import Reading
from litestreamd.config.s3_url import concurrency, endpoint_url, is_near, part_size, s3_from_url
from litestreamd.config.section import Section
from litestreamd.replica.s3.settings import S3Settings, StaticKeys

Value = TypeVar("Value")

KEYS = (
    "access-key-id", "secret-access-key", "session-token", "profile", "region", "bucket", "endpoint",
    "force-path-style", "sign-payload", "require-content-md5", "sign-accept-encoding", "skip-verify", "ca-bundle",
    "storage-class", "part-size", "concurrency", "sse-customer-algorithm", "sse-customer-key", "sse-customer-key-path",
    "sse-kms-key-id",
)  # fmt: skip
"""What belongs to replicas of this type, and to no other."""

_BOOLEANS: Mapping[str, bool] = {"true": True, "false": False, "yes": True, "no": False, "on": True, "off": False}
_FLAGS = ("force-path-style", "sign-payload", "require-content-md5", "sign-accept-encoding", "skip-verify")
_IN_URL = {"bucket": "bucket", "path": "path", "endpoint": "endpoint", "region": "region"}


@dataclass(frozen=True, slots=True)
class S3Reader:
    """`top`: the file's own section, whose keys are the defaults of every S3 replica. `home`: the environment for ~."""

    reading: Reading
    home: Mapping[str, str]
    top: Section

    def check_top(self) -> None:
        """Complain of values at the top also when no replica asks for them."""
        for name in KEYS:
            if name in _FLAGS:
                self._flag(self.top, name, None)
            elif name not in ("part-size", "concurrency", "endpoint"):
                self.top.text(name, secret=True)
        self._endpoint(self.top)
        self._parsed(self.top, "part-size", part_size)
        self._parsed(self.top, "concurrency", concurrency)

    def read(self, section: Section) -> S3Settings | None:
        """One replica."""
        place = self._from_url(section) if section.node("url") else self._from_keys(section)
        if place is None:
            return None
        settings = replace(
            place,
            endpoint=place.endpoint or self._endpoint(section),
            region=place.region or self._text(section, "region"),
            keys=self._access_key(section),
            profile=self._text(section, "profile"),
            ca_bundle=self._ca_bundle(section),
            storage_class=place.storage_class or self._text(section, "storage-class"),
            part_size=place.part_size or self._parsed(section, "part-size", part_size),
            concurrency=place.concurrency or self._parsed(section, "concurrency", concurrency),
            force_path_style=self._flag(section, "force-path-style", place.force_path_style),
            sign_payload=self._flag(section, "sign-payload", place.sign_payload),
            require_content_md5=self._flag(section, "require-content-md5", place.require_content_md5),
            sign_accept_encoding=self._flag(section, "sign-accept-encoding", place.sign_accept_encoding),
            skip_verify=bool(self._flag(section, "skip-verify", place.skip_verify or None)),
            customer_key=customer_key(self.holder, section, self.home, place.customer_key),
            sse_kms_key_id=place.sse_kms_key_id or self._text(section, "sse-kms-key-id"),
        )
        self._check(section, settings)
        return settings

    # Where

    def _from_url(self, section: Section) -> S3Settings | None:
        text = section.text("url", secret=True)
        if text is None:
            return None
        try:
            place = s3_from_url(text)
        except UsageError as error:
            section.fault("url", str(error))
            return None
        for key, name in _IN_URL.items():
            if section.node(key) is not None and (key in ("bucket", "path") or getattr(place, name) is not None):
                section.fault(key, f"url and {key} exclude each other")
        return place

    def _from_keys(self, section: Section) -> S3Settings | None:
        bucket = self._text(section, "bucket")
        if bucket is None:
            if self.holder(section, "bucket").node("bucket") is None:
                section.fault("bucket", "this replica has no place: add bucket, or url: s3://BUCKET/PATH")
            return None
        if url_scheme(bucket) or ("/" in bucket and not bucket.startswith("arn:")):
            section.fault("bucket", "bucket is the name of a bucket and nothing else: path says where in it")
            return None
        node = section.node("path")
        path = None if node is None else self.reading.text(node, "path")
        return S3Settings(bucket, path or "")

    def _endpoint(self, section: Section) -> str | None:
        text = self._text(section, "endpoint")
        try:
            return None if text is None else endpoint_url(text)
        except UsageError as error:
            self.holder(section, "endpoint").fault("endpoint", str(error))
            return None

    # How

    def _access_key(self, section: Section) -> StaticKeys | None:
        """Both halves from the same place: half a key of the top and half of the replica are no key."""
        names = ("access-key-id", "secret-access-key", "session-token")
        holder = section if any(section.node(name) is not None for name in names) else self.top
        key, secret, token = (holder.text(name, secret=True) for name in names)
        if key and secret:
            return StaticKeys(key, secret, token)
        missing = [name for name in names[:2] if holder.node(name) is None]
        if any(holder.node(name) is not None for name in names) and missing:
            given = next(name for name in names if holder.node(name) is not None)
            holder.fault(given, f"{missing[0]} is missing beside it: an access key has two halves")
        return None

    def _ca_bundle(self, section: Section) -> str | None:
        text = self._text(section, "ca-bundle")
        if text is None:
            return None
        if not text.startswith(("/", "~/")):
            self.holder(section, "ca-bundle").fault("ca-bundle", "ca-bundle takes an absolute path")
            return None
        try:
            return str(absolute(text, self.home))
        except UsageError as error:
            self.holder(section, "ca-bundle").fault("ca-bundle", str(error))
            return None

    def _check(self, section: Section, settings: S3Settings) -> None:
        """What makes no sense together."""
        if settings.keys is not None and settings.profile is not None:
            section.fault("profile", "profile and access-key-id exclude each other")
        if settings.customer_key is not None and settings.sse_kms_key_id is not None:
            section.fault("sse-kms-key-id", "sse-kms-key-id and sse-customer-key exclude each other")
        if settings.skip_verify:
            self.reading.faults.warn(
                self.holder(section, "skip-verify").place_of("skip-verify"),
                "skip-verify trusts any certificate: who sits between can read and change everything; use ca-bundle",
            )
        if settings.skip_verify and settings.ca_bundle is not None:
            section.fault("ca-bundle", "skip-verify trusts any certificate: ca-bundle makes no sense with it")
        plain = (settings.endpoint or "").partition("http://")[2]
        if settings.customer_key is not None and plain and not is_near(plain):
            section.fault("endpoint", "SSE-C sends its key along: the endpoint has to be https")

    # A key of the replica, else of the top

    def holder(self, section: Section, name: str) -> Section:
        """The section that has the key: the replica's own, if neither."""
        return self.top if section.node(name) is None and self.top.node(name) is not None else section

    def _text(self, section: Section, name: str) -> str | None:
        return self.holder(section, name).text(name)

    def _parsed(self, section: Section, name: str, parse: Callable[[str], Value]) -> Value | None:
        holder = self.holder(section, name)
        node = holder.node(name)
        return None if node is None else self.reading.parsed(node, name, parse)

    def _flag(self, section: Section, name: str, in_url: bool | None) -> bool | None:
        if in_url is not None:
            return in_url
        unset: bool | None = None
        choices: Mapping[str, bool | None] = _BOOLEANS
        return self.holder(section, name).choice(name, choices, unset)
