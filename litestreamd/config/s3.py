"""A replica of type s3, as S3Settings.

In: the replica's section, and the top of the file for what it leaves out. Out: settings, or None with faults noted.
Promised: no fault shows a value that may be a secret; the keys at the top are judged even when no replica needs them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from litestreamd.basics.errors import UsageError
from litestreamd.config.endpoint import in_the_clear
from litestreamd.config.nodes import Mark
from litestreamd.config.reading import Reading
from litestreamd.config.s3_given import Given, read_given
from litestreamd.config.s3_url import values_of_url
from litestreamd.config.s3_values import ALGORITHM, PARAMETERS, key_path
from litestreamd.config.section import Section
from litestreamd.replica.s3.settings import S3Settings

_KEYS = {parameter.field: name for name, parameter in PARAMETERS.items()}
_PLACE = frozenset({"bucket", "path", "endpoint"})
_TRUSTS = "skip-verify trusts any certificate: who sits between can read and change everything; use ca-bundle"


class S3Reader:
    """Reads S3 replicas; what one leaves out comes from the top of the file."""

    def __init__(self, reading: Reading, home: Mapping[str, str], top: Section) -> None:
        """`home` is the environment for `~`."""
        self._reading = reading
        self._home = home
        self._top = read_given(top, home)

    def read(self, section: Section) -> S3Settings | None:
        """One replica."""
        own = read_given(section, self._home)
        place = self._from_path(section) if section.node("url") is None else self._from_url(section, own)
        here = Given({**own.values, **place.values}, {**own.marks, **place.marks}).with_region()
        whole = here.within(self._top).with_region()
        self._judge(section, whole)
        if "bucket" not in whole.marks or not _PLACE & whole.marks.keys() <= whole.values.keys():
            return None  # its place is not known; with every other fault it can still collide
        return S3Settings(**{name: value for name, value in whole.values.items() if name != ALGORITHM})

    def _from_path(self, section: Section) -> Given:
        """`path` as it stands, as Litestream takes it: it may begin or end with a slash, or be empty."""
        node = section.node("path")
        text = None if node is None else self._reading.text(node, "path")
        try:
            return Given() if text is None else Given({"path": key_path(text)})
        except UsageError as error:
            section.fault("path", str(error))
            return Given({}, {"path": section.place_of("path")})

    def _from_url(self, section: Section, own: Given) -> Given:
        """What the URL says; its keys may say the same again, but nothing else."""
        text, mark = section.text("url", secret=True), section.place_of("url")
        for key in ("bucket", "path"):
            if section.node(key) is not None:
                section.fault(key, f"url and {key} exclude each other")
        try:
            values = {} if text is None else values_of_url(text)
        except UsageError as error:
            section.fault("url", str(error))
            values = {}
        # AWS may be reached through an endpoint of one's own (a VPC's), if the replica itself names it.
        values = {name: value for name, value in values.items() if value is not None or name not in own.marks}
        self._compare(own, values)
        return Given(values, dict.fromkeys(values or ["bucket"], mark))

    def _compare(self, own: Given, in_url: Mapping[str, Any]) -> None:
        for name in own.values.keys() & in_url.keys() - {"bucket"}:
            if own.values[name] != in_url[name]:
                sentence = f"url and {_KEYS[name]} contradict each other: keep one of the two"
                self._reading.faults.add(own.marks[name], sentence)

    def _judge(self, section: Section, whole: Given) -> None:
        if "bucket" not in whole.marks:
            section.fault("bucket", "this replica has no place: add bucket, or url: s3://BUCKET/PATH")
        for mark, sentence in _contradictions(whole):
            self._reading.faults.add(mark, sentence)
        if whole.values.get("skip_verify"):
            self._reading.faults.warn(whole.marks["skip_verify"], _TRUSTS)


def _contradictions(given: Given) -> Iterator[tuple[Mark, str]]:
    """What makes no sense together."""
    values, marks = given.values, given.marks
    if marks.keys() >= {"keys", "profile"}:
        yield marks["profile"], "profile and access-key-id exclude each other"
    if marks.keys() >= {"customer_key", "sse_kms_key_id"}:
        yield marks["sse_kms_key_id"], "sse-kms-key-id and sse-customer-key exclude each other"
    if ALGORITHM in marks and "customer_key" not in marks:
        yield marks[ALGORITHM], "sse-customer-algorithm needs sse-customer-key, or -key-path"
    if values.get("skip_verify") and "ca_bundle" in marks:
        yield marks["ca_bundle"], "skip-verify trusts any certificate: ca-bundle makes no sense with it"
    if "customer_key" in marks and in_the_clear(values.get("endpoint")):
        yield marks["endpoint"], "SSE-C sends its key along: the endpoint has to be https"
