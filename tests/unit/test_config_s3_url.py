"""Every form of an S3 URL that Litestream takes, read by one parser for configuration and command line."""

import pytest

from litestreamd.basics.errors import UsageError
from litestreamd.config.load import config_from_urls, replica_from_url
from litestreamd.config.s3_url import endpoint_url, is_near, s3_from_url
from litestreamd.replica.s3.settings import CustomerKey, S3Settings

URLS = [
    ("s3://b/p", S3Settings("b", "p")),
    ("S3://b/p/q", S3Settings("b", "p/q")),
    ("s3://b", S3Settings("b", ".")),
    ("s3://b/", S3Settings("b", ".")),
    ("s3://b/p/", S3Settings("b", "p")),
    ("s3://b//p", S3Settings("b", "p")),
    ("s3://b/p%20q", S3Settings("b", "p q")),
    ("s3://my.bucket/p", S3Settings("my.bucket", "p")),
    ("s3://b.s3.eu-west-3.amazonaws.com/p", S3Settings("b", "p", region="eu-west-3")),
    ("s3://b.s3.amazonaws.com/p", S3Settings("b", "p")),
    ("s3://b.fra1.digitaloceanspaces.com/p", S3Settings("b", "p", "https://fra1.digitaloceanspaces.com", "fra1")),
    (
        "s3://b.s3.eu-central-003.backblazeb2.com/p",
        S3Settings("b", "p", "https://s3.eu-central-003.backblazeb2.com", "eu-central-003"),
    ),
    ("s3://b.s3.filebase.com/p", S3Settings("b", "p", "https://s3.filebase.com")),
    ("s3://b.s3.fr-par.scw.cloud/p", S3Settings("b", "p", "https://s3.fr-par.scw.cloud", "fr-par")),
    ("s3://b.localhost:9000/p", S3Settings("b", "p", "http://localhost:9000", force_path_style=True)),
    ("s3://b.minio.example.org:9000/p", S3Settings("b", "p", "https://minio.example.org:9000", force_path_style=True)),
    (
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/name/p/q",
        S3Settings("arn:aws:s3:eu-west-1:123456789012:accesspoint/name", "p/q", region="eu-west-1"),
    ),
    (
        "s3://b/p?endpoint=localhost:9000&region=r&forcePathStyle=true&skipVerify=true&signPayload=false",
        S3Settings("b", "p", "http://localhost:9000", "r", True, sign_payload=False, skip_verify=True),
    ),
    (
        "s3://b/p?force-path-style=false&require-content-md5=false&sign-accept-encoding=false&storage-class=GLACIER_IR",
        S3Settings(
            "b", "p", force_path_style=False, require_content_md5=False, sign_accept_encoding=False,
            storage_class="GLACIER_IR",
        ),
    ),
    ("s3://b/p?concurrency=3&partSize=16MiB", S3Settings("b", "p", concurrency=3, part_size=16 << 20)),
    ("s3://b/p?sseKmsKeyId=k", S3Settings("b", "p", sse_kms_key_id="k")),
    (
        "s3://b/p?sseCustomerAlgorithm=AES256&sseCustomerKey=K&sseCustomerKeyMD5=x",
        S3Settings("b", "p", customer_key=CustomerKey("K")),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("url", "settings"), URLS)
def test_forms(url: str, settings: S3Settings) -> None:
    assert s3_from_url(url) == settings


REFUSED = [
    ("s3:///p", "names a bucket"),
    ("s3://", "names a bucket"),
    ("s3://k:hunter2@b/p", "no place for credentials"),
    ("s3://b/p#x", "no fragment"),
    ("s3://b/p?secret=hunter2", "no parameter secret"),
    ("s3://b/p?hunter2%20=x", "no parameter of that name"),
    ("s3://b/p?forcePathStyle=hunter2", "forcePathStyle: is true or false"),
    ("s3://b/p?partSize=1", "partSize: is not between 5MiB and 5GiB"),
    ("s3://b/p?endpoint=https://x/hunter2", "endpoint: an endpoint is a host"),
    ("s3://arn:aws:s3:r:1:bucket/x", "the ARN of an access point is"),
]


@pytest.mark.parametrize(("url", "sentence"), REFUSED)
def test_what_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        s3_from_url(url)
    assert "hunter2" not in str(caught.value)


def test_a_key_on_the_command_line_is_refused() -> None:
    with pytest.raises(UsageError, match="would be seen in the list of processes") as caught:
        replica_from_url("s3://b/p?sseCustomerKey=hunter2", {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("localhost:9000", "http://localhost:9000"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("10.1.2.3:80", "http://10.1.2.3:80"),
        ("172.16.0.1", "http://172.16.0.1"),
        ("172.200.1.1", "https://172.200.1.1"),
        ("nas.local", "http://nas.local"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("s3.example.com", "https://s3.example.com"),
        ("HTTPS://s3.example.com/", "https://s3.example.com"),
        ("http://s3.example.com", "http://s3.example.com"),
    ],
)
def test_endpoints(text: str, url: str) -> None:
    assert endpoint_url(text) == url


@pytest.mark.parametrize("text", ["", "https://", "x/y", "x?y", "a b", "ftp://x", ":9000", "u:p@x"])
def test_no_endpoints(text: str) -> None:
    with pytest.raises(UsageError):
        endpoint_url(text)


def test_near() -> None:
    assert is_near("192.168.0.1:9000")
    assert not is_near("8.8.8.8")
    assert not is_near("localhost.example.com")


def test_replicas_of_the_command_line_are_called_by_their_type() -> None:
    config = config_from_urls("/a", ["s3://b/p", "file:///c", "s3://b/q", "/d"], {})
    assert [spec.name for spec in config.databases[0].replicas] == ["s3", "file", "s3-2", "file-2"]
    with pytest.raises(UsageError, match="another replica of this database has the path /p"):
        config_from_urls("/a", ["s3://b/p", "s3://b/p/"], {})
