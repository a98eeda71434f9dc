"""Credentials from every source open a real server, a rotated key needs no restart, and a missing right is said."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import boto3
import pytest

from litestreamd.basics.errors import RightsError
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import Created
from litestreamd.replica.s3 import client
from litestreamd.replica.s3.replica import S3Replica
from litestreamd.replica.s3.settings import S3Settings
from tests.support.s3_access import Access
from tests.support.s3_ministack import MiniStack

NAME = ObjectName(0, 1, 1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    with MiniStack(tmp_path_factory.mktemp("server"), persist=True) as found:
        yield found


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of this machine, and no client of another test."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "CREDENTIALS_DIRECTORY", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setattr(client, "_clients", {})


@pytest.fixture
def bucket(server: MiniStack) -> str:
    return server.make_bucket("keys")


def replica(server: MiniStack, bucket: str, **changed: object) -> S3Replica:
    return S3Replica(S3Settings(bucket, "app", server.endpoint, **changed), "far")  # type: ignore[arg-type]


def leave(folder: Path, access: Access, name: str = "far") -> None:
    """What LoadCredential= leaves."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}-access-key-id").write_text(access.access_key)
    (folder / f"{name}-secret-access-key").write_text(access.secret_key + "\n")


def test_a_rotated_key_needs_no_restart(
    server: MiniStack, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "given"))
    leave(tmp_path / "given", server.access)
    running = replica(server, bucket)
    assert running.create(NAME, [b"x"], 1) is Created.CREATED
    server.restart(new_keys=True)
    with pytest.raises(RightsError, match="access key"):
        running.create(ObjectName(0, 2, 2), [b"x"], 1)
    leave(tmp_path / "given", server.access)
    assert running.create(ObjectName(0, 2, 2), [b"x"], 1) is Created.CREATED
    server.restart(new_keys=True)
    leave(tmp_path / "given", server.access)
    # Rotated with care: the new one is there before the old one is refused. Nobody notices.
    monkeypatch.setattr("litestreamd.replica.s3.bucket._RENEW_S", 0.0)
    assert running.create(ObjectName(0, 3, 3), [b"x"], 1) is Created.CREATED


def test_variables_of_aws(server: MiniStack, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    assert list(replica(server, bucket).list()) == []


def test_variables_of_litestream(server: MiniStack, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITESTREAM_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("LITESTREAM_SECRET_ACCESS_KEY", server.secret_key)
    assert list(replica(server, bucket).list()) == []


def test_a_profile_of_the_credentials_file(server: MiniStack, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text(
        f"[backup]\naws_access_key_id = {server.access_key}\naws_secret_access_key = {server.secret_key}\n"
    )
    assert list(replica(server, bucket, profile="backup").list()) == []
    with pytest.raises(RightsError, match="no usable credentials"):
        list(replica(server, bucket, profile="other").list())


def test_a_credential_process(server: MiniStack, bucket: str, tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    told.write_text(json.dumps({"Version": 1, "AccessKeyId": server.access_key, "SecretAccessKey": server.secret_key}))
    command = f"{sys.executable} -c 'print(open(\"{told}\").read())'"
    (tmp_path / "config").write_text(f"[profile backup]\ncredential_process = {command}\n")
    assert list(replica(server, bucket, profile="backup").list()) == []


class Role(BaseHTTPRequestHandler):
    """What a container asks for the credentials of its role."""

    told = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.told)))
        self.end_headers()
        self.wfile.write(self.told)

    def log_message(self, *_: object) -> None:
        pass


def test_the_role_of_a_container(server: MiniStack, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
    tokens = boto3.client("sts", endpoint_url=server.endpoint, region_name="us-east-1", **keys)
    given = tokens.get_session_token()["Credentials"]
    access = {name: given[name] for name in ("AccessKeyId", "SecretAccessKey")} | {"Token": given["SessionToken"]}
    Role.told = json.dumps({**access, "Expiration": "2099-01-01T00:00:00Z", "RoleArn": "arn"}).encode()
    with HTTPServer(("127.0.0.1", 0), Role) as roles:
        thread = threading.Thread(target=roles.serve_forever)
        thread.start()
        try:
            monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{roles.server_port}/role")
            assert list(replica(server, bucket).list()) == []
        finally:
            roles.shutdown()
            thread.join()


def test_no_credentials_at_all_are_one_clear_line(server: MiniStack, bucket: str) -> None:
    with pytest.raises(RightsError, match="no usable credentials"):
        list(replica(server, bucket).list())


def test_a_right_that_is_missing_is_named(server: MiniStack, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = server.user(f"reader-{bucket}", "s3:ListBucket", "s3:GetObject")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", reader.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", reader.secret_key)
    limited = replica(server, bucket)
    assert list(limited.list()) == []
    with pytest.raises(RightsError, match="s3:PutObject"):
        limited.create(NAME, [b"x"], 1)


def test_replicas_of_one_endpoint_and_key_share_a_client(server: MiniStack, bucket: str) -> None:
    keys = {"keys": client.StaticKeys(server.access_key, server.secret_key)}
    for name in ("a", "b"):
        list(S3Replica(S3Settings(bucket, name, server.endpoint, **keys), name).list())
    assert len(client._clients) == 1
    for secret in (server.access_key, server.secret_key):
        assert secret not in repr(client._clients)
