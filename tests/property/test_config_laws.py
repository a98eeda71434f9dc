"""Whatever the bytes of a configuration are: a Config or a ConfigError, soon, and no secret in it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from litestreamd.basics.errors import ConfigError
from litestreamd.config import events
from litestreamd.config.check import check_config
from litestreamd.config.expand import expand
from litestreamd.config.keys import KEYS
from litestreamd.config.model import Config

SOURCE = Path("/etc/litestream.yml")
SECONDS = 5.0
SECRET = "hunter2"

NESTED = ["interval", "retention", "keep", "daily", "enabled", "wal-limit"]
NAMES = st.sampled_from([key.name.partition(".")[0] for key in KEYS] + ["<<", "dbs", "path", "replica", "x"] + NESTED)
SCALARS = st.one_of(
    st.sampled_from(["~", "true", "1s", "-1", "9" * 400, "1e999h", "9" * 50 + "TiB", "${HOME}", "$x", "*a", "&a x"]),
    st.sampled_from(["/data/a.db", "~", "file:///b", "s3://b/p", "file:///%00", "'\\0'", '"\\ud800"', "!t x", "0777"]),
    st.text(max_size=8),
    st.integers(),
    st.floats(),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=25,
)
PIECES = (
    "dbs:|- |path: |replica: |{|}|[|]|,|: |&a |*a|<<: |? |> |'|\"|\n|  |\t|#|!!str |!<x|%YAML 1.9\n|---\n|...\n|\\x"
    "|\ufeff|\x85|\x9f|é|$|/data/a.db|type: file|${HOME}|1s|0|~"
)
TOKENS = st.lists(st.sampled_from([*PIECES.split("|"), "| "]), max_size=40).map("".join)


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True, scope="module")
def parser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both parsers of PyYAML."""
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML without libyaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "LOADER", getattr(yaml, request.param))
        yield


def judge(data: bytes) -> None:
    """Read, in bounded time; a refusal is lines that each name a place."""
    start = time.monotonic()
    try:
        assert isinstance(check_config(data, SOURCE, {"HOME": "/root"}), Config)
    except ConfigError as error:
        for line in str(error).split("\n"):
            name, row, column, sentence = line.split(":", 3)
            assert name == str(SOURCE)
            assert int(row) >= 1
            assert int(column) >= 1
            assert sentence.strip()
    assert time.monotonic() - start < SECONDS


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_random_bytes(data: bytes) -> None:
    judge(data)


@given(st.text(max_size=200))
@settings(deadline=None)
def test_random_text(text: str) -> None:
    judge(text.encode("utf-8", "surrogatepass"))


@given(TOKENS)
@settings(deadline=None, max_examples=400)
def test_pieces_of_yaml(text: str) -> None:
    judge(text.encode())


@given(TREES)
@settings(deadline=None, max_examples=200)
def test_well_formed_yaml_of_any_shape(tree: object) -> None:
    judge(yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


def flow(tree: object) -> str:
    """The tree as YAML flow text with scalars as they are, so that `*a`, `!t` and broken quotes take part."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key}: {flow(value)}" for key, value in tree.items()) + "}"
    return "[" + ", ".join(map(flow, tree)) + "]" if isinstance(tree, list) else str(tree)


@given(st.lists(st.dictionaries(NAMES, TREES, max_size=5), max_size=3))
@settings(deadline=None, max_examples=200)
def test_entries_of_any_shape(entries: list[object]) -> None:
    judge(f"dbs: {flow(entries)}\n".encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "unit", [b"[", b"{", b"- ", b"? ", b"a: {", b"&a [", b"'", b"\n", b"- a\n", b"[],", b"x" * 999]
)
def test_long_runs_are_judged_soon(unit: bytes) -> None:
    size = events.MAX_BYTES if events.LOADER is not yaml.SafeLoader else 1 << 14
    judge(unit * (size // len(unit)))


@given(
    st.text(alphabet=st.sampled_from("$!{}*&'\"ab:%@ "), max_size=6),
    st.sampled_from(["password", "sas-token", "wrong"]),
)
@settings(deadline=None)
def test_a_secret_is_never_repeated(around: str, key: str) -> None:
    text = f"dbs:\n  - path: /data/a.db\n    replica: {{path: /b, {key}: {around}{SECRET}{around}}}\n"
    try:
        check_config(text.encode(), SOURCE, {})
    except ConfigError as error:
        if f"{SECRET}{around}:" not in text and f'{SECRET}"' not in text and f"{SECRET}'" not in text:
            assert SECRET not in str(error)


SECRETS = {
    "access-key-id": "AKIAHUNTER2HUNTER2AA",
    "secret-access-key": "wJalrXUt/hunter2+hunter2hunter2hunter2aa",
    "session-token": "FwoGZXIvYXdzEBYaDHUNTER2//////////8=",
    "sse-customer-key": "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ=",
    "sas-token": "sv=hunter2&sig=hunter2hunter2",
}
FORMS = (
    "{0}",
    "'{0}'",
    "[{0}]",
    "{{x: {0}}}",
    "'${{V}}'",
    "'{0}$x'",
    "'{0}${{'",
    "'${{V}}${{GONE}}'",
    "'{0} {0}'",
    "*{0}",
    "!{0} x",
)
RIGHT = dict.fromkeys(("access-key-id", "secret-access-key", "session-token", "sse-customer-key"), "'${{V}}'")
ANY = st.dictionaries(st.sampled_from(list(SECRETS)), st.sampled_from(FORMS), max_size=4)
GIVEN = st.one_of(st.just({}), st.just(RIGHT), ANY)
URLS = st.sampled_from([
    "s3://b/p", "s3://{0}@b/p", "s3://k:{0}@b/p", "s3://b.x:{0}/p", "s3://b/p?sseCustomerKey={0}", "s3://b/p?{0}",
    "s3://b/p?x={0}", "s3://b/p?endpoint=https://k:{0}@x", "s3://b/p?partSize={0}", "sftp://k:{0}@h/p", "file:///p?{0}",
])  # fmt: skip
BESIDE = st.just({}) | st.dictionaries(NAMES.filter(lambda name: name not in SECRETS), TREES, max_size=3)


def with_secrets(given: dict[str, str], others: dict[str, object]) -> tuple[str, dict[str, str]]:
    """Keys as flow text, and the environment they ask for."""
    environment = {}
    pieces = [f"{name}: {flow(value)}" for name, value in others.items()]
    for name, form in given.items():
        environment[f"V_{name.replace('-', '_')}"] = SECRETS[name]
        pieces.append(f"{name}: {form.format(SECRETS[name])}".replace("${V}", f"${{V_{name.replace('-', '_')}}}"))
    return ", ".join(pieces), environment


@given(GIVEN, GIVEN, BESIDE, BESIDE, st.sampled_from(["", "type: s3, bucket: b", "path: /b", "type: sftp"]), st.data())
@settings(deadline=None, max_examples=300)
def test_no_fault_and_no_repr_shows_a_secret(
    top: dict[str, str], own: dict[str, str], beside: dict[str, object], around: dict[str, object], place: str,
    data: st.DataObject,
) -> None:  # fmt: skip
    """Whatever else is wrong in the file."""
    url = data.draw(st.one_of(st.just(""), URLS)).format(data.draw(st.sampled_from(list(SECRETS.values()))))
    replica, first = with_secrets(own, beside)
    outer, second = with_secrets(top, around)
    named = ", ".join(piece for piece in (place, url and f"url: '{url}'", replica) if piece)
    lines = ", ".join(piece for piece in (f"dbs: [{{path: /data/a.db, replica: {{{named}}}}}]", outer) if piece)
    try:
        shown = repr(
            check_config(f"{{{lines}}}".encode("utf-8", "surrogatepass"), SOURCE, {"HOME": "/r", **first, **second})
        )
    except ConfigError as error:
        shown = str(error)
    for secret in SECRETS.values():
        assert secret not in shown


@given(st.text())
@settings(deadline=None)
def test_doubling_every_dollar_keeps_a_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {}) == (text, [])


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), st.text("ab$\n{}", max_size=5)))
@settings(deadline=None)
def test_a_variable_is_replaced_once_and_whole(environment: dict[str, str]) -> None:
    written = "-".join(f"${{{name}}}" for name in environment)
    assert expand(written, environment) == ("-".join(environment.values()), [])


@given(st.text(alphabet="${}aA_1 -"))
@settings(deadline=None)
def test_an_expansion_is_a_text_or_a_mistake(text: str) -> None:
    expanded, mistakes = expand(text, {"a": "1"})
    assert mistakes or "$" not in expanded or "$$" in text
