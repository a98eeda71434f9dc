"""What one place of the file says about S3: the top, a replica, a URL.

In: a section. Out: values by the fields of S3Settings, each with its place. Promised: no fault, and no repr, shows a
value that may be a secret.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from litestreamd.config.nodes import Mark
from litestreamd.config.s3_values import ALGORITHM, PARAMETERS, Parameter, keys_of_a_file, region_of, word
from litestreamd.config.section import Section
from litestreamd.replica.s3.settings import StaticKeys

_ACCESS_KEY = _ID, _SECRET, _TOKEN = ("access-key-id", "secret-access-key", "session-token")
_CUSTOMER_KEY = ("sse-customer-key", "sse-customer-key-path")
_ONE_OF = (frozenset({"keys", "profile"}), frozenset({"customer_key", "sse_kms_key_id"}))


@dataclass(frozen=True, slots=True)
class Given:
    """values: what is given and right. marks: where each field stands, also one whose value has a fault."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    marks: Mapping[str, Mark] = field(default_factory=dict)

    def within(self, outer: "Given") -> "Given":
        """This, and what it leaves to the place around it: field by field, but two that exclude each other together."""
        taken = set(self.marks).union(*(pair for pair in _ONE_OF if pair & self.marks.keys()))
        if "customer_key" in taken:
            taken.add(ALGORITHM)
        values = {name: value for name, value in outer.values.items() if name not in taken}
        marks = {name: mark for name, mark in outer.marks.items() if name not in taken}
        return Given({**values, **self.values}, {**marks, **self.marks})

    def with_region(self) -> "Given":
        """The ARN of an access point tells the region, unless a key does."""
        region = region_of(self.values.get("bucket", ""))
        return self if region is None else self.within(Given({"region": region}, {"region": self.marks["bucket"]}))


def read_given(section: Section, home: Mapping[str, str]) -> Given:
    """What the keys of a section say. `home` is the environment for `~`."""
    found = {
        parameter.field: (section.place_of(name), _value(section, name, parameter))
        for name, parameter in {**PARAMETERS, **keys_of_a_file(home)}.items()
        if section.node(name) is not None
    }
    if all(section.node(name) is not None for name in _CUSTOMER_KEY):
        section.fault(_CUSTOMER_KEY[1], "the key of SSE-C is given twice: keep sse-customer-key or -key-path")
    first = next((name for name in _ACCESS_KEY if section.node(name) is not None), None)
    if first is not None:
        found["keys"] = (section.place_of(first), _access_key(section, first))
    values = {name: value for name, (_, value) in found.items() if value is not None}
    return Given(values, {name: mark for name, (mark, _) in found.items()})


def _value(section: Section, name: str, parameter: Parameter) -> Any:
    return (section.hidden if parameter.hidden else section.value)(name, parameter.parse)


def _access_key(section: Section, first: str) -> StaticKeys | None:
    """All of it from one place: half a key of the top and half of a replica are no key."""
    parsers: Mapping[str, Callable[[str], str]] = {_ID: word(_ID), _SECRET: str, _TOKEN: word(_TOKEN)}
    key, secret, token = (section.hidden(name, parsers[name]) for name in _ACCESS_KEY)
    missing = [name for name in (_ID, _SECRET) if section.node(name) is None]
    if missing:
        are = "are" if len(missing) > 1 else "is"
        section.fault(first, f"{' and '.join(missing)} {are} missing beside it: an access key has two halves")
    return StaticKeys(key, secret, token) if key and secret else None
