"""The S3 servers of the tests: what each promises is so, and none outlives who started it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.ports import is_free
from tests.support.programs import environment
from tests.support.s3_access import Access
from tests.support.s3_ministack import MiniStack
from tests.support.s3_rclone import Rclone
from tests.support.s3_servers import KINDS, demand, shared
from tests.support.s3_swift import Swift
from tests.support.waiting import until


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    demand(request.param)
    return str(request.param)


def put(client: Any, bucket: str, body: bytes, **more: Any) -> None:
    client.put_object(Bucket=bucket, Key="a/k", Body=body, **more)


def get(client: Any, bucket: str) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key="a/k")["Body"].read())


def refusal(access: Access, bucket: str) -> str:
    """The code with which a listing is refused."""
    with pytest.raises(ClientError) as error:
        access.boto3_client().list_objects_v2(Bucket=bucket)
    return str(error.value.response["Error"]["Code"])


def processes_of(folder: Path) -> list[str]:
    """Everything alive that was started with its home in the folder."""
    mark, found = f"HOME={folder}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_text())
        except OSError:  # gone meanwhile, or a stranger's
            continue
    return found


def test_a_shared_server_serves_and_is_the_same_for_all(kind: str) -> None:
    server = shared(kind)
    assert shared(kind) is server
    client, bucket = server.boto3_client(attempts=3), server.make_bucket()
    put(client, bucket, b"body", Metadata={"m": "v"})
    assert get(client, bucket) == b"body"
    assert [found["Key"] for found in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/k"]
    assert server.make_bucket() != bucket


def test_only_who_has_the_keys_gets_in(kind: str) -> None:
    access = shared(kind).access
    bucket = access.make_bucket()
    assert refusal(access.changed(secret_key="wrong" * 8), bucket) == "SignatureDoesNotMatch"
    # Swift does not tell an unknown key from a wrong secret.
    unknown = "SignatureDoesNotMatch" if kind == Swift.name else "InvalidAccessKeyId"
    assert refusal(access.changed(access_key="AKIA0000000000000000"), bucket) == unknown


def test_who_can_fence(kind: str) -> None:
    """rclone says 200; swift refuses here, and lets several through when they race."""
    server = shared(kind)
    client, bucket = server.boto3_client(), server.make_bucket()
    put(client, bucket, b"first")
    if kind == Rclone.name:
        put(client, bucket, b"second", IfNoneMatch="*")
    else:
        with pytest.raises(ClientError, match="PreconditionFailed"):
            put(client, bucket, b"second", IfNoneMatch="*")
    assert get(client, bucket) == (b"second" if kind == Rclone.name else b"first")
    assert server.atomic_create == (kind in ("ministack", "radosgw"))


def test_tls(kind: str) -> None:
    server = shared(kind, tls=True)
    assert server.endpoint.startswith("https://127.0.0.1:")
    client, bucket = server.boto3_client(), server.make_bucket()
    put(client, bucket, b"body")
    assert get(client, bucket) == b"body"


def test_another_process_is_told_the_access(kind: str) -> None:
    server = shared(kind)
    bucket = server.make_bucket()
    put(server.boto3_client(), bucket, b"body")
    script = (
        "import sys; from tests.support.s3_access import Access\n"
        f"client = Access.from_json(sys.argv[1]).boto3_client()\n"
        f"print(client.list_objects_v2(Bucket={bucket!r})['KeyCount'])"
    )
    command = [sys.executable, "-c", script, server.access.to_json()]
    assert subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout == "1\n"


def test_a_kill_leaves_no_process_and_a_restart_what_was_promised(kind: str, tmp_path: Path) -> None:
    server = KINDS[kind](tmp_path / "server")
    with server:
        client, bucket = server.boto3_client(attempts=3), server.make_bucket()
        put(client, bucket, b"body")
        assert processes_of(server.folder)
        server.restart()
        if server.keeps_data:
            assert get(client, bucket) == b"body"
        else:
            assert refusal(server.access, bucket) == "NoSuchBucket"
    until(lambda: not processes_of(server.folder), "all its processes are gone", 5)
    assert is_free(server.port)


@pytest.fixture
def ministack(tmp_path: Path) -> Iterator[MiniStack]:
    with MiniStack(tmp_path / "server", persist=True) as server:
        yield server


def test_ministack_may_keep_its_objects_and_keeps_its_keys(ministack: MiniStack) -> None:
    client, bucket = ministack.boto3_client(), ministack.make_bucket()
    put(client, bucket, b"body", Metadata={"m": "v"})
    ministack.restart()
    assert client.head_object(Bucket=bucket, Key="a/k")["Metadata"] == {"m": "v"}
    before = ministack.access
    ministack.restart(new_keys=True)
    assert refusal(before, bucket) == "InvalidAccessKeyId"
    assert get(ministack.boto3_client(), bucket) == b"body"


def test_ministack_has_users_who_may_less(ministack: MiniStack) -> None:
    bucket = ministack.make_bucket()
    put(ministack.boto3_client(), bucket, b"body")
    reader = ministack.user("reader", "s3:GetObject", "s3:ListBucket").boto3_client()
    assert get(reader, bucket) == b"body"
    assert reader.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    with pytest.raises(ClientError, match="AccessDenied"):
        put(reader, bucket, b"other")
    assert refusal(ministack.user("nobody", "s3:PutObject"), bucket) == "AccessDenied"


def test_a_server_ends_with_a_process_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.support.s3_rclone import Rclone\n"
        "server = Rclone(Path(sys.argv[1])).start(); print(server.port, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline())
        assert not is_free(port)
        owner.send_signal(signal.SIGKILL)
    until(lambda: is_free(port) and not processes_of(tmp_path), "the server is gone", 5)


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    class Broken(Rclone):
        def launch(self) -> None:
            super().launch()
            self.run("second", ["sh", "-c", "echo I cannot >&2; exit 3"], {})

    with pytest.raises(AssertionError, match="I cannot"):
        Broken(tmp_path).start()
    until(lambda: not processes_of(tmp_path), "all its processes are gone", 5)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.support.s3_rclone.PROGRAM", tmp_path / "rclone")
    assert not Rclone.installed()
    with pytest.raises(AssertionError, match="make servers"):
        demand("rclone")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="radosgw"):
        demand("radosgw")
