"""Which store is spoken to how."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from litestreamd.replica.s3.client import SharedClient, Timeouts, client_key
from litestreamd.replica.s3.dialects import DIALECTS, dialect_of, host_of
from litestreamd.replica.s3.settings import S3Settings, StaticKeys

HOSTS = [
    (None, "AWS S3", None, False),
    ("https://s3.eu-west-3.amazonaws.com", "AWS S3", "eu-west-3", False),
    ("https://abc123.r2.cloudflarestorage.com", "Cloudflare R2", "auto", True),
    ("https://abc123.eu.r2.cloudflarestorage.com", "Cloudflare R2", "auto", True),
    ("https://s3.eu-central-003.backblazeb2.com", "Backblaze B2", "eu-central-003", True),
    ("https://fly.storage.tigris.dev", "Tigris", "auto", False),
    ("https://t3.storage.dev", "Tigris", "auto", False),
    ("https://fra1.digitaloceanspaces.com", "DigitalOcean Spaces", "fra1", True),
    ("https://s3.eu-central-2.wasabisys.com", "Wasabi", "eu-central-2", True),
    ("https://s3.wasabisys.com", "Wasabi", "us-east-1", True),
    ("https://s3.fr-par.scw.cloud", "Scaleway", "fr-par", True),
    ("https://fsn1.your-objectstorage.com", "Hetzner", "fsn1", True),
    ("https://storage.googleapis.com", "Google Cloud Storage", "auto", True),
    ("https://x.supabase.co", "Supabase", "us-east-1", True),
    ("https://s3.filebase.com", "Filebase", "us-east-1", True),
    ("http://127.0.0.1:3900", "Garage", "garage", True),
    ("http://127.0.0.1:9000", "others", "us-east-1", True),
    ("https://minio.example.org", "others", "us-east-1", True),
    ("https://r2.cloudflarestorage.com.example.org", "others", "us-east-1", True),
]


@pytest.mark.parametrize(("endpoint", "name", "region", "path_style"), HOSTS)
def test_the_endpoint_tells(endpoint: str | None, name: str, region: str | None, path_style: bool) -> None:
    assert dialect_of(endpoint).name == name
    key = client_key(S3Settings("b", endpoint=endpoint), None, Timeouts())
    style = "path" if path_style else "virtual" if endpoint else "auto"
    assert (key.region, key.addressing) == (region, style)


def test_the_configuration_comes_first() -> None:
    settings = S3Settings(
        "b", endpoint="https://x.r2.cloudflarestorage.com", region="weur", force_path_style=False, sign_payload=False,
        ca_bundle="/etc/ca.pem",
    )  # fmt: skip
    key = client_key(settings, None, Timeouts())
    assert (key.region, key.addressing, key.sign_payload, key.verify) == ("weur", "virtual", False, "/etc/ca.pem")
    assert client_key(S3Settings("b", skip_verify=True, ca_bundle="/x"), None, Timeouts()).verify is False


def test_auto_is_no_region_of_aws() -> None:
    assert client_key(S3Settings("b", region="auto"), None, Timeouts()).region is None


def test_every_row_is_reached() -> None:
    assert {name for _, name, _, _ in HOSTS} == {each.name for each in DIALECTS}


def test_the_documentation_has_the_same_table() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "s3.md").read_text()
    rows = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in text.splitlines() if line.startswith("| ")]
    found = {row[0]: row[1:6] for row in rows}
    for each in DIALECTS:
        style = "path" if each.path_style else "host"
        region = "from the endpoint" if "(?P<region>" in each.hosts else each.region
        md5 = "yes" if each.content_md5 else "no"
        assert found[each.name][:4] == [style, region, md5, str(each.concurrency)], each.name


def test_ports_and_case_do_not_matter() -> None:
    assert dialect_of("https://ABC.R2.CloudflareStorage.com:443").name == "Cloudflare R2"
    assert host_of("https://ABC.example:443/") == "abc.example:443"


HOSTED = [
    (S3Settings("my-bucket", region="eu-west-1"), "my-bucket.s3.eu-west-1.amazonaws.com"),
    (S3Settings("my-bucket", endpoint="https://t3.storage.dev"), "my-bucket.t3.storage.dev"),
    (S3Settings("b", endpoint="https://x.r2.cloudflarestorage.com"), "x.r2.cloudflarestorage.com"),
    (S3Settings("b", endpoint="https://fra1.digitaloceanspaces.com"), "fra1.digitaloceanspaces.com"),
    (S3Settings("my-bucket", endpoint="https://e.example", force_path_style=False), "my-bucket.e.example"),
    (
        S3Settings("arn:aws:s3:eu-central-1:123456789012:accesspoint/backups", region="eu-central-1"),
        "backups-123456789012.s3-accesspoint.eu-central-1.amazonaws.com",
    ),
]


@pytest.mark.parametrize(("settings", "host"), HOSTED)
def test_requests_go_to_the_right_host(settings: S3Settings, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What boto3 makes of it, an access point too; nothing is sent."""
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    made = SharedClient(client_key(settings, StaticKeys("id", "secret"), Timeouts()))
    sent: list[str] = []

    def caught(request: Any, **_: object) -> None:
        sent.append(request.url)
        raise ConnectionAbortedError

    made._begin().meta.events.register("before-send.s3", caught)
    with pytest.raises(ConnectionAbortedError):
        made.call("head_object", {}, {"Bucket": settings.bucket, "Key": "app/x"})
    assert urlsplit(sent[0]).hostname == host
