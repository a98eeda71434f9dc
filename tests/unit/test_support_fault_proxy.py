"""The proxy that makes trouble: each fault is seen by a client as what it stands for, and by the server as well."""

import io
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from tests.support import network_faults as faults
from tests.support.fault_proxy import FaultProxy
from tests.support.network_faults import Fault
from tests.support.ports import is_free
from tests.support.s3_certificate import self_signed
from tests.support.s3_requests import Operation, Seen
from tests.support.s3_servers import KINDS, shared
from tests.support.waiting import until

BODY = bytes(range(256)) * 4096  # 1 MiB
PUT, GET = Operation.PUT, Operation.GET


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(shared("ministack").access) as proxy:
        yield proxy


@pytest.fixture
def bucket() -> str:
    return shared("ministack").make_bucket()


def put(client: Any, bucket: str, body: bytes = BODY, **more: Any) -> int:
    """Out: the status."""
    return int(client.put_object(Bucket=bucket, Key="k", Body=body, **more)["ResponseMetadata"]["HTTPStatusCode"])


def get(client: Any, bucket: str) -> bytes:
    return bytes(client.get_object(Bucket=bucket, Key="k")["Body"].read())


def stored(bucket: str) -> bytes | None:
    """What the server has, asked without the proxy."""
    try:
        return get(shared("ministack").boto3_client(), bucket)
    except ClientError:
        return None


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_without_faults_everything_passes_on_one_connection(proxy: FaultProxy, bucket: str) -> None:
    client = proxy.boto3_client()
    for size in (0, 1, 4096, 5_000_000):
        body = BODY[:1000] * (size // 1000) + BODY[: size % 1000]
        put(client, bucket, body)
        assert get(client, bucket) == stored(bucket) == body
        client.put_object(Bucket=bucket, Key="k2", Body=io.BytesIO(body))
    assert proxy.connections == 1
    assert proxy.bill() == {PUT: 8, GET: 4}
    last = proxy.requests(GET)[-1]
    assert (last.status, last.server_status, last.up, last.down) == (200, 200, 0, 5_000_000)
    assert (last.bucket, last.key, last.faults) == (bucket, "k", ())
    assert proxy.requests(PUT)[-1].up == 5_000_000


@pytest.mark.parametrize("checksums", ["when_required", "when_supported"])
def test_tls_and_chunked_bodies(checksums: str, bucket: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """boto3 sends a trailer, and so chunks, over TLS only."""
    certificate = self_signed(tmp_path_factory.mktemp("tls"))
    with FaultProxy(shared("ministack").access, certificate=certificate) as proxy:
        client = proxy.boto3_client(request_checksum_calculation=checksums, response_checksum_validation=checksums)
        put(client, bucket)
        assert get(client, bucket) == BODY
        sent = proxy.requests(PUT)[0]
        assert ("transfer-encoding" in sent.headers) == (checksums == "when_supported")
        assert sent.up >= len(BODY)


def test_every_operation_is_known(proxy: FaultProxy, bucket: str) -> None:
    client, key = proxy.boto3_client(), {"Bucket": bucket, "Key": "/a//b c%/ü"}
    put(client, bucket)
    client.copy_object(**key, CopySource=f"{bucket}/k")
    client.head_object(**key)
    client.get_object_tagging(**key)
    upload = {**key, "UploadId": client.create_multipart_upload(**key)["UploadId"]}
    tag = client.upload_part(**upload, PartNumber=1, Body=BODY)["ETag"]
    client.upload_part_copy(**upload, PartNumber=2, CopySource=f"{bucket}/k")
    client.list_parts(**upload)
    client.list_multipart_uploads(Bucket=bucket)
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
    client.abort_multipart_upload(**key, UploadId=client.create_multipart_upload(**key)["UploadId"])
    client.list_objects_v2(Bucket=bucket, Prefix="a")
    client.list_objects(Bucket=bucket)
    client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    client.delete_object(**key)
    client.get_bucket_location(Bucket=bucket)
    client.head_bucket(Bucket=bucket)
    client.list_buckets()
    client.delete_bucket(Bucket=bucket)
    client.create_bucket(Bucket=bucket)
    assert [seen.operation for seen in proxy.requests()] == [
        PUT, Operation.COPY, Operation.HEAD, Operation.OTHER, Operation.MULTIPART_CREATE, Operation.MULTIPART_PART,
        Operation.MULTIPART_COPY, Operation.MULTIPART_PARTS, Operation.MULTIPART_LIST, Operation.MULTIPART_COMPLETE,
        Operation.MULTIPART_CREATE, Operation.MULTIPART_ABORT, Operation.LIST, Operation.LIST_OLD,
        Operation.DELETE_BATCH, Operation.DELETE, Operation.OTHER, Operation.HEAD_BUCKET, Operation.LIST_BUCKETS,
        Operation.DELETE_BUCKET, Operation.CREATE_BUCKET,
    ]  # fmt: skip
    assert proxy.requests(Operation.COPY)[0].key == key["Key"]


@pytest.mark.parametrize(
    "fault",
    [
        faults.SLOW_DOWN, faults.INTERNAL_ERROR, faults.ACCESS_DENIED, faults.UNKNOWN_KEY, faults.WRONG_SECRET,
        faults.SKEWED, faults.NO_BUCKET, faults.Status(400), faults.Status(429, "TooManyRequests"),
    ],
    ids=lambda fault: fault.s3_code,
)  # fmt: skip
def test_errors_in_words_of_s3(proxy: FaultProxy, bucket: str, fault: faults.Status) -> None:
    proxy.add(fault)
    client = proxy.boto3_client()
    for call in (lambda: put(client, bucket), lambda: client.list_objects_v2(Bucket=bucket)):
        with pytest.raises(ClientError) as error:
            call()
        assert (code(error), error.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (
            fault.s3_code,
            fault.status,
        )
    with pytest.raises(ClientError):
        client.head_object(Bucket=bucket, Key="k")
    seen = {(seen.status, seen.server_status, seen.deliveries) for seen in proxy.requests()}
    assert seen == {(fault.status, 0, 0)}
    # One each, but that boto3 asks a bucket that says 400 to HEAD for its region.
    assert len(proxy.requests()) == 3 + (fault.status == 400)
    assert not proxy.bill()
    proxy.clear()
    assert put(client, bucket) == 200


def test_a_retry_gets_through(proxy: FaultProxy, bucket: str) -> None:
    proxy.add(faults.SLOW_DOWN, operation=PUT, times=1)
    put(proxy.boto3_client(attempts=2), bucket)
    assert [seen.status for seen in proxy.requests()] == [503, 200]
    assert proxy.bill() == {PUT: 1}


def test_rules_choose(proxy: FaultProxy, bucket: str) -> None:
    proxy.add(faults.ACCESS_DENIED, method="GET|HEAD", path="/k[?]?$", skip=1, times=1)
    client = proxy.boto3_client()
    put(client, bucket)
    get(client, bucket)
    with pytest.raises(ClientError):
        get(client, bucket)
    get(client, bucket)
    client.list_objects_v2(Bucket=bucket)
    assert [seen.faults for seen in proxy.requests()] == [(), (), ("Status",), (), ()]


def test_a_function_chooses(proxy: FaultProxy, bucket: str) -> None:
    def choose(seen: Seen) -> list[Fault]:
        return [faults.NO_BUCKET] if "range" in seen.headers else []

    proxy.choose = choose
    client = proxy.boto3_client()
    put(client, bucket)
    with pytest.raises(ClientError, match="NoSuchBucket"):
        client.get_object(Bucket=bucket, Key="k", Range="bytes=0-1")


@pytest.mark.parametrize(
    ("fault", "least_s"),
    [
        (faults.Latency(0.2), 0.2),
        (faults.Bandwidth(up=4e6), 0.25),
        (faults.Bandwidth(down=4e6), 0.25),
        (faults.Trickle(piece=8192, every_s=0.002), 0.25),
    ],
    ids=lambda value: type(value).__name__,
)
def test_slowness(proxy: FaultProxy, bucket: str, fault: Fault, least_s: float) -> None:
    proxy.add(fault)
    client = proxy.boto3_client(read_timeout=2)
    start = time.monotonic()
    put(client, bucket)
    assert get(client, bucket) == BODY
    assert least_s <= time.monotonic() - start < least_s + 3


def test_a_trickle_keeps_timeouts_away(proxy: FaultProxy, bucket: str) -> None:
    proxy.add(faults.Trickle(piece=20, every_s=0.05))
    start = time.monotonic()
    assert put(proxy.boto3_client(read_timeout=0.3), bucket, b"x") == 200
    assert time.monotonic() - start > 0.6


@pytest.mark.parametrize(
    "fault",
    [
        faults.Refuse(),
        faults.ResetBefore(),
        faults.ResetInUpload(0),
        faults.ResetInUpload(1000),
        faults.ResetInUpload(1 << 30),
    ],
    ids=str,
)
@pytest.mark.parametrize("body", [BODY, b"x", b""], ids=len)
def test_the_server_never_gets_the_request(proxy: FaultProxy, bucket: str, fault: Fault, body: bytes) -> None:
    proxy.add(fault, operation=PUT, times=1)
    client = proxy.boto3_client()
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        put(client, bucket, body)
    (seen,) = proxy.requests()
    assert (seen.status, seen.server_status, seen.deliveries) == (0, 0, 0)
    assert stored(bucket) is None
    assert put(client, bucket, body) == 200


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("body", [BODY * 8, b"x"], ids=len)
def test_a_refusal_by_the_server_itself_passes(kind: str, body: bytes) -> None:
    """Some ask for the body first, some close, radosgw does neither."""
    server = shared(kind)
    bucket = server.make_bucket()
    with FaultProxy(server.access) as proxy:
        stranger = proxy.access.changed(secret_key="wrong" * 8).boto3_client()
        for _ in range(3):
            with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
                put(stranger, bucket, body)
        client = proxy.boto3_client(attempts=2)
        put(client, bucket, body)
        assert get(client, bucket) == body


def test_an_answer_that_is_lost(proxy: FaultProxy, bucket: str) -> None:
    proxy.add(faults.LoseResponse(), operation=PUT)
    with pytest.raises(ConnectionClosedError):
        put(proxy.boto3_client(), bucket)
    assert stored(bucket) == BODY
    (seen,) = proxy.requests()
    assert (seen.status, seen.server_status, seen.deliveries) == (0, 200, 1)


def test_a_retry_after_a_lost_answer_meets_its_own_object(proxy: FaultProxy, bucket: str) -> None:
    proxy.add(faults.LoseResponse(), operation=PUT, times=1)
    with pytest.raises(ClientError) as error:
        put(proxy.boto3_client(attempts=2), bucket, IfNoneMatch="*")
    assert code(error) == "PreconditionFailed"
    assert stored(bucket) == BODY
    assert proxy.bill() == {PUT: 2}


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("after", [0, 1000, 1 << 30])
def test_an_answer_that_breaks_off(proxy: FaultProxy, bucket: str, after: int, reset: bool) -> None:
    proxy.add(faults.CutResponse(after, reset), operation=GET, times=1)
    client = proxy.boto3_client()
    put(client, bucket)
    answer, got, sent = client.get_object(Bucket=bucket, Key="k")["Body"], b"", min(after, len(BODY) - 1)
    with pytest.raises((ResponseStreamingError, IncompleteReadError)):
        for chunk in answer.iter_chunks(100):
            got += chunk
    assert sent - 100 < len(got) <= sent
    assert proxy.requests(GET)[0].down == sent
    assert get(client, bucket) == BODY


def test_a_bit_that_turns_on_the_way_down(proxy: FaultProxy, bucket: str) -> None:
    put(shared("ministack").boto3_client(request_checksum_calculation="when_supported"), bucket)
    proxy.add(faults.Corrupt(at=300_000), operation=GET)
    got = get(proxy.boto3_client(), bucket)
    assert [index for index in range(len(BODY)) if got[index] != BODY[index]] == [300_000]
    with pytest.raises(FlexibleChecksumError):
        get(proxy.boto3_client(response_checksum_validation="when_supported"), bucket)


def test_a_bit_that_turns_on_the_way_up(proxy: FaultProxy, bucket: str) -> None:
    proxy.add(faults.Corrupt(at=1 << 30, upload=True), operation=PUT)
    put(proxy.boto3_client(), bucket)
    assert stored(bucket) == BODY[:-1] + bytes([BODY[-1] ^ 1])
    with pytest.raises(ClientError) as error:
        put(proxy.boto3_client(request_checksum_calculation="when_supported"), bucket)
    assert code(error) in ("BadDigest", "XAmzContentChecksumMismatch")


@pytest.mark.parametrize(("where", "there"), [("request", False), ("response", True), ("body", True)])
def test_silence(proxy: FaultProxy, bucket: str, where: Any, there: bool) -> None:
    """A client that loses patience does not know whether it was done; what hangs before the server is done later."""
    operation = GET if where == "body" else PUT
    proxy.add(faults.Hang(where, after=1000), operation=operation, times=1)
    client = proxy.boto3_client(read_timeout=0.2)
    with pytest.raises((ReadTimeoutError, ResponseStreamingError)):
        put(client, bucket)
        get(client, bucket)
    assert (stored(bucket) is not None) == there
    assert proxy.hanging == 1
    proxy.release()
    until(lambda: stored(bucket) == BODY, "the object is there")
    until(lambda: proxy.hanging == 0, "nothing hangs")


def test_who_waits_gets_the_answer_after_the_release(proxy: FaultProxy, bucket: str) -> None:
    for where in ("request", "response"):
        proxy.add(faults.Hang(where), operation=PUT, times=1)
        statuses: list[int] = []
        thread = threading.Thread(target=lambda into=statuses: into.append(put(proxy.boto3_client(), bucket)))
        thread.start()
        until(lambda: proxy.hanging == 1, "it hangs")
        proxy.clear()
        thread.join()
        assert statuses == [200]


@pytest.mark.parametrize(("answer", "status"), [(1, 200), (2, 412)])
def test_a_request_that_arrives_twice(proxy: FaultProxy, bucket: str, answer: Any, status: int) -> None:
    proxy.add(faults.Twice(answer), operation=PUT)
    client = proxy.boto3_client()
    with suppress(ClientError):
        put(client, bucket, IfNoneMatch="*")
    (seen,) = proxy.requests()
    assert (seen.status, seen.deliveries, seen.up) == (status, 2, len(BODY))
    assert proxy.bill() == {PUT: 2}
    proxy.clear()
    assert get(client, bucket) == BODY
    proxy.add(faults.Twice(answer), operation=GET)
    assert get(client, bucket) == BODY


def test_a_server_that_goes_and_comes_back(proxy: FaultProxy, bucket: str) -> None:
    client = proxy.boto3_client()
    put(client, bucket)
    proxy.down()
    for _ in range(3):
        with pytest.raises(EndpointConnectionError):
            get(client, bucket)
    proxy.up()
    assert get(client, bucket) == BODY
    proxy.refusing = True
    with pytest.raises(ConnectionClosedError):
        get(proxy.boto3_client(), bucket)
    proxy.refusing = False
    assert get(proxy.boto3_client(), bucket) == BODY


def test_faults_of_different_kinds_go_together(proxy: FaultProxy, bucket: str) -> None:
    proxy.add(faults.Latency(0.1))
    proxy.add(faults.SLOW_DOWN)
    start = time.monotonic()
    with pytest.raises(ClientError, match="SlowDown"):
        put(proxy.boto3_client(), bucket)
    assert time.monotonic() - start >= 0.1
    assert proxy.requests()[0].faults == ("Latency", "Status")


def test_nothing_is_left_and_mistakes_come_out(bucket: str) -> None:
    def choose(seen: Seen) -> list[Fault]:
        raise ZeroDivisionError

    proxy = FaultProxy(shared("ministack").access).start()
    client = proxy.boto3_client()
    proxy.choose = choose
    with pytest.raises(ConnectionClosedError):
        put(client, bucket)
    with pytest.raises(ZeroDivisionError):
        proxy.stop()
    assert is_free(proxy.port)
    assert not [thread for thread in threading.enumerate() if thread.name == "fault-proxy"]
