"""Endpoints as people write them: one place has one name, and http goes only where it is near."""

import pytest

from litestreamd.basics.errors import UsageError
from litestreamd.config.endpoint import endpoint_url, in_the_clear, is_near

NOT_A_HOST = "an endpoint is a host, perhaps with a port, and nothing else: https://s3.example.com"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3.example.com", "https://s3.example.com"),
        ("s3.example.com:9000", "https://s3.example.com:9000"),
        ("http://s3.example.com", "http://s3.example.com"),
        (" HTTPS://S3.Example.com/ ", "https://s3.example.com"),
        ("https://s3.example.com:443", "https://s3.example.com"),
        ("http://s3.example.com:80", "http://s3.example.com"),
        ("https://s3.example.com:80", "https://s3.example.com:80"),
        ("http://s3.example.com:443", "http://s3.example.com:443"),
        ("10.1.2.3:80", "http://10.1.2.3"),
        ("localhost:9000", "http://localhost:9000"),
        ("minio_1:9000", "http://minio_1:9000"),
        ("https://localhost:9000", "https://localhost:9000"),
        ("[::1]:9000", "http://[::1]:9000"),
        ("[2001:4860::1]", "https://[2001:4860::1]"),
        ("http://x:65535", "http://x:65535"),
    ],
)
def test_what_is_an_endpoint(text: str, url: str) -> None:
    assert endpoint_url(text) == url
    assert endpoint_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "/", "x/y", "https://", "https:///", ":9000", "x:", "x:0", "x:65536", "x:123456", "x:a", "x:9000:9000",
        "https://x/prefix", "x//y", "x?y", "https://x?", "x#y", "user@x", "https://key:secret@x", "a b", "a\nb",
        "a\tb", "x\x00", "ä.example", "-x", "x-", ".x", "x.", "a..b", "1.2.3", "300.1.1.1", "1", "[::1", "::1", "[]",
        "[::g]", "[1.2.3.4]", "x[::1]", "https:/x", "x%20y",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        endpoint_url(text)
    assert str(caught.value) == NOT_A_HOST


@pytest.mark.parametrize("text", ["ftp://x", "s3://b", "://x", "https://http://x", "key:secret://x"])
def test_other_schemes(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        endpoint_url(text)
    assert str(caught.value) == "an endpoint begins with https:// or http://"


NEAR = """localhost x.localhost nas.local store.internal minio 127.0.0.1 127.9.9.9 10.0.0.1 172.16.0.1 172.31.255.255
192.168.1.1 169.254.1.1 [::1] ::1 [fe80::1] [fd00::1]"""
FAR = """example.com localhost.example.com local.example 8.8.8.8 172.2.0.1 172.200.0.1 172.32.0.1 11.0.0.1 192.169.0.1
10.0.0.1.example.com [2001:4860::1] s3.eu-central-1.amazonaws.com"""


def test_what_is_near() -> None:
    assert [host for host in NEAR.split() if not is_near(host)] == []
    assert [host for host in FAR.split() if is_near(host)] == []


def test_only_plain_http_to_far_away_is_in_the_clear() -> None:
    assert in_the_clear("http://s3.example.com:9000")
    assert in_the_clear("http://[2001:4860::1]:9000")
    for endpoint in (None, "https://s3.example.com", "http://10.0.0.5:9000", "http://[::1]:9000", "http://minio:9000"):
        assert not in_the_clear(endpoint)
