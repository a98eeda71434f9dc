"""Which store is spoken to how."""

import re
from pathlib import Path

import pytest

from litestreamd.replica.s3.client import Timeouts, client_key
from litestreamd.replica.s3.dialects import DIALECTS, dialect_of, host_of
from litestreamd.replica.s3.settings import S3Settings

HOSTS = [
    (None, "AWS S3", None, False),
    ("https://s3.eu-west-3.amazonaws.com", "AWS S3", "eu-west-3", False),
    ("https://abc123.r2.cloudflarestorage.com", "Cloudflare R2", "auto", True),
    ("https://abc123.eu.r2.cloudflarestorage.com", "Cloudflare R2", "auto", True),
    ("https://s3.eu-central-003.backblazeb2.com", "Backblaze B2", "eu-central-003", True),
    ("https://fly.storage.tigris.dev", "Tigris", "auto", False),
    ("https://t3.storage.dev", "Tigris", "auto", False),
    ("https://fra1.digitaloceanspaces.com", "DigitalOcean Spaces", "fra1", False),
    ("https://s3.eu-central-2.wasabisys.com", "Wasabi", "eu-central-2", False),
    ("https://s3.wasabisys.com", "Wasabi", "us-east-1", False),
    ("https://s3.fr-par.scw.cloud", "Scaleway", "fr-par", False),
    ("https://fsn1.your-objectstorage.com", "Hetzner", "fsn1", False),
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
    assert (key.region, key.path_style) == (region, path_style)


def test_the_configuration_comes_first() -> None:
    settings = S3Settings(
        "b", endpoint="https://x.r2.cloudflarestorage.com", region="weur", force_path_style=False, sign_payload=False,
        ca_bundle="/etc/ca.pem",
    )  # fmt: skip
    key = client_key(settings, None, Timeouts())
    assert (key.region, key.path_style, key.sign_payload, key.verify) == ("weur", False, False, "/etc/ca.pem")
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
