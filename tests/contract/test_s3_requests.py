"""What an S3 replica asks of the store: how often, in which way, and what it does with answers that are not true."""

import json
import random
from base64 import b64encode
from collections.abc import Callable, Iterator

import pytest

from litestreamd.basics.errors import ObjectMissing, RightsError, StoreError, StoreMissing, StoreRefuses
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import Created, Fence
from litestreamd.replica.s3.bucket import Bucket
from litestreamd.replica.s3.client import Timeouts
from litestreamd.replica.s3.habits import Habits, known_habits
from litestreamd.replica.s3.proof import Item, Piece, Proof
from litestreamd.replica.s3.replica import S3Replica
from litestreamd.replica.s3.settings import CustomerKey
from litestreamd.replica.writers import Writer, check_still_highest, open_epoch
from tests.contract.buckets import MiniStackPlace
from tests.contract.places import PLACES
from tests.support.fault_proxy import FaultProxy
from tests.support.network_faults import (
    ACCESS_DENIED,
    SKEWED,
    SLOW_DOWN,
    Corrupt,
    CutResponse,
    Hang,
    Lie,
    LoseResponse,
    Status,
    Trickle,
)
from tests.support.s3_requests import Operation
from tests.support.s3_servers import shared

NAME, TIME_MS = ObjectName(0, 7, 7), 1_750_000_000_850
SHORT = Timeouts(connect_s=1.0, read_s=0.5, whole_s=1.0)
LARGE = 20 << 20


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(shared("ministack").access) as found:
        yield found


@pytest.fixture
def place(proxy: FaultProxy) -> MiniStackPlace:
    found = MiniStackPlace("")
    found.access = proxy.access
    return found


@pytest.fixture
def replica(place: MiniStackPlace, proxy: FaultProxy) -> S3Replica:
    """Without the wrapper, and with the store's habits known already."""
    found = S3Replica(place.settings(), "s3", timeouts=SHORT)
    found.create(ObjectName(8, 1, 1), [b"x"], TIME_MS)
    proxy.forget()
    return found


def body(size: int) -> Iterator[bytes]:
    chance = random.Random(size)
    return (chance.randbytes(min(1 << 20, size - at)) for at in range(0, size, 1 << 20))


def test_the_metadata_is_litestreams(replica: S3Replica, place: MiniStackPlace) -> None:
    """RFC 3339 without trailing zeros, and a plain content type (FORMATS A.2)."""
    for name, time_ms, text in (
        (NAME, TIME_MS, "2025-06-15T15:06:40.85Z"),
        (ObjectName(0, 8, 8), 1_750_000_000_000, "2025-06-15T15:06:40Z"),
    ):
        replica.create(name, [b"x"], time_ms)
        head = place.client.head_object(Bucket=place.bucket, Key=f"{place.path}/0000/{name.file_name}")
        assert head["Metadata"] == {"litestream-timestamp": text}
        assert head["ContentType"] == "application/octet-stream"


def test_a_small_object_is_one_request(replica: S3Replica, proxy: FaultProxy) -> None:
    replica.create(NAME, [b"x" * 4096], TIME_MS)
    (seen,) = proxy.requests()
    assert seen.operation is Operation.PUT
    assert seen.headers["if-none-match"] == "*"
    assert seen.headers["content-length"] == "4096"
    assert "content-md5" in seen.headers
    assert "expect" not in seen.headers
    assert not [name for name in seen.headers if name.startswith(("x-amz-checksum", "x-amz-trailer", "x-amz-sdk"))]
    signed = seen.headers["authorization"]
    assert "accept-encoding" not in signed
    assert len(seen.headers["x-amz-content-sha256"]) == 64


def test_parts_are_only_for_large_objects_and_have_one_size(replica: S3Replica, proxy: FaultProxy) -> None:
    replica.create(NAME, body(8 << 20), TIME_MS)
    assert proxy.bill() == {Operation.PUT: 1}
    proxy.forget()
    replica.create(ObjectName(9, 1, 7), body(LARGE), TIME_MS)
    counts = proxy.bill()
    assert counts[Operation.MULTIPART_PART] == 4
    assert counts[Operation.MULTIPART_CREATE] == counts[Operation.MULTIPART_COMPLETE] == 1
    assert counts[Operation.HEAD] == 2  # is the name free; is the size right
    parts = sorted(seen.up for seen in proxy.requests(Operation.MULTIPART_PART))
    assert parts == [5 << 20] * 4


def test_parts_grow_with_what_may_come(replica: S3Replica, proxy: FaultProxy) -> None:
    """Ten thousand are allowed, and all but the last have to be of one size."""
    replica.create(ObjectName(9, 1, 7), body(LARGE), TIME_MS, most=95 << 30)
    assert max(seen.up for seen in proxy.requests(Operation.MULTIPART_PART)) == 10 << 20


def test_a_failed_upload_is_aborted(replica: S3Replica, place: MiniStackPlace) -> None:
    def broken() -> Iterator[bytes]:
        yield from body(LARGE)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replica.create(ObjectName(9, 1, 7), broken(), TIME_MS)
    assert "Uploads" not in place.client.list_multipart_uploads(Bucket=place.bucket, Prefix=place.path)


def test_uploads_that_a_crash_left_are_cleared(replica: S3Replica, place: MiniStackPlace) -> None:
    client, elsewhere = place.client, f"{place.path}-other/x"
    for key in (f"{place.path}/0009/a.ltx", f"{place.path}/0001/b.ltx", elsewhere):
        client.create_multipart_upload(Bucket=place.bucket, Key=key)
    replica.clear_unfinished()
    left = client.list_multipart_uploads(Bucket=place.bucket, Prefix=place.path.partition("/")[0])["Uploads"]
    assert [upload["Key"] for upload in left] == [elsewhere]


def test_a_look_at_the_writers_is_no_listing(replica: S3Replica, proxy: FaultProxy) -> None:
    number = open_epoch(replica, Writer(1, "m", "h", "i", 0, 0))
    proxy.forget()
    check_still_highest(replica, number)
    assert proxy.bill() == {Operation.HEAD: 2}


def test_deletions_go_together_with_their_digest(replica: S3Replica, proxy: FaultProxy) -> None:
    names = [ObjectName(0, txid, txid) for txid in range(1, 2101)]
    replica.delete(names)
    batches = proxy.requests(Operation.DELETE_BATCH)
    assert len(batches) == 3
    assert all("content-md5" in seen.headers for seen in batches)
    assert proxy.bill()[Operation.HEAD] == 1  # a sample, of the first batch


DELETED = b'<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'


def test_a_store_that_keeps_what_it_has_deleted_is_found_out(replica: S3Replica, proxy: FaultProxy) -> None:
    """As R2 did: the batch is answered with 200, and nothing happens. One by one it works."""
    names = [ObjectName(0, txid, txid) for txid in range(1, 4)]
    for name in names:
        replica.create(name, [b"x"], TIME_MS)
    proxy.add(Lie(DELETED), operation=Operation.DELETE_BATCH)
    replica.delete(names)
    assert list(replica.list(0)) == []
    proxy.forget()
    replica.delete(names)
    assert proxy.bill()[Operation.DELETE_BATCH] == 0


def test_a_store_that_never_deletes_is_an_error(replica: S3Replica, proxy: FaultProxy) -> None:
    replica.create(NAME, [b"x"], TIME_MS)
    proxy.add(Lie(), method="DELETE")
    with pytest.raises(StoreError, match="says that it has deleted"):
        replica.delete([NAME])


def test_a_store_without_batches_gets_single_deletions(replica: S3Replica, proxy: FaultProxy) -> None:
    names = [ObjectName(0, txid, txid) for txid in range(1, 4)]
    for name in names:
        replica.create(name, [b"x"], TIME_MS)
    proxy.add(Status(501, "NotImplemented"), operation=Operation.DELETE_BATCH)
    replica.delete(names)
    assert list(replica.list(0)) == []


def test_a_body_that_changes_on_its_way_is_never_stored(replica: S3Replica, proxy: FaultProxy) -> None:
    proxy.add(Corrupt(100, upload=True), operation=Operation.PUT, times=1)
    with pytest.raises(StoreError):
        replica.create(NAME, [b"x" * 4096], TIME_MS)
    assert replica.find(NAME) is None
    proxy.add(Corrupt(100, upload=True), operation=Operation.MULTIPART_PART, times=1)
    assert replica.create(ObjectName(9, 1, 7), body(LARGE), TIME_MS) is Created.CREATED  # the part went again
    assert b"".join(replica.open(ObjectName(9, 1, 7))) == b"".join(body(LARGE))


def test_what_the_store_has_and_was_not_sent_is_removed(replica: S3Replica, place: MiniStackPlace) -> None:
    """A store whose tags are no digests: what is read back decides."""
    bucket = Bucket(place.settings(), "s3")
    proof = Proof(bucket)
    for size, data in ((6, b"stored"), (6, b"sstore"), (9, b"stored")):
        key = f"{place.path}/0000/x"
        place.client.put_object(Bucket=place.bucket, Key=key, Body=b"stored")
        item, sent = Item(key, "0", {}), [Piece.of(data[:3]), Piece.of(data[3:])]
        sent = [*sent, Piece.of(b"...")] if size == 9 else sent
        if data == b"stored" and size == 6:
            proof.check(item, sent, agreed=False, verified=False)
            assert bucket.has(key)
            continue
        with pytest.raises(StoreError, match="other bytes"):
            proof.check(item, sent, agreed=False, verified=False)
        assert not bucket.has(key)


def test_what_the_store_has_verified_is_read_back_now_and_then(
    replica: S3Replica, place: MiniStackPlace, proxy: FaultProxy
) -> None:
    proof, key = Proof(Bucket(place.settings(), "s3")), f"{place.path}/0000/x"
    place.client.put_object(Bucket=place.bucket, Key=key, Body=b"stored")
    proxy.forget()
    for _ in range(65):
        proof.check(Item(key, "0", {}), [Piece.of(b"stored")], agreed=False, verified=True)
    assert proxy.bill() == {Operation.HEAD: 65, Operation.GET: 2}


def test_an_answer_that_was_lost_is_no_second_writer(replica: S3Replica, proxy: FaultProxy) -> None:
    proxy.add(LoseResponse(), operation=Operation.PUT, times=1)
    with pytest.raises(StoreError):
        replica.create(NAME, [b"x"], TIME_MS)
    assert replica.create(NAME, [b"x"], TIME_MS) is Created.EXISTS
    proxy.add(LoseResponse(), operation=Operation.MULTIPART_COMPLETE, times=1)
    large = ObjectName(9, 1, 7)
    # Stores that answer the same end of an upload twice, as AWS does, say "created".
    assert replica.create(large, body(LARGE), TIME_MS) in Created
    assert b"".join(replica.open(large)) == b"".join(body(LARGE))


@pytest.mark.parametrize("fault", [Trickle(1, 0.05), Hang("response"), Hang("body", 3), Hang("request")])
def test_a_request_that_hangs_is_cut(replica: S3Replica, proxy: FaultProxy, fault: object) -> None:
    """Also when a byte comes now and then: then no time-out of a socket ends it."""
    replica.create(NAME, [b"x" * 400_000], TIME_MS)
    proxy.add(fault)  # type: ignore[arg-type]
    deeds: list[Callable[[], object]] = [
        lambda: replica.read_at(NAME, 0, 400_000),
        lambda: list(replica.list()),
        replica.list_notes,
    ]
    if fault != Hang("body", 3):  # the answer to a PUT has no body
        deeds.append(lambda: replica.create(ObjectName(0, 8, 8), [b"y" * 1000], TIME_MS))
    for deed in deeds:
        with pytest.raises(StoreError):
            deed()
    proxy.clear()
    assert len(replica.read_at(NAME, 0, 400_000)) == 400_000


@pytest.mark.parametrize("after", [0, 1, 150, 300])
def test_half_an_answer_is_none(replica: S3Replica, proxy: FaultProxy, after: int) -> None:
    replica.create(NAME, [b"x" * 400_000], TIME_MS)
    proxy.add(CutResponse(after))
    for deed in (
        lambda: replica.read_at(NAME, 0, 400_000),
        lambda: list(replica.list()),
        lambda: replica.list_notes("writers/"),
    ):
        with pytest.raises(StoreError):
            deed()


def test_what_somebody_has_to_mend_is_told_apart(replica: S3Replica, proxy: FaultProxy) -> None:
    for fault, kind in ((ACCESS_DENIED, RightsError), (SKEWED, StoreRefuses), (SLOW_DOWN, StoreError)):
        proxy.add(fault)
        with pytest.raises(kind) as caught:
            list(replica.list())
        assert caught.value.retry is (kind is StoreError)
        proxy.clear()


def test_a_missing_object_and_the_end_of_one(replica: S3Replica) -> None:
    replica.create(NAME, [b"abc"], TIME_MS)
    assert replica.read_at(NAME, 3, 5) == b""
    assert replica.read_at(NAME, 9, 5) == b""
    with pytest.raises(ObjectMissing):
        replica.read_at(ObjectName(0, 9, 9), 0, 1)


@pytest.mark.parametrize(("kind", "small", "large", "md5"), [
    ("ministack", True, True, True),
    ("radosgw", True, False, True),
    ("swift", False, True, True),
    ("rclone", False, False, True),
])  # fmt: skip
def test_what_each_server_is_found_to_do(kind: str, small: bool, large: bool, md5: bool) -> None:
    """As the matrix of tests by hand has it."""
    place = PLACES[f"s3-{kind}"]("")  # type: ignore[call-arg]
    replica = place.replica()
    replica.create(NAME, [b"x"], TIME_MS)
    assert replica.fence is (Fence.STRONG if small and large else Fence.WEAK)
    assert known_habits(Bucket(place.settings(), "s3")) == Habits(small, large, md5)  # type: ignore[attr-defined]


CUSTOMER_KEY = CustomerKey(b64encode(bytes(range(32))).decode())


@pytest.mark.parametrize("kind", ["ministack", "radosgw", "swift", "rclone"])
def test_the_same_over_tls(kind: str) -> None:
    """Where newer SDKs would send checksum trailers, which three of these refuse."""
    server = shared(kind, tls=True)
    place = PLACES[f"s3-{kind}"](
        json.dumps({"access": server.access.to_json(), "bucket": server.make_bucket(), "path": "p"})
    )  # type: ignore[call-arg]
    replica = place.replica()
    for name, size in ((NAME, 1000), (ObjectName(9, 1, 7), LARGE)):
        assert replica.create(name, body(size), TIME_MS) is Created.CREATED
        assert b"".join(replica.open(name)) == b"".join(body(size))
    replica.delete([NAME, ObjectName(0, 8, 8)])
    assert [stored.name.level for stored in replica.list()] == [9]
    with pytest.raises(StoreRefuses, match="ca-bundle"):
        list(S3Replica(place.settings(ca_bundle=None), "s3").list())  # type: ignore[attr-defined]
    assert list(S3Replica(place.settings(ca_bundle=None, skip_verify=True), "s3").list())  # type: ignore[attr-defined]


def test_objects_that_only_our_key_opens(proxy: FaultProxy, place: MiniStackPlace) -> None:
    """SSE-C: the key and its digest go along with every request that needs them."""
    replica = S3Replica(place.settings(customer_key=CUSTOMER_KEY), "s3")
    for name, size in ((NAME, 1000), (ObjectName(9, 1, 7), LARGE)):
        assert replica.create(name, body(size), TIME_MS) is Created.CREATED
        assert b"".join(replica.open(name)) == b"".join(body(size))
    sent = [seen for seen in proxy.requests() if place.path + "/00" in seen.target and seen.method in ("PUT", "GET")]
    header = "x-amz-server-side-encryption-customer-key"
    keyed = [seen for seen in sent if "list-type" not in seen.target]
    assert keyed
    assert all(seen.headers[header] == CUSTOMER_KEY.key and seen.headers[f"{header}-md5"] for seen in keyed)


def test_storage_class_and_kms_key_are_asked_for(proxy: FaultProxy, place: MiniStackPlace) -> None:
    replica = S3Replica(place.settings(storage_class="STANDARD_IA", sse_kms_key_id="a-key"), "s3")
    replica.create(NAME, [b"x"], TIME_MS)
    (seen,) = [seen for seen in proxy.requests(Operation.PUT) if "/0000/" in seen.target]
    assert seen.headers["x-amz-storage-class"] == "STANDARD_IA"
    assert seen.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert seen.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "a-key"


def test_a_bucket_that_is_gone_is_no_missing_object(place: MiniStackPlace) -> None:
    """Both are answered with 404."""
    lost = S3Replica(place.settings(bucket="nobody-has-made-this"), "s3")
    for deed in (lambda: lost.read_at(NAME, 0, 1), lambda: lost.delete([NAME]), lambda: lost.create(NAME, [b"x"], 1)):
        with pytest.raises(StoreMissing, match="the bucket does not exist"):
            deed()
