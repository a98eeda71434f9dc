"""Replicas of type s3 in a configuration: every key, where it may stand, what is refused, and no secret in a fault."""

import re
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.errors import ConfigError
from litestreamd.config.check import check_config
from litestreamd.config.model import Config
from litestreamd.replica.s3.dialects import dialect_of
from litestreamd.replica.s3.settings import CustomerKey, S3Settings, StaticKeys

SOURCE = Path("/etc/litestreamd/app.yml")
GUIDE = (Path(__file__).parents[2] / "docs" / "s3.md").read_text()
KEY = b64encode(bytes(range(32))).decode()


def read(text: str, **environment: str) -> Config:
    return check_config(text.encode(), SOURCE, {"HOME": "/root", **environment})


def replica(keys: str, top: str = "", **environment: str) -> S3Settings:
    """The settings of `type: s3, bucket: b` and these keys."""
    config = read(
        f"{top}\ndbs: [{{path: /data/app.db, replica: {{type: s3, bucket: b{keys and ', '}{keys}}}}}]", **environment
    )
    store = config.databases[0].replicas[0].store
    assert isinstance(store, S3Settings)
    return store


def complaints(keys: str, top: str = "") -> list[str]:
    with pytest.raises(ConfigError) as caught:
        replica(keys, top)
    return [line.partition(": ")[2] for line in str(caught.value).splitlines()]


def test_what_is_left_out_is_left_open() -> None:
    assert replica("") == S3Settings("b", "")
    assert replica("path: app").path == "app"


VALUES = [
    ("endpoint: 'https://e.example'", {"endpoint": "https://e.example"}),
    ("region: auto", {"region": "auto"}),
    ("access-key-id: i, secret-access-key: s", {"keys": StaticKeys("i", "s")}),
    ("access-key-id: i, secret-access-key: s, session-token: t", {"keys": StaticKeys("i", "s", "t")}),
    ("profile: backup", {"profile": "backup"}),
    ("force-path-style: true", {"force_path_style": True}),
    ("force-path-style: false", {"force_path_style": False}),
    ("sign-payload: false", {"sign_payload": False}),
    ("require-content-md5: false", {"require_content_md5": False}),
    ("sign-accept-encoding: false", {"sign_accept_encoding": False}),
    ("skip-verify: true", {"skip_verify": True}),
    ("ca-bundle: ~/ca.pem", {"ca_bundle": "/root/ca.pem"}),
    ("storage-class: STANDARD_IA", {"storage_class": "STANDARD_IA"}),
    ("part-size: 16MiB", {"part_size": 16 << 20}),
    ("concurrency: 8", {"concurrency": 8}),
    (f"sse-customer-algorithm: AES256, sse-customer-key: {KEY}", {"customer_key": CustomerKey(KEY)}),
    ("sse-kms-key-id: k", {"sse_kms_key_id": "k"}),
]


@pytest.mark.parametrize(("text", "values"), VALUES)
def test_each_key_here_and_at_the_top(text: str, values: dict[str, object]) -> None:
    assert replica(text) == S3Settings("b", "", **values)  # type: ignore[arg-type]
    assert replica("", top=text.replace(", ", "\n")) == S3Settings("b", "", **values)  # type: ignore[arg-type]


def test_the_replicas_own_value_wins() -> None:
    top = "region: far\nconcurrency: 2\naccess-key-id: i\nsecret-access-key: s\nbucket: other"
    found = replica("region: near, access-key-id: j, secret-access-key: t", top)
    assert (found.bucket, found.region, found.concurrency, found.keys) == ("b", "near", 2, StaticKeys("j", "t"))
    config = read(top + "\ndbs: [{path: /a, replica: {type: s3, path: p}}]")
    assert config.databases[0].replicas[0].store.url == "s3://other/p"


def test_variables() -> None:
    keys = "access-key-id: '${ID}', secret-access-key: '${SECRET}$$'"
    assert replica(keys, ID="i", SECRET="s$t").keys == StaticKeys("i", "s$t$")
    with pytest.raises(ConfigError, match=r"access-key-id: the environment variable ID is not set"):
        replica(keys, SECRET="s")


REFUSED = [
    ("access-key-id: i", "secret-access-key is missing beside it: an access key has two halves"),
    ("secret-access-key: s", "access-key-id is missing beside it"),
    ("session-token: s", "access-key-id is missing beside it"),
    ("profile: p, access-key-id: i, secret-access-key: s", "profile and access-key-id exclude each other"),
    (f"sse-kms-key-id: k, sse-customer-key: {KEY}", "sse-kms-key-id and sse-customer-key exclude each other"),
    (f"sse-customer-algorithm: AES128, sse-customer-key: {KEY}", "the only algorithm of SSE-C is AES256"),
    ("sse-customer-algorithm: AES256", "sse-customer-algorithm needs sse-customer-key"),
    ("sse-customer-key: c2hvcnQ=", "the key of SSE-C is base64 of exactly 32 bytes"),
    ("sse-customer-key: '!'", "the key of SSE-C is base64 of exactly 32 bytes"),
    (f"sse-customer-key: {KEY}, sse-customer-key-path: /x", "the key of SSE-C is given twice"),
    ("sse-customer-key-path: /nowhere", "the file of sse-customer-key-path cannot be read: No such file"),
    (f"sse-customer-key: {KEY}, endpoint: 'http://far.example'", "SSE-C sends its key along: the endpoint has to be"),
    ("skip-verify: true, ca-bundle: /x", "skip-verify trusts any certificate"),
    ("ca-bundle: ca.pem", "ca-bundle takes an absolute path"),
    ("part-size: 1MiB", "part-size: '1MiB' is not between 5MiB and 5GiB"),
    ("concurrency: 0", "concurrency: '0' is not a number from 1 to 64"),
    ("force-path-style: perhaps", "force-path-style: 'perhaps' is not one of"),
    ("endpoint: 'ftp://x'", "an endpoint begins with https:// or http://"),
    ("endpoint: 'https://x/y'", "an endpoint is a host, perhaps with a port, and nothing else"),
    ("endpoint: 'https://key:secret@x'", "an endpoint is a host, perhaps with a port, and nothing else"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_what_makes_no_sense_is_one_clear_sentence(text: str, sentence: str) -> None:
    (line,) = complaints(text)
    assert line.startswith(sentence)


def test_ssec_to_a_near_host_may_be_plain(tmp_path: Path) -> None:
    for content in (KEY.encode() + b"\n", bytes(range(32))):
        (tmp_path / "key").write_bytes(content)
        found = replica(f"endpoint: '10.0.0.5:9000', sse-customer-key-path: {tmp_path}/key")
        assert (found.endpoint, found.customer_key) == ("http://10.0.0.5:9000", CustomerKey(KEY))


def test_a_place_is_needed_and_is_a_bucket() -> None:
    def lines(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            read(f"dbs: [{{path: /a, replica: {{{text}}}}}]")
        return [line.partition(": ")[2] for line in str(caught.value).splitlines()]

    assert lines("type: s3, path: p") == ["this replica has no place: add bucket, or url: s3://BUCKET/PATH"]
    assert lines("type: s3, bucket: 's3://b'") == [
        "bucket is the name of a bucket and nothing else: path says where in it"
    ]
    assert lines("url: s3://b/p, bucket: b") == ["url and bucket exclude each other"]
    assert lines("url: s3://b/p, path: p") == ["url and path exclude each other"]
    assert lines("url: 's3://b/p?region=x', region: y") == ["url and region exclude each other"]
    assert lines("path: /b, bucket: c") == ["bucket belongs to replicas of type s3, and this one is a folder"]
    assert lines("type: file, url: s3://b/p") == ["type and url contradict each other: the URL is of type s3"]


def two(first: str, second: str) -> list[str]:
    """What is said of two databases with these replicas."""
    text = f"dbs:\n- {{path: /a, replica: {{type: s3, {first}}}}}\n- {{path: /b, replica: {{type: s3, {second}}}}}\n"
    try:
        read(text)
    except ConfigError as error:
        return [line.partition(": ")[2] for line in str(error).splitlines()]
    return []


def test_two_databases_never_share_a_place_in_a_bucket() -> None:
    (line,) = two("bucket: b, path: app", "bucket: b, path: /app/")
    assert line.startswith("the path /app in s3://b at s3.amazonaws.com is already the replica of /a (line 2)")
    (line,) = two("bucket: b, path: app/x", "bucket: b, path: app")
    assert "/app/x in s3://b at s3.amazonaws.com lies inside the replica path /app" in line
    assert two("bucket: b, path: app", "bucket: b, path: app2") == []
    assert two("bucket: b, path: app", "bucket: c, path: app") == []
    assert two("bucket: b, path: app", "bucket: b, path: app, endpoint: 'https://e'") == []


BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS[1:], ids=lambda block: block.splitlines()[0].strip("# "))
def test_each_example_of_the_guide_is_read_and_known(block: str) -> None:
    config = read(block)
    store = config.databases[0].replicas[0].store
    assert isinstance(store, S3Settings)
    named = block.splitlines()[0].strip("# ")
    assert named.startswith(dialect_of(store.endpoint).name)
    assert config.warnings == ()


def test_the_first_example_of_the_guide() -> None:
    config = read(BLOCKS[0], R2_ACCESS_KEY_ID="i", R2_SECRET_ACCESS_KEY="s")
    store = config.databases[0].replicas[0].store
    assert isinstance(store, S3Settings)
    assert (dialect_of(store.endpoint).name, store.region, store.keys) == (
        "Cloudflare R2",
        "auto",
        StaticKeys("i", "s"),
    )


SECRET = "hunter2hunter2"
PLACES = ("access-key-id", "secret-access-key", "session-token", "sse-customer-key")


FORMS = (SECRET, f"[{SECRET}]", f"'{SECRET} $X'", f"'${{{SECRET}'")


@given(
    secrets=st.dictionaries(st.sampled_from(PLACES), st.sampled_from(FORMS)),
    others=st.lists(st.sampled_from([text for text, _ in (*VALUES, *REFUSED)]), max_size=3),
    url=st.sampled_from(["", f"url: 's3://k:{SECRET}@b/p'", f"url: 's3://b/p?sseCustomerKey={SECRET}'", f"endpoint: 'http://{SECRET}@e'"]),
)  # fmt: skip
def test_no_fault_and_no_repr_shows_a_secret(secrets: dict[str, str], others: list[str], url: str) -> None:
    keys = {**{pair.partition(": ")[0]: pair.partition(": ")[2] for pair in others if ", " not in pair}, **secrets}
    text = ", ".join(
        [*(f"{name}: {value}" for name, value in keys.items()), *([url] if url and "endpoint" not in keys else [])]
    )
    try:
        shown = repr(read(f"dbs: [{{path: /a, replica: {{type: s3, bucket: b{text and ', '}{text}}}}}]"))
    except ConfigError as error:
        shown = str(error)
    assert SECRET not in shown
