"""Where an access key comes from, in which order, and that no text shows it."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import RightsError
from litestreamd.replica.s3.credentials import find_keys
from litestreamd.replica.s3.settings import CustomerKey, S3Settings, StaticKeys

MINE = StaticKeys("id-mine", "secret-mine")


def leave(folder: Path, prefix: str, **values: str) -> dict[str, str]:
    """Credentials as systemd leaves them; out: the environment."""
    for kind, value in values.items():
        (folder / f"{prefix}-{kind.replace('_', '-')}").write_text(f"{value}\n")
    return {"CREDENTIALS_DIRECTORY": str(folder)}


def test_the_configuration_comes_first(tmp_path: Path) -> None:
    environment = leave(tmp_path, "s3", access_key_id="other", secret_access_key="other")
    assert find_keys(S3Settings("b", keys=MINE), "s3", environment) == MINE
    assert find_keys(S3Settings("b", profile="backup"), "s3", environment) is None


def test_systemd_before_the_environment(tmp_path: Path) -> None:
    environment = leave(tmp_path, "s3", access_key_id="a", secret_access_key="b", session_token="c")
    environment |= {"LITESTREAM_ACCESS_KEY_ID": "x", "LITESTREAM_SECRET_ACCESS_KEY": "y"}
    assert find_keys(S3Settings("b"), "s3", environment) == StaticKeys("a", "b", "c")


def test_each_replica_may_have_its_own(tmp_path: Path) -> None:
    leave(tmp_path, "s3", access_key_id="a", secret_access_key="b")
    environment = leave(tmp_path, "far", access_key_id="c", secret_access_key="d")
    assert find_keys(S3Settings("b"), "far", environment) == StaticKeys("c", "d")
    assert find_keys(S3Settings("b"), "near", environment) == StaticKeys("a", "b")


@pytest.mark.parametrize(
    ("kind", "missing"), [("access_key_id", "secret-access-key"), ("secret_access_key", "access-key-id")]
)
def test_half_a_key_is_an_error_that_names_the_other_half(tmp_path: Path, kind: str, missing: str) -> None:
    environment = leave(tmp_path, "far", **{kind: "SEKRET"})
    with pytest.raises(RightsError, match=f"LoadCredential=far-{missing}") as caught:
        find_keys(S3Settings("b"), "far", environment)
    assert "SEKRET" not in str(caught.value)


def test_a_credential_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "s3-access-key-id").mkdir()
    with pytest.raises(RightsError, match="s3-access-key-id cannot be read: Is a directory"):
        find_keys(S3Settings("b"), "s3", {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_litestreams_variables_unless_those_of_aws_are_set() -> None:
    environment = {"LITESTREAM_ACCESS_KEY_ID": "x", "LITESTREAM_SECRET_ACCESS_KEY": "y"}
    assert find_keys(S3Settings("b"), "s3", environment) == StaticKeys("x", "y")
    assert find_keys(S3Settings("b"), "s3", {**environment, "AWS_ACCESS_KEY_ID": "z"}) is None
    assert find_keys(S3Settings("b"), "s3", {}) is None
    with pytest.raises(RightsError, match="LITESTREAM_SECRET_ACCESS_KEY is not set"):
        find_keys(S3Settings("b"), "s3", {"LITESTREAM_ACCESS_KEY_ID": "x"})


def test_no_repr_and_no_url_shows_a_secret() -> None:
    settings = S3Settings(
        "b", "p", "https://e", keys=StaticKeys("KEYID", "SEKRET", "TOKEN"), customer_key=CustomerKey("CUST")
    )
    for text in (repr(settings), str(settings), settings.url, repr(settings.keys)):
        for secret in ("KEYID", "SEKRET", "TOKEN", "CUST"):
            assert secret not in text
