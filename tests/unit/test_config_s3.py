"""Replicas of type s3 in a configuration: every key, where it may stand, and which place wins."""

import re
from base64 import b64encode
from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError
from litestreamd.config.check import check_config
from litestreamd.config.keys import S3_KEYS
from litestreamd.config.model import Config
from litestreamd.replica.s3.dialects import DIALECTS, dialect_of
from litestreamd.replica.s3.keys import Layout
from litestreamd.replica.s3.settings import CustomerKey, S3Settings, StaticKeys

SOURCE = Path("/etc/litestreamd/app.yml")
BLOCKS = re.findall(r"```yaml\n(.*?)```", (Path(__file__).parents[2] / "docs" / "s3.md").read_text(), re.DOTALL)
KEY = b64encode(bytes(range(32))).decode()
OTHER_KEY = b64encode(bytes(range(1, 33))).decode()
ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/name"


def read(text: str, **environment: str) -> Config:
    return check_config(text.encode(), SOURCE, {"HOME": "/root", **environment})


def settings(keys: str, top: str = "", **environment: str) -> S3Settings:
    """What a replica with these keys becomes; `top` is flow text too."""
    text = f"{{dbs: [{{path: /data/app.db, replica: {{{keys}}}}}]{top and ', '}{top}}}"
    store = read(text, **environment).databases[0].replicas[0].store
    assert isinstance(store, S3Settings)
    return store


def replica(keys: str, top: str = "", **environment: str) -> S3Settings:
    """The same for one in the bucket b."""
    return settings(f"type: s3, bucket: b{keys and ', '}{keys}", top, **environment)


def test_what_is_left_out_is_left_open() -> None:
    assert replica("") == S3Settings("b", "")


@pytest.mark.parametrize(
    ("path", "beginning"),
    [
        ("", "/"), ("app", "app/"), ("/app", "/app/"), ("app/", "app//"), ("/app/", "/app//"), ("a//b", "a//b/"),
        ("/", "//"), (".", "./"), ("../app", "../app/"), ("a/../b//c", "a/../b//c/"), (" a b", " a b/"), ("é", "é/"),
    ],
)  # fmt: skip
def test_a_path_stays_as_it_is(path: str, beginning: str) -> None:
    """So does Litestream's: with 0.5.17 and a server the first key was `beginning` and 0000/... Only those of URLs are
    cleaned."""
    assert replica(f"path: '{path}'").path == path
    assert Layout(path).root == beginning


VALUES = [
    ("bucket: c", {"bucket": "c"}),
    (f"bucket: '{ARN}'", {"bucket": ARN, "region": "eu-west-1"}),
    (f"bucket: '{ARN}', region: eu-north-1", {"bucket": ARN, "region": "eu-north-1"}),
    ("endpoint: 'https://e.example'", {"endpoint": "https://e.example"}),
    ("endpoint: E.example:443", {"endpoint": "https://e.example"}),
    ("endpoint: 10.0.0.5:9000", {"endpoint": "http://10.0.0.5:9000"}),
    ("endpoint: 'https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com'",
     {"endpoint": "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com"}),
    ("region: auto", {"region": "auto"}),
    ("access-key-id: i, secret-access-key: s", {"keys": StaticKeys("i", "s")}),
    ("access-key-id: i, secret-access-key: ' s é '", {"keys": StaticKeys("i", "s é")}),
    ("access-key-id: i, secret-access-key: s, session-token: t", {"keys": StaticKeys("i", "s", "t")}),
    ("profile: my backup", {"profile": "my backup"}),
    ("force-path-style: true", {"force_path_style": True}),
    ("force-path-style: No", {"force_path_style": False}),
    ("sign-payload: off", {"sign_payload": False}),
    ("sign-payload: on", {"sign_payload": True}),
    ("require-content-md5: false", {"require_content_md5": False}),
    ("sign-accept-encoding: false", {"sign_accept_encoding": False}),
    ("skip-verify: yes", {"skip_verify": True}),
    ("skip-verify: false", {"skip_verify": False}),
    ("skip-verify: false, ca-bundle: /etc/ca.pem", {"ca_bundle": "/etc/ca.pem"}),
    ("ca-bundle: ~/ca.pem", {"ca_bundle": "/root/ca.pem"}),
    ("storage-class: STANDARD_IA", {"storage_class": "STANDARD_IA"}),
    ("part-size: 5MiB", {"part_size": 5 << 20}),
    ("part-size: 5GiB", {"part_size": 5 << 30}),
    ("part-size: 16777216", {"part_size": 16 << 20}),
    ("concurrency: 1", {"concurrency": 1}),
    ("concurrency: 64", {"concurrency": 64}),
    (f"sse-customer-key: {KEY}", {"customer_key": CustomerKey(KEY)}),
    (f"sse-customer-key: {KEY[:-2]}9=", {"customer_key": CustomerKey(KEY)}),
    (f"sse-customer-algorithm: aes256, sse-customer-key: {KEY}", {"customer_key": CustomerKey(KEY)}),
    ("sse-kms-key-id: 'arn:aws:kms:eu-west-1:123456789012:key/0123456789abcdef'",
     {"sse_kms_key_id": "arn:aws:kms:eu-west-1:123456789012:key/0123456789abcdef"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), VALUES)
def test_each_key_here_and_at_the_top(text: str, values: dict[str, object]) -> None:
    expected = S3Settings(**{"bucket": "b", **values})  # type: ignore[arg-type]
    bucket = "" if "bucket" in text else ", bucket: b"
    assert settings(f"type: s3, {text}{bucket}") == expected
    assert settings(f"type: s3{bucket}", text) == expected
    assert settings(f"type: s3{bucket}, {text}", "region: far, part-size: 6MiB") == S3Settings(
        **{"bucket": "b", "region": "far", "part_size": 6 << 20, **values}  # type: ignore[arg-type]
    )


def test_no_key_is_forgotten() -> None:
    named = {word for text, _ in VALUES for word in re.findall(r"([a-z0-9-]+): ", text)}
    assert {key.name for key in S3_KEYS} == named | {"sse-customer-key-path"}


OWN = [
    ("bucket: c", "bucket: other", {"bucket": "c"}),
    ("region: near", "region: far", {"region": "near"}),
    (f"bucket: '{ARN}'", "region: far", {"bucket": ARN, "region": "eu-west-1"}),
    ("bucket: c", f"bucket: '{ARN}'", {"bucket": "c"}),
    ("endpoint: 'https://near'", "endpoint: 'https://far'", {"endpoint": "https://near"}),
    ("concurrency: 3", "concurrency: 2, part-size: 6MiB", {"concurrency": 3, "part_size": 6 << 20}),
    ("sign-payload: false", "sign-payload: true", {"sign_payload": False}),
    ("skip-verify: false", "skip-verify: true", {"skip_verify": False}),
    ("force-path-style: ~", "force-path-style: true", {"force_path_style": True}),
    ("storage-class: A", "storage-class: B", {"storage_class": "A"}),
    ("sse-kms-key-id: a", "sse-kms-key-id: b", {"sse_kms_key_id": "a"}),
    # An access key is one decision, and so is a kind of encryption.
    ("access-key-id: i, secret-access-key: s", "access-key-id: j, secret-access-key: t, session-token: u",
     {"keys": StaticKeys("i", "s")}),
    ("access-key-id: i, secret-access-key: s", "profile: p", {"keys": StaticKeys("i", "s")}),
    ("profile: p", "access-key-id: j, secret-access-key: t", {"profile": "p"}),
    ("profile: p", "profile: q", {"profile": "p"}),
    ("sse-kms-key-id: k", f"sse-customer-algorithm: AES256, sse-customer-key: {KEY}", {"sse_kms_key_id": "k"}),
    (f"sse-customer-key: {KEY}", "sse-kms-key-id: k", {"customer_key": CustomerKey(KEY)}),
    (f"sse-customer-key: {KEY}", f"sse-customer-key: {OTHER_KEY}", {"customer_key": CustomerKey(KEY)}),
    ("sse-customer-algorithm: AES256", f"sse-customer-key: {KEY}", {"customer_key": CustomerKey(KEY)}),
]  # fmt: skip


@pytest.mark.parametrize(("own", "top", "values"), OWN)
def test_the_replicas_own_value_wins(own: str, top: str, values: dict[str, object]) -> None:
    bucket = "" if "bucket" in own else ", bucket: b"
    assert settings(f"type: s3, {own}{bucket}", top) == S3Settings(**{"bucket": "b", **values})  # type: ignore[arg-type]


def test_replicas_differ_and_the_top_serves_them_all() -> None:
    text = """\
bucket: shared
region: r
access-key-id: i
secret-access-key: s
skip-verify: true
dbs:
  - path: /a
    replicas:
      - {type: s3, path: a}
      - {name: far, url: 's3://b/p?skipVerify=false', profile: p}
      - {path: /folder}
  - {path: /b, replica: {type: s3, path: b, region: q}}
"""
    config = read(text)
    first, second, third = config.databases[0].replicas
    assert first.store == S3Settings("shared", "a", region="r", keys=StaticKeys("i", "s"), skip_verify=True)
    assert second.store == S3Settings("b", "p", region="r", profile="p", skip_verify=False)
    assert third.store.url == "file:///folder"
    assert config.databases[1].replicas[0].store == S3Settings(
        "shared", "b", region="q", keys=StaticKeys("i", "s"), skip_verify=True
    )
    assert [spec.name for spec in config.databases[0].replicas] == ["s3", "far", "file"]


def test_who_trusts_everybody_is_warned_once() -> None:
    text = "skip-verify: true\nbucket: b\ndbs:\n- {path: /a, replica: {type: s3, path: a}}\n"
    text += "- {path: /b, replica: {type: s3, path: b}}\n"
    sentence = "skip-verify trusts any certificate: who sits between can read and change everything; use ca-bundle"
    assert read(text).warnings == (f"{SOURCE}:1:14: {sentence}",)


def test_variables_in_credentials() -> None:
    keys = "access-key-id: '${ID}', secret-access-key: '${SECRET}$$', session-token: 'x${TOKEN}'"
    assert replica(keys, ID="i\n", SECRET="s$t", TOKEN="y").keys == StaticKeys("i", "s$t$", "xy")
    assert replica("sse-customer-key: '${K}', profile: '${P}'", K=KEY, P="p").customer_key == CustomerKey(KEY)
    assert settings("url: 's3://${B}/${P}?region=${R}'", B="b", P="p/q", R="r") == S3Settings("b", "p/q", region="r")


@pytest.mark.parametrize("content", [KEY.encode(), f"\n {KEY}\n".encode(), bytes(range(32))])
def test_a_customer_key_from_a_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    for text in (f"sse-customer-key-path: {tmp_path}/key", "sse-customer-key-path: ~/key"):
        assert replica(text, HOME=str(tmp_path)).customer_key == CustomerKey(KEY)
        assert replica("", text, HOME=str(tmp_path)).customer_key == CustomerKey(KEY)


@pytest.mark.parametrize("endpoint", ["10.0.0.5:9000", "http://minio:9000", "http://nas.local", "https://far.example"])
def test_a_customer_key_may_go_in_plain_to_what_is_near(endpoint: str) -> None:
    assert replica(f"endpoint: '{endpoint}', sse-customer-key: {KEY}").customer_key == CustomerKey(KEY)


def test_nobody_who_prints_a_configuration_prints_a_secret() -> None:
    keys = f"access-key-id: hunter2, secret-access-key: hunter3, session-token: hunter4, sse-customer-key: {KEY}"
    found = replica(keys)
    assert found.keys == StaticKeys("hunter2", "hunter3", "hunter4")
    for text in (repr(found), repr(read(f"{{dbs: [{{path: /a, replica: {{type: s3, bucket: b, {keys}}}}}]}}"))):
        assert "hunter" not in text
        assert KEY not in text


URLS = [
    ("url: s3://c/p", S3Settings("c", "p")),
    ("url: s3://c/p, type: S3", S3Settings("c", "p")),
    ("url: s3://c", S3Settings("c", ".")),
    ("url: s3://c/p, endpoint: 'https://e'", S3Settings("c", "p", "https://e")),
    ("url: s3://c/p, access-key-id: i, secret-access-key: s", S3Settings("c", "p", keys=StaticKeys("i", "s"))),
    ("url: 's3://c/p?region=r&partSize=5MiB', region: r, concurrency: 2",
     S3Settings("c", "p", region="r", part_size=5 << 20, concurrency=2)),
    ("url: 's3://c.localhost:9000/p', force-path-style: true",
     S3Settings("c", "p", "http://localhost:9000", force_path_style=True)),
    ("url: 's3://c/p?sseCustomerAlgorithm=AES256', sse-customer-key: " + KEY,
     S3Settings("c", "p", customer_key=CustomerKey(KEY))),
    ("url: 's3://c/p?sseCustomerKey=" + KEY + "'", S3Settings("c", "p", customer_key=CustomerKey(KEY))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), URLS)
def test_a_url_and_keys_beside_it(text: str, expected: S3Settings) -> None:
    assert settings(text) == expected


def test_a_url_wins_over_the_top() -> None:
    top = f"bucket: b, endpoint: 'https://far', region: far, skip-verify: true, concurrency: 9, sse-customer-key: {KEY}"
    url = "s3://c/p?endpoint=https://near&region=near&skip-verify=false&concurrency=1&sseKmsKeyId=k"
    assert settings(f"url: '{url}'", top) == S3Settings(
        "c", "p", "https://near", "near", skip_verify=False, concurrency=1, sse_kms_key_id="k"
    )


VPC = "https://vpce-1.s3.eu-west-3.vpce.amazonaws.com"


@pytest.mark.parametrize(
    ("host", "bucket"),
    [("b.s3.eu-west-3.amazonaws.com", "b"), ("b.s3.amazonaws.com", "b"), (ARN, ARN)],
)  # fmt: skip
def test_a_url_that_says_aws_goes_to_aws(host: str, bucket: str) -> None:
    """Whatever serves the other replicas. (With Litestream 0.5.17 the endpoint of the top wins over any URL.)"""
    url, top = f"url: 's3://{host}/p'", "endpoint: 'http://minio:9000'"
    assert settings(url, top).endpoint is None
    assert settings(f"{url}, endpoint: '{VPC}'", top).endpoint == VPC
    assert settings(f"url: 's3://{host}/p?endpoint={VPC}'", top).endpoint == VPC
    assert (settings(url, top).bucket, settings("url: s3://b/p", top).endpoint) == (bucket, "http://minio:9000")


@pytest.mark.parametrize("block", BLOCKS[1:], ids=lambda block: block.splitlines()[0].strip("# "))
def test_each_example_of_the_guide_is_read_and_known(block: str) -> None:
    config = read(block)
    store = config.databases[0].replicas[0].store
    assert isinstance(store, S3Settings)
    assert re.match(rf"# {re.escape(dialect_of(store.endpoint).name)}\b", block)
    assert (store.path, config.warnings) == ("app", ())


def test_the_guide_has_an_example_for_every_store() -> None:
    named = [each.name for each in DIALECTS if any(block.startswith(f"# {each.name}") for block in BLOCKS)]
    assert named == [each.name for each in DIALECTS]


def test_the_first_example_of_the_guide() -> None:
    config = read(BLOCKS[0], R2_ACCESS_KEY_ID="i", R2_SECRET_ACCESS_KEY="s")
    endpoint = "https://account_id.r2.cloudflarestorage.com"
    assert config.databases[0].replicas[0].store == S3Settings(
        "my-backups", "app", endpoint, "auto", keys=StaticKeys("i", "s")
    )
    assert dialect_of(endpoint).name == "Cloudflare R2"
    with pytest.raises(ConfigError, match="access-key-id: the environment variable R2_ACCESS_KEY_ID is not set"):
        read(BLOCKS[0], R2_SECRET_ACCESS_KEY="s")
