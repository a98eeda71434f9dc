"""What is wrong with a replica of type s3: one clear sentence each, at its place, and no secret in it."""

from base64 import b64encode
from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError
from litestreamd.config.check import check_config

SOURCE = Path("/etc/litestreamd/app.yml")
KEY = b64encode(bytes(range(32))).decode()
SECRET = "hunter2"
NO_KEY = "the key of SSE-C is base64 of exactly 32 bytes (openssl rand -base64 32)"
TWICE = "the key of SSE-C is given twice: keep sse-customer-key or -key-path"
NO_BUCKET = "bucket is the name of a bucket and nothing else: path says where in it"
NOT_A_HOST = "an endpoint is a host, perhaps with a port, and nothing else: https://s3.example.com"
IN_THE_CLEAR = "SSE-C sends its key along: the endpoint has to be https"
TRUSTING = "skip-verify trusts any certificate: ca-bundle makes no sense with it"
FOLDER = "belongs to replicas of type s3, and this one is a folder: add type: s3, or remove"


def faults(text: str, **environment: str) -> list[str]:
    """All lines, without the file's name; none when there is nothing to complain of."""
    try:
        check_config(text.encode(), SOURCE, {"HOME": "/root", "SECRET": SECRET, **environment})
    except ConfigError as error:
        assert SECRET not in str(error)
        return [line.removeprefix(f"{SOURCE}:") for line in str(error).splitlines()]
    return []


def complaints(keys: str, top: str = "") -> list[str]:
    """What is said of a replica with these keys, without places."""
    text = f"{{dbs: [{{path: /data/app.db, replica: {{{keys}}}}}]{top and ', '}{top}}}"
    return [line.partition(": ")[2] for line in faults(text)]


SINGLE = {
    # a place
    "type: s3": "this replica has no place: add bucket, or url: s3://BUCKET/PATH",
    "type: s3, path: p": "this replica has no place: add bucket, or url: s3://BUCKET/PATH",
    "type: s3, bucket: ''": "bucket is empty",
    "type: s3, bucket: [b]": "bucket takes a single value, not a list",
    "type: s3, bucket: 's3://b'": NO_BUCKET,
    "type: s3, bucket: b/p": NO_BUCKET,
    "type: s3, bucket: 'b:p'": NO_BUCKET,
    "type: s3, bucket: a b": NO_BUCKET,
    "type: s3, bucket: ..": NO_BUCKET,
    "type: s3, bucket: 'hunter2@b'": NO_BUCKET,
    "type: s3, bucket: 'arn:aws:s3:r:123456789012:accesspoint/n/p'": NO_BUCKET,
    "type: s3, bucket: 'arn:aws:s3:r:12:accesspoint/n'":
        "the ARN of an access point is arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME, then /PATH",
    'type: s3, bucket: b, path: "a\\nb"': "the path in a bucket has to be UTF-8 without control characters",
    "type: s3, bucket: b, path: [p]": "path takes a single value, not a list",
    "url: s3://b/p, bucket: b": "url and bucket exclude each other",
    "url: s3://b/p, bucket: c": "url and bucket exclude each other",
    "url: s3://b/p, path: p": "url and path exclude each other",
    "url: 's3://b/p?region=x', region: y": "url and region contradict each other: keep one of the two",
    "url: 's3://b.s3.eu-west-3.amazonaws.com/p', region: eu-west-1":
        "url and region contradict each other: keep one of the two",
    "url: 's3://b.localhost:9000/p', force-path-style: false":
        "url and force-path-style contradict each other: keep one of the two",
    f"url: 's3://b/p?sseCustomerKey={KEY}', sse-customer-key: {b64encode(bytes(32)).decode()}":
        "url and sse-customer-key contradict each other: keep one of the two",
    "url: 's3://b/p?endpoint=https://hunter2@x'": NOT_A_HOST,
    "url: 's3://i:hunter2@b/p'":
        "an S3 URL has no place for credentials: use access-key-id, credentials or the environment",
    "url: 's3://b/p?secretAccessKey=hunter2'": "an S3 URL has no parameter secretAccessKey",
    "type: s3, url: file:///b": "type and url contradict each other: the URL is of type file",
    "type: file, url: s3://b/p": "type and url contradict each other: the URL is of type s3",
    "path: /b, bucket: c": f"bucket {FOLDER} bucket",
    "type: file, path: /b, secret-access-key: hunter2": f"secret-access-key {FOLDER} secret-access-key",
    "url: file:///b, region: r": f"region {FOLDER} region",
}  # fmt: skip
HERE_AND_AT_THE_TOP = {
    # the access key
    "access-key-id: hunter2": "secret-access-key is missing beside it: an access key has two halves",
    "secret-access-key: hunter2": "access-key-id is missing beside it: an access key has two halves",
    "access-key-id: i, session-token: hunter2": "secret-access-key is missing beside it: an access key has two halves",
    "session-token: hunter2":
        "access-key-id and secret-access-key are missing beside it: an access key has two halves",
    "profile: p, access-key-id: i, secret-access-key: hunter2": "profile and access-key-id exclude each other",
    "access-key-id: hunter2 x, secret-access-key: s": "access-key-id takes one word of ASCII",
    "access-key-id: 'hunter2é', secret-access-key: s": "access-key-id takes one word of ASCII",
    'access-key-id: i, secret-access-key: s, session-token: "a\\nhunter2"': "session-token takes one word of ASCII",
    "access-key-id: '', secret-access-key: hunter2": "access-key-id is empty",
    "access-key-id: i, secret-access-key: [hunter2]": "secret-access-key takes a single value, not a list",
    "access-key-id: i, secret-access-key: '${GONE}'":
        "secret-access-key: the environment variable GONE is not set (write $$ for a dollar sign)",
    "access-key-id: '${GONE}', secret-access-key: hunter2":
        "access-key-id: the environment variable GONE is not set (write $$ for a dollar sign)",
    "access-key-id: i, secret-access-key: s, session-token: 'a$hunter2'":
        "session-token: a bare $ is ambiguous: write ${NAME} for the variable, or $$ for a dollar sign",
    "profile: ''": "profile is empty",
    # encryption
    f"sse-kms-key-id: k, sse-customer-key: {KEY}": "sse-kms-key-id and sse-customer-key exclude each other",
    "sse-kms-key-id: a b": "sse-kms-key-id takes one word of ASCII",
    f"sse-customer-algorithm: AES128, sse-customer-key: {KEY}":
        "sse-customer-algorithm: 'AES128' is not AES256, the only algorithm of SSE-C",
    "sse-customer-algorithm: AES256": "sse-customer-algorithm needs sse-customer-key, or -key-path",
    "sse-customer-key: aHVudGVyMg==": NO_KEY,
    "sse-customer-key: hunter2": NO_KEY,
    f"sse-customer-key: {b64encode(bytes(33)).decode()}": NO_KEY,
    f"sse-customer-key: '{KEY[:20]} {KEY[20:]}'": NO_KEY,
    "sse-customer-key: é": NO_KEY,
    "sse-customer-key: ''": "sse-customer-key is empty",
    "sse-customer-key: '${SECRET}'": NO_KEY,
    f"sse-customer-algorithm: AES256, sse-customer-key: '{KEY}$x'":
        "sse-customer-key: a bare $ is ambiguous: write ${NAME} for the variable, or $$ for a dollar sign",
    "sse-customer-key-path: /nowhere": "the file of sse-customer-key-path cannot be read: No such file or directory",
    "sse-customer-key-path: /": "the file of sse-customer-key-path cannot be read: Is a directory",
    "sse-customer-key-path: /dev/null": NO_KEY,
    "sse-customer-key-path: /dev/zero": NO_KEY,
    "sse-customer-key-path: ~bob/key": "of the paths that begin with ~ only ~/ is expanded: write the whole path",
    f"sse-customer-key: {KEY}, endpoint: 'http://far.example'": IN_THE_CLEAR,
    f"sse-customer-key: {KEY}, endpoint: 'http://[2001:4860::1]:9000'": IN_THE_CLEAR,
    # the endpoint and the rest
    "endpoint: 'ftp://x'": "an endpoint begins with https:// or http://",
    "endpoint: 'https://x/prefix'": NOT_A_HOST,
    "endpoint: 'https://x?a=b'": NOT_A_HOST,
    "endpoint: 'https://i:hunter2@x'": NOT_A_HOST,
    "endpoint: 'https://i:a$hunter2@x'":
        "endpoint: a bare $ is ambiguous: write ${NAME} for the variable, or $$ for a dollar sign",
    "endpoint: '[::1'": NOT_A_HOST,
    "endpoint: ''": "endpoint is empty",
    "region: a b": "region takes one word of ASCII",
    "region: '${SECRET} é'": "region takes one word of ASCII",
    "storage-class: [x]": "storage-class takes a single value, not a list",
    'storage-class: "a\\r\\nx: y"': "storage-class takes one word of ASCII",
    "skip-verify: true, ca-bundle: /x": TRUSTING,
    "ca-bundle: ca.pem": "ca-bundle takes an absolute path",
    "ca-bundle: ~bob/ca.pem": "of the paths that begin with ~ only ~/ is expanded: write the whole path",
    "part-size: 5MB": "part-size: '5MB' is not between 5MiB and 5GiB, which is what S3 takes as a part",
    "part-size: 6GiB": "part-size: '6GiB' is not between 5MiB and 5GiB, which is what S3 takes as a part",
    "part-size: much": "part-size: 'much' is not a size: write it as 5242880, 5MiB or 1GB",
    "part-size: '${SECRET}'": "part-size: '${SECRET}' is not a size: write it as 5242880, 5MiB or 1GB",
    f"part-size: {'9' * 400}": f"part-size: '{'9' * 57}...' is too long for this value",
    "concurrency: 0": "concurrency: '0' is not a number from 1 to 64",
    "concurrency: 65": "concurrency: '65' is not a number from 1 to 64",
    "concurrency: -1": "concurrency: '-1' is not a number from 1 to 64",
    f"concurrency: {'9' * 5000}": f"concurrency: '{'9' * 57}...' is too long for this value",
    "force-path-style: perhaps": "force-path-style: 'perhaps' is not true or false",
    "sign-payload: 2": "sign-payload: '2' is not true or false",
    "skip-verify: ''": "skip-verify: '' is not true or false",
}  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), SINGLE.items())
def test_a_replica_is_told_what_is_wrong_with_it(text: str, sentence: str) -> None:
    assert complaints(text) == [sentence]


@pytest.mark.parametrize(("text", "sentence"), HERE_AND_AT_THE_TOP.items())
def test_the_same_is_said_here_and_at_the_top(text: str, sentence: str) -> None:
    assert complaints(f"type: s3, bucket: b, {text}") == [sentence]
    assert complaints(f"url: s3://b/p, {text}") == [sentence]
    assert complaints("type: s3, bucket: b", text) == [sentence]


OF_TWO_KEYS = ("exclude each other", "needs sse-customer-key", "has to be https", "makes no sense with it")


@pytest.mark.parametrize(("text", "sentence"), HERE_AND_AT_THE_TOP.items())
def test_the_top_is_judged_without_a_replica_that_needs_it(text: str, sentence: str) -> None:
    together = any(words in sentence for words in OF_TWO_KEYS)
    assert complaints("path: /b", text) == ([] if together else [sentence])


@pytest.mark.parametrize(
    ("own", "top", "sentence"),
    [
        ("secret-access-key: s", "access-key-id: i", "access-key-id is missing beside it"),
        ("access-key-id: i", "access-key-id: j, secret-access-key: s", "secret-access-key is missing beside it"),
        ("session-token: t", "access-key-id: j, secret-access-key: s", "access-key-id and secret-access-key are"),
        ("skip-verify: true", "ca-bundle: /x", TRUSTING),
        (f"sse-customer-key: {KEY}", "endpoint: 'http://far.example'", IN_THE_CLEAR),
        ("endpoint: 'http://far.example'", f"sse-customer-key: {KEY}", IN_THE_CLEAR),
        ("sse-kms-key-id: k, sse-customer-algorithm: AES256", f"sse-customer-key: {KEY}", "sse-customer-algorithm"),
    ],
)  # fmt: skip
def test_two_places_together(own: str, top: str, sentence: str) -> None:
    said = complaints(f"type: s3, bucket: b, {own}", top)
    assert any(line.startswith(sentence) for line in said), said


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(33), KEY.encode() * 2, b"\xff" * 44, bytes(1 << 20)])
def test_a_file_that_holds_no_key(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    assert complaints(f"type: s3, bucket: b, sse-customer-key-path: {tmp_path}/key") == [NO_KEY]


def test_a_key_and_a_file_with_a_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    text = f"sse-customer-key: {KEY}, sse-customer-key-path: {tmp_path}/key"
    assert complaints(f"type: s3, bucket: b, {text}") == [TWICE]
    assert complaints("path: /b", text) == [TWICE]


def test_every_fault_has_its_place_and_all_are_told() -> None:
    text = f"""\
access-key-id: i
concurrency: 0
ca-bundle: /x
dbs:
  - path: /a
    replicas:
      - type: s3
        path: p
        sse-kms-key-id: k
        sse-customer-key: {KEY}
        skip-verify: true
        endpoint: http://far.example
      - name: second
        url: s3:///p
        part-size: 1
        secret-access-key: hunter2
      - {{name: third, path: /b, bucket: b, region: r}}
"""
    assert [line.partition(" ")[::2] for line in faults(text)] == [
        ("1:16:", "secret-access-key is missing beside it: an access key has two halves"),
        ("2:14:", "concurrency: '0' is not a number from 1 to 64"),
        ("3:12:", TRUSTING),
        ("7:9:", "this replica has no place: add bucket, or url: s3://BUCKET/PATH"),
        ("9:25:", "sse-kms-key-id and sse-customer-key exclude each other"),
        ("12:19:", IN_THE_CLEAR),
        (
            "14:14:",
            "an S3 URL names a bucket: s3://BUCKET/PATH, with ?endpoint=https://HOST for a store that is not AWS",
        ),
        ("15:20:", "part-size: '1' is not between 5MiB and 5GiB, which is what S3 takes as a part"),
        ("16:28:", "access-key-id is missing beside it: an access key has two halves"),
        ("17:41:", f"bucket {FOLDER} bucket"),
        ("17:52:", f"region {FOLDER} region"),
    ]


def test_a_fault_at_the_top_is_told_once() -> None:
    replicas = "".join(f"- {{path: /{n}, replica: {{type: s3, path: p{n}}}}}\n" for n in range(3))
    text = f"bucket: b\nsse-customer-key: {KEY}\nsse-kms-key-id: k\nendpoint: http://far.example\ndbs:\n{replicas}"
    assert [line.partition(" ")[0] for line in faults(text)] == ["3:17:", "4:11:"]
