"""Paths and replica URLs as people write them, to absolute paths.

In: text. Out: a path, or a UsageError of one sentence that shows neither a password nor a query.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from litestreamd.basics.errors import UsageError
from litestreamd.config.keys import STORE_TYPES

KINDS = ("file", "s3")
"""Types of replicas that this version keeps."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SQLITE = re.compile(r"sqlite3?://", re.IGNORECASE)


def database_path(text: str, environment: Mapping[str, str]) -> Path:
    """The database's absolute path; `sqlite://` and `sqlite3://` in front are dropped, as Litestream does."""
    prefix = _SQLITE.match(text)
    path = absolute(text[prefix.end() :] if prefix else text, environment)
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError("the path of a database has to be UTF-8: SQLite's interface knows no other") from None
    return path


def absolute(text: str, environment: Mapping[str, str]) -> Path:
    """A path with `~` replaced by $HOME, made absolute without touching symbolic links."""
    if not text:
        raise UsageError("the path is empty")
    if "\0" in text:
        raise UsageError("a path cannot hold a zero byte")
    if text.startswith("~"):
        head, _, rest = text.partition("/")
        if head != "~":
            raise UsageError("of the paths that begin with ~ only ~/ is expanded: write the whole path")
        if not environment.get("HOME"):
            raise UsageError("~ stands for $HOME, which is not set: write the whole path")
        text = f"{environment['HOME']}/{rest}"
    try:
        return Path(os.path.abspath(text))  # noqa: PTH100 - Path.absolute keeps "..", resolve follows links
    except FileNotFoundError:
        raise UsageError("the path is relative, and the current folder does not exist any more") from None


def url_scheme(text: str) -> str | None:
    """The scheme of a URL in lower case; None for a plain path."""
    match = _SCHEME.match(text)
    return match[1].lower() if match else None


def file_root(text: str, environment: Mapping[str, str]) -> Path:
    """The folder that `file:///folder`, or a plain path, names. UsageError for every other scheme."""
    scheme = url_scheme(text)
    if scheme is None:
        return absolute(text, environment)
    if scheme != "file":
        check_type(scheme)
        raise UsageError("the path of a folder, or file:///folder, is wanted here")
    rest = text.partition("://")[2]
    if not rest.startswith("/"):
        raise UsageError("a file URL has three slashes and an absolute path: file:///folder")
    if "?" in rest or "#" in rest:
        raise UsageError("a file URL has no query: write ? as %3F and # as %23")
    try:
        return absolute(unquote(rest, errors="strict"), environment)
    except UnicodeDecodeError:
        raise UsageError("the % codes of this URL are not UTF-8") from None


def check_type(name: str) -> None:
    """Accept the type, or URL scheme, of a replica that this version can keep; else raise UsageError."""
    if name in KINDS:
        return
    if name == "gcs":
        raise UsageError("the type gcs of Litestream 0.3 is now gs, and replicas of type gs are not in this version")
    known = "webdav" if name == "webdavs" else name
    if known in STORE_TYPES:
        raise UsageError(f"replicas of type {known} are not in this version: only file and s3 are")
    raise UsageError("this is no type of replica: file and s3 are, as type: s3 or s3://bucket/path")
