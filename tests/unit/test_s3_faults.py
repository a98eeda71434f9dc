"""What goes wrong with a store is told in one sentence, in the class that says whether waiting helps."""

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from litestreamd.basics.errors import (
    ExitCode,
    LitestreamdError,
    RightsError,
    StoreError,
    StoreMissing,
    StoreRefuses,
)
from litestreamd.replica.s3.faults import store_fault

PLACE = "s3://bucket/app"


def answered(code: str, status: int, message: str = "") -> LitestreamdError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return store_fault(ClientError(response, "PutObject"), PLACE)  # type: ignore[arg-type]


PASSING = [("SlowDown", 503), ("InternalError", 500), ("", 502), ("Weird", 504), ("RequestTimeout", 400), ("", 429),
           ("ConditionalRequestConflict", 409), ("BadDigest", 400), ("OperationAborted", 409)]  # fmt: skip
LASTING = [
    ("AccessDenied", 403, RightsError, "s3:PutObject"),
    ("InvalidAccessKeyId", 403, RightsError, "does not know this access key"),
    ("SignatureDoesNotMatch", 403, RightsError, "secret access key"),
    ("ExpiredToken", 400, RightsError, "expired"),
    ("403", 403, RightsError, "access is denied"),
    ("Strange", 403, RightsError, "Strange"),
    ("NoSuchBucket", 404, StoreMissing, "the bucket does not exist"),
    ("RequestTimeTooSkewed", 403, StoreRefuses, "timedatectl"),
    ("AuthorizationHeaderMalformed", 400, StoreRefuses, "region"),
    ("PermanentRedirect", 301, StoreRefuses, "endpoint"),
    ("NotImplemented", 501, StoreRefuses, "NotImplemented"),
    ("InvalidArgument", 400, StoreRefuses, "InvalidArgument"),
]


@pytest.mark.parametrize(("code", "status"), PASSING)
def test_what_passes_is_worth_another_try(code: str, status: int) -> None:
    error = answered(code, status, "please wait")
    assert type(error) is StoreError
    assert error.retry


@pytest.mark.parametrize(("code", "status", "kind", "text"), LASTING)
def test_what_stays_is_for_somebody_to_mend(code: str, status: int, kind: type, text: str) -> None:
    error = answered(code, status)
    assert type(error) is kind
    assert not error.retry
    assert str(error).startswith(f"{PLACE}: ")
    assert text in str(error)
    assert "\n" not in str(error)


def test_exit_codes() -> None:
    assert answered("AccessDenied", 403).exit_code is ExitCode.RIGHTS
    assert answered("SlowDown", 503).exit_code is ExitCode.UNREACHABLE
    assert answered("RequestTimeTooSkewed", 403).exit_code is ExitCode.UNREACHABLE


REFUSED = "HTTPConnection: Failed to establish a new connection: [Errno 111] Connection refused'))"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="http://x", error=REFUSED), "no connection"),
        (exceptions.ConnectTimeoutError(endpoint_url="http://x"), "no connection in time"),
        (exceptions.ReadTimeoutError(endpoint_url="http://x"), "no answer in time"),
        (exceptions.ConnectionClosedError(endpoint_url="http://x"), "closed the connection"),
        (exceptions.IncompleteReadError(actual_bytes=1, expected_bytes=2), "broke off"),
        (ConnectionResetError(104, "Connection reset by peer"), "(Connection reset by peer)"),
        (exceptions.CredentialRetrievalError(provider="process", error_msg="x"), "could not be fetched"),
    ],
)
def test_a_connection_that_fails_passes(error: Exception, text: str) -> None:
    found = store_fault(error, PLACE)
    assert type(found) is StoreError
    assert text in str(found)


def test_credentials_that_are_not_there() -> None:
    assert isinstance(store_fault(exceptions.NoCredentialsError(), PLACE), RightsError)
    assert isinstance(store_fault(exceptions.ProfileNotFound(profile="x"), PLACE), RightsError)


def test_a_certificate_that_is_not_trusted_stays_so() -> None:
    error = exceptions.SSLError(endpoint_url="https://x", error="[SSL: CERTIFICATE_VERIFY_FAILED] self-signed")
    found = store_fault(error, PLACE)
    assert isinstance(found, StoreRefuses)
    assert "ca-bundle" in str(found)
    assert store_fault(exceptions.SSLError(endpoint_url="https://x", error="EOF occurred"), PLACE).retry


@pytest.mark.parametrize(
    "secret", ["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AbCd1234+/=_-AbCd1234"]
)
def test_what_a_store_repeats_of_a_key_is_left_out(secret: str) -> None:
    for code, status in (("Odd", 400), ("Odd", 403), ("Odd", 500)):
        assert secret not in str(answered(code, status, f"the key {secret} is\nnot good; signature={secret}"))
