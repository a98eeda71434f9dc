"""Every key that a configuration may have: where it stands, and what this version does with it.

One table for the code, for docs/configuration.md and for the tests that compare the two. It knows all
keys of Litestream 0.5.17 and 0.3, so that nothing of theirs is taken for a typing error, and nothing
is ignored without a word.
"""

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What this version does with a key."""

    HONOURED = "honoured"
    NO_EFFECT = "no effect"
    """Accepted with a warning: silence about it costs no data."""
    NOT_YET = "not yet"
    """Known and meant, refused because this version cannot do it."""
    REFUSED = "refused"
    """Will not be done as written; the note names the way out."""


class Place(Enum):
    """Where a key may stand."""

    GLOBAL = "top"
    DATABASE = "database"
    REPLICA = "replica"


@dataclass(frozen=True, slots=True)
class Key:
    """One row. `name` has dots for nested keys. A key of a database or a replica that may also stand at
    the top is there the default for all of them."""

    name: str
    places: tuple[Place, ...]
    state: State
    note: str


_G, _D, _R = (Place.GLOBAL,), (Place.DATABASE,), (Place.REPLICA,)
_DG, _RG = (Place.DATABASE, Place.GLOBAL), (Place.REPLICA, Place.GLOBAL)
_RDG = (Place.REPLICA, Place.DATABASE, Place.GLOBAL)

_HONOURED = (
    Key("dbs", _G, State.HONOURED, "the databases: a list"),
    Key("shutdown-sync-timeout", _G, State.HONOURED, "how long the final sync may try; default 30s, 0 is one try"),
    Key("exec", _G, State.HONOURED, "a program that replicate starts as a child once all is watched; split, no shell"),
    Key("logging.level", _G, State.HONOURED, "debug, info, warn or error; default info; LOG_LEVEL overrides it"),
    Key("logging.type", _G, State.HONOURED, "text or json; default text"),
    Key("addr", _G, State.HONOURED, "host:port where the daemon itself serves its metrics; :9090 is every interface"),
    Key("metrics.litestream-names", _G, State.HONOURED, "metrics also under Litestream's names; default false"),
    Key("socket.enabled", _G, State.HONOURED, "a control socket; default true for /etc/litestreamd/INSTANCE.yml"),
    Key("socket.path", _G, State.HONOURED, "default /run/litestreamd/INSTANCE/control.sock"),
    Key("socket.permissions", _G, State.HONOURED, "of the control socket, octal; default 0660"),
    Key("path", _D, State.HONOURED, "the database file"),
    Key("dir", _D, State.HONOURED, "a folder of databases, instead of path"),
    Key("pattern", _D, State.HONOURED, "of dir: which names are databases, such as '*.db'"),
    Key("recursive", _D, State.HONOURED, "of dir: also in the folders below; default false"),
    Key("watch", _D, State.HONOURED, "of dir: databases may come and go while the daemon runs; default false"),
    Key("meta-path", _D, State.HONOURED, "the folder for local state"),
    Key("meta-dir", _D, State.HONOURED, "of dir: another name for meta-path"),
    Key("restore-if-db-not-exists", _D, State.HONOURED, "the daemon restores a missing database first; default false"),
    Key("checkpoint-interval", _D, State.HONOURED, "default 1m; 0 is never by time"),
    Key("busy-timeout", _D, State.HONOURED, "how long to wait for a lock of the database; default 1s"),
    Key("min-checkpoint-page-count", _D, State.HONOURED, "WAL pages that call for a checkpoint; default 1000"),
    Key(
        "truncate-page-n", _D, State.HONOURED, "WAL pages that call for a truncation; default 121359, negative is never"
    ),
    Key("max-sync-wal-bytes", _D, State.HONOURED, "WAL taken into one file; default 64MiB, 0 is no limit"),
    Key(
        "journal-mode", _DG, State.HONOURED, "wal (default) switches a database to WAL mode once; require only reports"
    ),
    Key("restore.owner", _DG, State.HONOURED, "user of a restored database, by name or number"),
    Key("restore.group", _DG, State.HONOURED, "group of a restored database, by name or number"),
    Key("restore.mode", _DG, State.HONOURED, "permissions of a restored database, octal"),
    Key("replica", _D, State.HONOURED, "the replica"),
    Key("replicas", _D, State.HONOURED, "several replicas: a list"),
    Key("type", _R, State.HONOURED, "file or s3; the scheme of url says it too; default file"),
    Key("name", _R, State.HONOURED, "default is the type; needed when two replicas of a database share one"),
    Key("path", _R, State.HONOURED, "the folder of a file replica; where in the bucket of an s3 replica"),
    Key("url", _R, State.HONOURED, "file:///FOLDER or s3://BUCKET/PATH, instead of type, bucket and path"),
    Key("sync-interval", _RG, State.HONOURED, "at most one file per this time while the database is busy; default 1s"),
    Key("levels", _RDG, State.HONOURED, "a list of {interval: 30s}, level 1 upward; default 30s, 5m, 1h"),
    Key(
        "l0-retention",
        _RDG,
        State.HONOURED,
        "how long files of level 0 stay at least; default 5m or snapshot.retention if that is shorter; 0 is for ever",
    ),
    Key("l0-retention-check-interval", _RDG, State.HONOURED, "how often that is looked at; default 15s"),
    Key("retention.enabled", _RDG, State.HONOURED, "false: nothing is deleted from the replica; default true"),
    Key("snapshot.interval", _RDG, State.HONOURED, "a full image per this time, if anything changed; default 24h"),
    Key("snapshot.retention", _RDG, State.HONOURED, "the window within which any time can be restored; default 24h"),
    Key("snapshot.keep.hourly", _RDG, State.HONOURED, "hours whose newest snapshot outlives the window; default 0"),
    Key("snapshot.keep.daily", _RDG, State.HONOURED, "the same for days (UTC); default 0"),
    Key("snapshot.keep.weekly", _RDG, State.HONOURED, "the same for ISO weeks; default 0"),
    Key("snapshot.keep.monthly", _RDG, State.HONOURED, "the same for months; default 0"),
    Key(
        "verify.checks",
        _DG,
        State.HONOURED,
        "SQL, a list, that has to be true of each restored database",
    ),
    Key("snapshot.wal-limit", _DG, State.HONOURED, "how large the WAL may grow for a full image; default 128MiB"),
    Key(
        "spool-quota",
        _DG,
        State.HONOURED,
        "room for what replicas lack: a size, or a share of what the disk has free without it; default 25%",
    ),
    Key("age.identities", _RG, State.HONOURED, "keys of age, a list: what Litestream 0.3 encrypted can be restored"),
)

S3_KEYS = tuple(
    Key(name, _RG, State.HONOURED, note)
    for name, note in (
        ("bucket", "of s3: the bucket, or the ARN of an access point"),
        ("endpoint", "of s3: the store; left out, it is AWS"),
        ("region", "of s3: left out, the endpoint or the environment tells"),
        ("access-key-id", "of s3: left out, credentials or the environment tell"),
        ("secret-access-key", "of s3: the other half of the key"),
        ("session-token", "of s3: for a key that is lent for a time"),
        ("profile", "of s3: a profile of ~/.aws, instead of a key"),
        ("force-path-style", "of s3: the bucket in the path, or not; left out, the endpoint tells"),
        ("sign-payload", "of s3: sign bodies too; default true"),
        ("require-content-md5", "of s3: send Content-MD5; left out, the endpoint tells"),
        ("sign-accept-encoding", "of s3: has nothing to switch, Accept-Encoding is never signed"),
        ("skip-verify", "of s3: trust any certificate; default false"),
        ("ca-bundle", "of s3: a file with certificates to trust"),
        ("storage-class", "of s3: for new objects"),
        ("part-size", "of s3: bytes of a part of a large upload, from 5MiB; default 5MiB"),
        ("concurrency", "of s3: parts in flight at once; left out, the endpoint tells"),
        ("sse-customer-algorithm", "of s3: AES256, the only one of SSE-C"),
        ("sse-customer-key", "of s3: the key of SSE-C, base64 of 32 bytes"),
        ("sse-customer-key-path", "of s3: a file with that key"),
        ("sse-kms-key-id", "of s3: the key of SSE-KMS"),
    )
)
"""What belongs to replicas of type s3, and to no other that this version has."""

_NO_EFFECT = (
    Key("mcp-addr", _G, State.NO_EFFECT, "there is no MCP server"),
    Key("validation.interval", _G, State.NO_EFFECT, "litestreamd verify checks replicas, and its timer"),
    Key("verify-compaction", _G, State.NO_EFFECT, "every compaction is verified, always"),
    Key("heartbeat-url", _G, State.NO_EFFECT, "no heartbeat is sent yet"),
    Key("heartbeat-interval", _G, State.NO_EFFECT, "no heartbeat is sent yet"),
    Key("shutdown-sync-interval", _G, State.NO_EFFECT, "retries of the final sync find their own pace"),
    Key("logging.stderr", _G, State.NO_EFFECT, "logs always go to stderr"),
    Key("logging.source", _G, State.NO_EFFECT, "log lines do not name source files"),
    Key("monitor-interval", _D, State.NO_EFFECT, "changes are seen at once, there is nothing to poll"),
    Key("validation-interval", _RG, State.NO_EFFECT, "litestreamd verify checks replicas, and its timer"),
    Key("max-sync-ltx-files", _RG, State.NO_EFFECT, "files are sent in order, as many as there are"),
    Key("auto-recover", _RG, State.NO_EFFECT, "local state repairs itself, without a new history"),
)

_REFUSED = (
    Key("max-checkpoint-page-count", _D, State.REFUSED, "truncate-page-n bounds the WAL; no checkpoint blocks readers"),
    Key("retention", _R, State.REFUSED, "a key of Litestream 0.3; write snapshot: {retention: ...} instead"),
    Key("snapshot-interval", _R, State.REFUSED, "a key of Litestream 0.3; write snapshot: {interval: ...} instead"),
    Key("retention-check-interval", _R, State.REFUSED, "a key of Litestream 0.3; remove it, nothing replaces it"),
    Key(
        "age.recipients",
        _RG,
        State.REFUSED,
        "there is no encryption yet, and data must not go out in plain unnoticed; age.identities restores without it",
    ),
)

_STORE_KEYS = {
    "abs": "account-name account-key sas-token",
    "sftp": "host user key-path host-key concurrent-writes",
    "sftp and nats": "password",
    "webdav": "webdav-url webdav-username webdav-password",
    "nats": "jwt seed creds nkey username token tls root-cas client-cert client-key"
    " max-reconnects reconnect-wait timeout",
}

STORE_TYPES = ("gs", "abs", "sftp", "webdav", "nats", "oss")
"""Types of Litestream's replicas that this version does not have."""

STORE_KEYS = tuple(
    Key(name, _RG, State.NOT_YET, f"it belongs to replicas of type {types}")
    for types, names in _STORE_KEYS.items()
    for name in names.split()
)

KEYS = (*_HONOURED, *S3_KEYS, *_NO_EFFECT, *_REFUSED, *STORE_KEYS)

BY_PLACE = {place: {key.name: key for key in KEYS if place in key.places} for place in Place}


def find(place: Place, name: str) -> Key | None:
    """The row of a key (full name, with dots) at a place."""
    return BY_PLACE[place].get(name)


def is_section(place: Place, name: str) -> bool:
    """True when keys of the table stand below this one."""
    return any(known.startswith(f"{name}.") for known in BY_PLACE[place])


def names_below(place: Place, prefix: str) -> list[str]:
    """The keys that may stand in one mapping: those of the place, or those below `prefix` (`logging.`)."""
    return sorted({name[len(prefix) :].partition(".")[0] for name in BY_PLACE[place] if name.startswith(prefix)})


def places_of(name: str) -> list[Place]:
    """All places where a key of this full name may stand."""
    return [place for place in Place if name in BY_PLACE[place] or is_section(place, name)]
