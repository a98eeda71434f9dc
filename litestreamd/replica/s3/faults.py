"""One translation of what goes wrong with S3 into the error tree.

In: an exception of boto3, botocore or the connection under it, and the place it happened at. Out: one sentence that
says what to do, in the class that says whether waiting helps: StoreError (it does), RightsError, StoreMissing,
StoreRefuses (it does not). Promised: no sentence has a key, a signature or a token in it, whatever the store answered.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from litestreamd.basics.errors import LitestreamdError, RightsError, StoreError, StoreMissing, StoreRefuses

_KEY = "check the access key, and whether it is still active"
_RIGHTS = {
    "AccessDenied": "access is denied: the key needs s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject",
    "AllAccessDisabled": "the store has disabled all access to it",
    "AccountProblem": "there is a problem with the account: ask the provider",
    "NotSignedUp": "the account is not signed up for this service: ask the provider",
    "InvalidAccessKeyId": f"the store does not know this access key; {_KEY}",
    "SignatureDoesNotMatch": "the signature does not match: check the secret access key, and the region",
    "ExpiredToken": "the session token has expired; renew the credentials",
    "InvalidToken": "the session token is not valid; renew the credentials",
    "TokenRefreshRequired": "the session token has to be renewed",
    "InvalidClientTokenId": f"the store does not know this access key; {_KEY}",
    "Unauthorized": f"the store does not accept the credentials; {_KEY}",
    "401": f"the store does not accept the credentials; {_KEY}",
    "403": "access is denied: check the access key, and its rights to this bucket and path",
}
_REFUSED = {
    "RequestTimeTooSkewed": "the clock of this machine differs too much from the store's: set it right (timedatectl)",
    "RequestExpired": "the clock of this machine differs too much from the store's: set it right (timedatectl)",
    "AuthorizationHeaderMalformed": "the store expects another region: set region",
    "IllegalLocationConstraintException": "the bucket is in another region: set region",
    "PermanentRedirect": "the bucket is at another endpoint: set endpoint, or region",
    "301": "the bucket is at another endpoint: set endpoint, or region",
    "InvalidBucketName": "this is no name that a bucket can have",
    "InvalidStorageClass": "the store has no such storage class: change storage-class",
    "EntityTooLarge": "the store takes no object that large",
    "QuotaExceeded": "the quota of the bucket or the account is used up",
}
_MISSING = "the bucket does not exist: create it, or check its name and the endpoint"
_PASSES = {"SlowDown", "RequestTimeout", "ConditionalRequestConflict", "OperationAborted", "InternalError", "BadDigest",
           "RequestCanceled", "IncompleteBody", "XAmzContentSHA256Mismatch", "ServiceUnavailable", "Throttling",
           "ThrottlingException", "TooManyRequests", "NoSuchUpload"}  # fmt: skip
"""Codes below 500 that another try may not meet again."""

_SECRET_LIKE = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_ERRNO = re.compile(r"\[Errno -?[0-9]+\] ([A-Za-z ,-]+)")


def _kinds(*names: str) -> tuple[type[Exception], ...]:
    """Exception types of botocore; an older version may lack some."""
    return tuple(getattr(exceptions, name) for name in names if hasattr(exceptions, name))


_NO_CREDENTIALS = _kinds(
    "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "NoAuthTokenError", "TokenRetrievalError",
    "SSOError", "ConfigParseError", "ConfigNotFound", "InfiniteLoopConfigError", "InvalidConfigError",
)  # fmt: skip
_BROKEN = (
    (exceptions.ConnectTimeoutError, "no connection in time"),
    (exceptions.ReadTimeoutError, "no answer in time"),
    (exceptions.ConnectionClosedError, "it closed the connection"),
    (exceptions.IncompleteReadError, "the answer broke off"),
    (exceptions.ResponseStreamingError, "the answer broke off"),
    (exceptions.CredentialRetrievalError, "the credentials could not be fetched"),
    (exceptions.ProxyConnectionError, "the proxy cannot be reached"),
    (exceptions.ConnectionError, "no connection"),
    (exceptions.HTTPClientError, "the connection failed"),
    (ResponseParserError, "the answer is none of S3's"),
    (OSError, "the connection failed"),
)


def code_of(error: ClientError) -> str:
    """The code of an answer: "NoSuchKey"; its status as text where there is none ("404" for HEAD)."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer, 0 if unknown."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def store_fault(error: Exception, place: str) -> LitestreamdError:
    """The error of the tree for `error`, met while working at `place` (a URL without secrets)."""
    if isinstance(error, ClientError):
        return _answered(error, place)
    if isinstance(error, _NO_CREDENTIALS):
        return RightsError(f"{place}: no usable credentials: {_clean(error)}")
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return StoreRefuses(f"{place}: the store's certificate is not trusted: check the endpoint, or set ca-bundle")
    for kind, sentence in _BROKEN:
        if isinstance(error, kind):
            known = _ERRNO.search(str(error))
            return StoreError(f"{place}: {sentence}" + (f" ({known[1].strip()})" if known else ""))
    return StoreRefuses(f"{place}: the request cannot be made: {_clean(error)}")


def _answered(error: ClientError, place: str) -> LitestreamdError:
    code, status = code_of(error), status_of(error)
    if code in _RIGHTS:
        return RightsError(f"{place}: {_RIGHTS[code]}")
    if code == "NoSuchBucket":
        return StoreMissing(f"{place}: {_MISSING}")
    if code in _REFUSED:
        return StoreRefuses(f"{place}: {_REFUSED[code]}")
    told = f"{code or 'an error'} ({status})"
    if code in _PASSES or status in (0, 408, 409, 425, 429) or (status >= 500 and status != 501):
        return StoreError(f"{place}: the store answered {told}: {_said(error)}")
    if status in (401, 403):
        return RightsError(f"{place}: access is denied: {told}: {_said(error)}")
    return StoreRefuses(f"{place}: the store refuses: {told}: {_said(error)}")


def _said(error: ClientError) -> str:
    return _clean(error.response.get("Error", {}).get("Message") or "without a word")


def _clean(said: object) -> str:
    """At most a line of what somebody else said, with everything that may be a key or a signature left out."""
    text = " ".join(str(said).split())
    return _SECRET_LIKE.sub("...", text)[:200]


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Run a block in which an error of boto3 or the connection means that the store at `place` failed us."""
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError, OSError) as error:
        raise store_fault(error, place) from error
    except (KeyError, ValueError) as error:
        # boto3's way to say that a source of credentials answered something else than it should.
        raise StoreError(f"{place}: an answer lacks what it should have ({type(error).__name__})") from error
