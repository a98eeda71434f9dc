"""Who speaks S3 how: the one table of what has to be done differently at which endpoint.

In: an endpoint. Out: its Dialect. docs/s3.md has the same table for the user; a test compares the two.
What every store gets, whichever it is: signed payloads unless the configuration says no; Content-MD5 on every body that
has to arrive whole (uploads, parts, batch deletes), and never the checksum trailers that SDKs send since 2025 and that
R2, B2, Ceph and others refused; no Accept-Encoding in the signature; no `Expect: 100-continue`, which costs a round
trip; parts of one size.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Dialect:
    """hosts: a pattern for the host of the endpoint, with its port if there is one; a group called `region` finds the
    region in it. path_style: the bucket is in the path, not in the host name. region: what to sign with when neither
    the configuration nor the host tells; "" leaves it to AWS_REGION, the profile, and us-east-1. content_md5: sent with
    bodies. concurrency: parts in flight. headers: sent with every request. note: for the documentation."""

    name: str
    hosts: str
    path_style: bool = False
    region: str = "us-east-1"
    content_md5: bool = True
    concurrency: int = 4
    headers: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def region_in(self, host: str) -> str | None:
        """The region that the host of an endpoint tells."""
        match = re.fullmatch(self.hosts, host)
        return match.groupdict().get("region") if match else None


_R = r"(?P<region>[a-z0-9-]+)"

DIALECTS = (
    Dialect("AWS S3", rf"|s3[.-]{_R}\.amazonaws\.com(\.cn)?|.*\.amazonaws\.com(\.cn)?", region=""),
    Dialect("Cloudflare R2", r".*\.r2\.cloudflarestorage\.com", path_style=True, region="auto", concurrency=2),
    Dialect("Backblaze B2", rf"s3\.{_R}\.backblazeb2\.com", path_style=True),
    Dialect(
        "Tigris", r"fly\.storage\.tigris\.dev|t3\.storage\.dev", region="auto", content_md5=False,
        headers={"X-Tigris-Consistent": "true"}, note="reads are asked to be consistent across regions",
    ),
    Dialect("DigitalOcean Spaces", rf"{_R}\.digitaloceanspaces\.com", path_style=True),
    Dialect("Wasabi", rf"s3(\.{_R})?\.wasabisys\.com", path_style=True),
    Dialect("Scaleway", rf"s3\.{_R}\.scw\.cloud", path_style=True),
    Dialect("Hetzner", rf"{_R}\.your-objectstorage\.com", path_style=True),
    Dialect("Google Cloud Storage", r"storage\.googleapis\.com", path_style=True, region="auto", note="HMAC keys"),
    Dialect("Supabase", r".*\.supabase\.co", path_style=True),
    Dialect("Filebase", r"s3\.filebase\.com", path_style=True),
    Dialect("Garage", r".*garage.*|.*:3900", path_style=True, region="garage", note="s3_region of garage.toml"),
    Dialect("others", r".*", path_style=True, note="MinIO, Ceph RGW, SeaweedFS, stores in your own network"),
)  # fmt: skip


def host_of(endpoint: str | None) -> str:
    """Host and port of an endpoint URL in lower case; "" for AWS itself."""
    return urlsplit(endpoint).netloc.lower() if endpoint else ""


def dialect_of(endpoint: str | None) -> Dialect:
    """The first row that matches the host of an endpoint URL; None is AWS itself."""
    host = host_of(endpoint)
    bare = host.partition(":")[0]
    return next(each for each in DIALECTS if re.fullmatch(each.hosts, host) or re.fullmatch(each.hosts, bare))
