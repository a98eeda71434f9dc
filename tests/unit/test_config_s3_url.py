"""Every form of an S3 URL that Litestream takes, read by one parser for configuration and command line."""

from base64 import b64encode

import pytest

from litestreamd.basics.errors import UsageError
from litestreamd.config.load import config_from_urls, replica_from_url
from litestreamd.config.s3_url import s3_from_url
from litestreamd.replica.s3.settings import CustomerKey, S3Settings

ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/name"
KEY = b64encode(bytes(range(224, 256))).decode()  # with + and / in it
QUOTED = KEY.replace("+", "%2B").replace("=", "%3D")

HOSTS = [
    ("b", {}),
    ("B", {"bucket": "B"}),
    ("my.bucket", {"bucket": "my.bucket"}),
    ("garage", {"bucket": "garage"}),
    ("example.com", {"bucket": "example.com"}),
    ("b.s3.eu-west-3.amazonaws.com", {"region": "eu-west-3"}),
    ("b.s3-us-gov-west-1.amazonaws.com", {"region": "us-gov-west-1"}),
    ("B.S3.EU-WEST-3.AMAZONAWS.COM", {"region": "eu-west-3"}),
    ("b.s3.cn-north-1.amazonaws.com.cn", {"region": "cn-north-1"}),
    ("my.bucket.s3.eu-west-3.amazonaws.com", {"bucket": "my.bucket", "region": "eu-west-3"}),
    ("b.s3.amazonaws.com", {}),
    ("b.fra1.digitaloceanspaces.com", {"endpoint": "https://fra1.digitaloceanspaces.com", "region": "fra1"}),
    ("b.s3.eu-central-003.backblazeb2.com",
     {"endpoint": "https://s3.eu-central-003.backblazeb2.com", "region": "eu-central-003"}),
    ("b.s3.filebase.com", {"endpoint": "https://s3.filebase.com"}),
    ("b.s3.fr-par.scw.cloud", {"endpoint": "https://s3.fr-par.scw.cloud", "region": "fr-par"}),
    ("my.bucket.s3.fr-par.scw.cloud",
     {"bucket": "my.bucket", "endpoint": "https://s3.fr-par.scw.cloud", "region": "fr-par"}),
    ("b.localhost:9000", {"endpoint": "http://localhost:9000", "force_path_style": True}),
    ("b.minio:9000", {"endpoint": "http://minio:9000", "force_path_style": True}),
    ("b.10.0.0.5:9000", {"endpoint": "http://10.0.0.5:9000", "force_path_style": True}),
    ("b.[::1]:9000", {"endpoint": "http://[::1]:9000", "force_path_style": True}),
    ("b.minio.example.org:9000", {"endpoint": "https://minio.example.org:9000", "force_path_style": True}),
    ("b.c.example.org:443", {"endpoint": "https://c.example.org", "force_path_style": True}),
]  # fmt: skip


@pytest.mark.parametrize(("host", "told"), HOSTS)
def test_what_the_host_tells(host: str, told: dict[str, object]) -> None:
    assert s3_from_url(f"s3://{host}/p") == S3Settings(**{"bucket": "b", "path": "p", **told})  # type: ignore[arg-type]
    assert s3_from_url(f"S3://{host}/p?concurrency=2").concurrency == 2


PATHS = [
    ("", "."),
    ("/", ""),
    ("//", ""),
    ("/.", ""),
    ("/./", ""),
    ("/..", ""),
    ("/p", "p"),
    ("/p/q/", "p/q"),
    ("//p//q", "p/q"),
    ("/a/../b/./c", "b/c"),
    ("/../x", "x"),
    ("/a%2F..%2Fb", "b"),
    ("/a%2fb%20c", "a/b c"),
    ("/a+b", "a+b"),
    ("/%C3%A9", "é"),
    ("/a%3Fb%23c", "a?b#c"),
    ("/a@b:c", "a@b:c"),
]


@pytest.mark.parametrize(("path", "expected"), PATHS)
def test_the_path_is_cleaned_as_litestream_cleans_it(path: str, expected: str) -> None:
    """Seen with Litestream 0.5.17: what its listings ask for begins with this, and a slash."""
    assert s3_from_url(f"s3://b{path}").path == expected
    assert s3_from_url(f"s3://b{path}?region=r") == S3Settings("b", expected, region="r")


@pytest.mark.parametrize(
    ("path", "expected"), [("", ""), ("/", ""), ("/p/q/", "p/q"), ("/a/../z", "z"), ("/x%20y", "x%20y"), ("//p", "p")]
)
def test_an_access_point(path: str, expected: str) -> None:
    """% codes stay: so it was seen."""
    assert s3_from_url(f"s3://{ARN}{path}") == S3Settings(ARN, expected, region="eu-west-1")
    assert s3_from_url(f"s3://{ARN}{path}?region=r") == S3Settings(ARN, expected, region="r")


QUERIES = [
    ("endpoint=localhost:9000", "endpoint=http%3A%2F%2Flocalhost%3A9000", {"endpoint": "http://localhost:9000"}),
    ("region=r", "REGION=r", {"region": "r"}),
    ("forcePathStyle=true", "force-path-style=1", {"force_path_style": True}),
    ("forcePathStyle=false", "force-path-style=No", {"force_path_style": False}),
    ("skipVerify=true", "skip-verify=yes", {"skip_verify": True}),
    ("skipVerify=false", "skip-verify=0", {"skip_verify": False}),
    ("signPayload=false", "sign-payload=FALSE", {"sign_payload": False}),
    ("requireContentMD5=false", "require-content-md5=false", {"require_content_md5": False}),
    ("signAcceptEncoding=false", "sign-accept-encoding=false", {"sign_accept_encoding": False}),
    ("concurrency=3", "Concurrency=3", {"concurrency": 3}),
    ("partSize=16MiB", "part-size=16777216", {"part_size": 16 << 20}),
    ("storageClass=GLACIER_IR", "storage-class=GLACIER_IR", {"storage_class": "GLACIER_IR"}),
    ("sseKmsKeyId=arn:aws:kms:r:1:key/k", "sse-kms-key-id=arn%3Aaws%3Akms%3Ar%3A1%3Akey%2Fk",
     {"sse_kms_key_id": "arn:aws:kms:r:1:key/k"}),
    (f"sseCustomerKey={QUOTED}", f"sse-customer-key={QUOTED}", {"customer_key": CustomerKey(KEY)}),
    (f"sseCustomerAlgorithm=AES256&sseCustomerKey={QUOTED}&sseCustomerKeyMD5=b6HZMWQBEvN0pcqEiES6uw%3D%3D",
     f"sse-customer-key-md5=b6HZMWQBEvN0pcqEiES6uw==&sse-customer-key={QUOTED}&sse-customer-algorithm=aes256",
     {"customer_key": CustomerKey(KEY)}),
    ("&region=r&", "region=r&&", {"region": "r"}),
]  # fmt: skip


@pytest.mark.parametrize(("query", "hyphens", "told"), QUERIES)
def test_every_parameter_in_both_spellings(query: str, hyphens: str, told: dict[str, object]) -> None:
    for text in (query, hyphens):
        assert s3_from_url(f"s3://b/p?{text}") == S3Settings("b", "p", **told)  # type: ignore[arg-type]


def test_a_parameter_wins_over_the_host() -> None:
    url = "s3://b.fra1.digitaloceanspaces.com/p?endpoint=https://e&region=r&force-path-style=true"
    assert s3_from_url(url) == S3Settings("b", "p", "https://e", "r", force_path_style=True)
    assert s3_from_url("s3://b.localhost:9000/p?forcePathStyle=false").force_path_style is False


NO_BUCKET = "an S3 URL names a bucket: s3://BUCKET/PATH, with ?endpoint=https://HOST for a store that is not AWS"
NOT_A_HOST = "an endpoint is a host, perhaps with a port, and nothing else: https://s3.example.com"
NO_ARN = "the ARN of an access point is arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME, then /PATH"
NO_KEY = "the key of SSE-C is base64 of exactly 32 bytes (openssl rand -base64 32)"
CREDENTIALS = "an S3 URL has no place for credentials: use access-key-id, credentials or the environment"
NOT_UTF8 = "the % codes of this URL are not UTF-8"
CONTROL = "the path in a bucket has to be UTF-8 without control characters"
REFUSED = {
    # the place
    "s3://": NO_BUCKET,
    "s3:///p": NO_BUCKET,
    "s3://?region=r": NO_BUCKET,
    "s3://b_%20/p": NO_BUCKET,
    "s3://ä/p": NO_BUCKET,
    "s3://[x/p": NO_BUCKET,
    "s3://.b/p": NO_BUCKET,
    "s3://localhost:9000/b/p": NO_BUCKET,
    "s3://127.0.0.1:9000/b/p": NO_BUCKET,
    "s3://key:hunter2/p": NO_BUCKET,
    "s3://s3.eu-west-3.amazonaws.com/b/p": NO_BUCKET,
    "s3://b.s3.dualstack.eu-west-3.amazonaws.com/p": NO_BUCKET,
    "s3://b.s3-accelerate.amazonaws.com/p": NO_BUCKET,
    "s3://fra1.digitaloceanspaces.com/b/p": NO_BUCKET,
    "s3://s3.fr-par.scw.cloud/b/p": NO_BUCKET,
    "s3://b.s3.eu-central-2.wasabisys.com/p": NO_BUCKET,
    "s3://b.fsn1.your-objectstorage.com/p": NO_BUCKET,
    "s3://0123.r2.cloudflarestorage.com/b/p": NO_BUCKET,
    "s3://storage.googleapis.com/b/p": NO_BUCKET,
    "s3://b.x:hunter2/p": NOT_A_HOST,
    "s3://b.host:99999/p": NOT_A_HOST,
    "s3://key:hunter2@b/p": CREDENTIALS,
    "s3://hunter2@b/p": CREDENTIALS,
    "s3://arn:aws:s3:eu-west-1:123456789012:bucket/x": NO_ARN,
    "s3://arn:aws:s3::123456789012:accesspoint/x.mrap/p": NO_ARN,
    "s3://arn:aws:s3:eu-west-1:12:accesspoint/x": NO_ARN,
    "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/": NO_ARN,
    "s3://ARN:aws:s3:eu-west-1:123456789012:accesspoint/x": NO_ARN,
    "s3://b/p#x": "an S3 URL has no fragment: write # as %23",
    "s3://b/p?region=r#x": "an S3 URL has no fragment: write # as %23",
    "s3://b/%ff": NOT_UTF8,
    "s3://b/p?region=%ff": NOT_UTF8,
    "s3://b/a%00b": CONTROL,
    "s3://b/a%0Ab": CONTROL,
    "s3://b/a\udcffb": CONTROL,
    f"s3://{ARN}/a\nb": CONTROL,
    # parameters
    "s3://b/p?secret=hunter2": "an S3 URL has no parameter secret",
    "s3://b/p?X-Amz-Signature=hunter2": "an S3 URL has no parameter X-Amz-Signature",
    "s3://b/p?hunter2%20=x": "an S3 URL has no parameter of that name",
    "s3://b/p?hunter2": "an S3 URL has no parameter of that name",
    f"s3://b/p?{'hunter2' * 9}=x": "an S3 URL has no parameter of that name",
    "s3://b/p?region=r&Region=s": "Region is given twice",
    "s3://b/p?forcePathStyle=true&force-path-style=true": "force-path-style is given twice",
    "s3://b/p?region=": "region takes one word of ASCII",
    "s3://b/p?region=a+b": "region takes one word of ASCII",
    "s3://b/p?storageClass=hunter2%0d%0a": "storage-class takes one word of ASCII",
    "s3://b/p?sseKmsKeyId=%20": "sse-kms-key-id takes one word of ASCII",
    "s3://b/p?forcePathStyle=hunter2": "forcePathStyle is not true or false",
    "s3://b/p?forcePathStyle": "forcePathStyle is not true or false",
    "s3://b/p?partSize=1": "partSize is not between 5MiB and 5GiB, which is what S3 takes as a part",
    "s3://b/p?part-size=hunter2": "part-size is not a size: write it as 5242880, 5MiB or 1GB",
    f"s3://b/p?partSize={'9' * 400}": "partSize is too long for this value",
    f"s3://b/p?concurrency={'9' * 5000}": "concurrency is too long for this value",
    "s3://b/p?concurrency=65": "concurrency is not a number from 1 to 64",
    "s3://b/p?endpoint=https://x/hunter2": NOT_A_HOST,
    "s3://b/p?endpoint=https://key:hunter2@x": NOT_A_HOST,
    "s3://b/p?endpoint=[::1": NOT_A_HOST,
    "s3://b/p?endpoint=": NOT_A_HOST,
    "s3://b/p?endpoint=ftp://x": "an endpoint begins with https:// or http://",
    "s3://b/p?sseCustomerKey=hunter2": NO_KEY,
    f"s3://b/p?sseCustomerKey={KEY}": NO_KEY,  # a + that is not quoted is a space
    "s3://b/p?sseCustomerAlgorithm=AES256": "sseCustomerAlgorithm needs the key of SSE-C: put it into a configuration",
    f"s3://b/p?sseCustomerAlgorithm=AES128&sseCustomerKey={QUOTED}":
        "sseCustomerAlgorithm is not AES256, the only algorithm of SSE-C",
    "s3://b/p?sseCustomerKeyMD5=hunter2": "sseCustomerKeyMD5 is not the digest of sseCustomerKey",
    f"s3://b/p?sseCustomerKey={QUOTED}&sseCustomerKeyMD5=hunter2":
        "sseCustomerKeyMD5 is not the digest of sseCustomerKey",
}  # fmt: skip


@pytest.mark.parametrize(("url", "sentence"), REFUSED.items())
def test_what_is_refused(url: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        s3_from_url(url)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("name", ["sseCustomerKey", "sse-customer-key", "SSECustomerKey"])
def test_a_key_on_the_command_line_is_refused(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        replica_from_url(f"s3://b/p?{name}={QUOTED}", {})
    sentence = f"{name} would be seen in the list of processes: put it into a configuration"
    assert str(caught.value) == f"the replica URL cannot be used: {sentence}"


def test_a_replica_url_is_a_replica() -> None:
    spec = replica_from_url("S3://b/p?region=r", {})
    assert (spec.name, spec.store, spec.sync_interval_s) == ("s3", S3Settings("b", "p", region="r"), 1.0)
    with pytest.raises(UsageError, match="the replica URL cannot be used: an S3 URL names a bucket"):
        replica_from_url("s3:///p", {})


def test_replicas_of_the_command_line_are_called_by_their_type() -> None:
    config = config_from_urls("/a", ["s3://b/p", "file:///c", "s3://b/q", "/d"], {})
    assert [spec.name for spec in config.databases[0].replicas] == ["s3", "file", "s3-2", "file-2"]
    with pytest.raises(UsageError, match="another replica of this database has the path /p"):
        config_from_urls("/a", ["s3://b/p", "s3://b/p/"], {})
    with pytest.raises(
        UsageError, match=r"the replica path /p in s3://b at s3.amazonaws.com lies inside the replica path"
    ):
        config_from_urls("/a", ["s3://b/p", "s3://b"], {})
