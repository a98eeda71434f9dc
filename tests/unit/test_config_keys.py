"""The table of keys: the same in the code and in the documentation, and true of what the reader does."""

import re
from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError
from litestreamd.config.check import check_config
from litestreamd.config.keys import KEYS, S3_KEYS, STORE_TYPES, Key, Place, State

ROOT = Path(__file__).parents[2]
SOURCE = Path("/etc/litestreamd/app.yml")
ROW = re.compile(r"^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \| (.+) \|$", re.MULTILINE)

# Keys of Litestream 0.5.17 and 0.3.13 as its sources name them, written down apart from our table.
LITESTREAM_TOP = """addr mcp-addr socket.enabled socket.path socket.permissions levels snapshot.interval
snapshot.retention l0-retention l0-retention-check-interval retention.enabled validation.interval verify-compaction
heartbeat-url heartbeat-interval shutdown-sync-timeout shutdown-sync-interval exec logging.level logging.type
logging.stderr logging.source dbs"""
LITESTREAM_DATABASE = """path dir pattern recursive watch meta-path meta-dir monitor-interval checkpoint-interval
busy-timeout min-checkpoint-page-count truncate-page-n max-sync-wal-bytes snapshot.interval snapshot.retention
restore-if-db-not-exists replica replicas max-checkpoint-page-count"""
LITESTREAM_REPLICA = """type name path url sync-interval validation-interval max-sync-ltx-files auto-recover
age.identities age.recipients access-key-id secret-access-key region bucket endpoint force-path-style sign-payload
require-content-md5 sign-accept-encoding skip-verify storage-class part-size concurrency sse-customer-algorithm
sse-customer-key sse-customer-key-path sse-kms-key-id account-name account-key sas-token host user password key-path
host-key concurrent-writes webdav-url webdav-username webdav-password jwt seed creds nkey username token tls root-cas
client-cert client-key max-reconnects reconnect-wait timeout retention retention-check-interval snapshot-interval"""


def test_the_documentation_has_the_same_table() -> None:
    rows = ROW.findall((ROOT / "docs" / "configuration.md").read_text())
    expected = [(key.name, ", ".join(place.value for place in key.places), key.state.value, key.note) for key in KEYS]
    assert rows == expected


def test_the_manual_page_names_every_honoured_key() -> None:
    manual = (ROOT / "docs" / "man" / "litestreamd.yml.5.md").read_text()
    terms = re.findall(r"^(\*\*[^:\n]+\*\*)\n:", manual, re.MULTILINE)
    named = {name for term in terms for name in re.findall(r"\*\*([a-z0-9.-]+)\*\*", term)}
    assert named == {key.name for key in KEYS if key.state is State.HONOURED}


def test_a_key_has_one_row_for_a_place() -> None:
    pairs = [(place, key.name) for key in KEYS for place in key.places]
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize(
    ("place", "names"),
    [
        (Place.GLOBAL, LITESTREAM_TOP),
        (Place.DATABASE, LITESTREAM_DATABASE),
        (Place.REPLICA, LITESTREAM_REPLICA),
    ],
)
def test_every_key_of_litestream_is_known(place: Place, names: str) -> None:
    known = {key.name for key in KEYS if place in key.places}
    assert set(names.split()) <= known


def document(key: Key, place: Place, value: str) -> bytes:
    """A valid configuration with one more key at a place; one of S3's in a replica of that type."""
    nested = "".join(f"{{{part}: " for part in key.name.split(".")) + value + "}" * key.name.count(".")
    line = nested[1:]
    extra = {it: f", {line}" if it is place and key.name not in ("path", "dbs", "replica") else "" for it in Place}
    path = value if place is Place.DATABASE and key.name == "path" else "/data/app.db"
    root = "path: " + (value if place is Place.REPLICA and key.name == "path" else "/backup/app")
    if place is Place.REPLICA and key in S3_KEYS:
        root = "type: s3" if key.name == "bucket" else "type: s3, bucket: b"
    if place is Place.DATABASE and key.name in ("pattern", "recursive", "watch", "meta-dir", "dir"):
        start = f"path: {path}, " if key.name == "dir" else "dir: /data, " + "pattern: '*', " * (key.name != "pattern")
        return f"{{dbs: [{{{start}replica: {{path: /b}}{extra[place]}}}]}}".encode()
    replica = value if key.name == "replica" else f"{{{root}{extra[Place.REPLICA]}}}"
    dbs = value if key.name == "dbs" else f"[{{path: {path}, replica: {replica}{extra[Place.DATABASE]}}}]"
    return f"{{dbs: {dbs}{extra[Place.GLOBAL]}}}".encode()


ROWS = [pytest.param(key, place, id=f"{place.value}:{key.name}") for key in KEYS for place in key.places]


@pytest.mark.parametrize(("key", "place"), ROWS)
def test_a_key_does_what_its_row_says(key: Key, place: Place) -> None:
    """A list of lists is no value of any key: whoever reads a key must complain, whoever does not must say so."""
    data = document(key, place, "[[x]]")
    if key.state is State.NO_EFFECT:
        warnings = check_config(data, SOURCE, {}).warnings
        assert [warning.partition(": ")[2] for warning in warnings] == [
            f"{key.name} has no effect in this version: {key.note}"
        ]
        return
    with pytest.raises(ConfigError) as caught:
        check_config(data, SOURCE, {})
    text = str(caught.value)
    if key.state is State.NOT_YET:
        assert f"{key.name} is not in this version: {key.note}" in text
    elif key.state is State.REFUSED:
        assert f"{key.name} is refused: {key.note}" in text
    else:
        assert "not a list" in text or "a replica takes keys" in text or "a database takes keys" in text


@pytest.mark.parametrize("kind", STORE_TYPES)
def test_a_refused_type_is_one_fault_however_many_keys_it_has(kind: str) -> None:
    own = ", ".join(f"{key.name}: [x]" for key in KEYS if key in S3_KEYS or key.note.startswith("it belongs to"))
    data = f"dbs: [{{path: /data/app.db, replica: {{type: {kind}, {own}}}}}]".encode()
    with pytest.raises(ConfigError) as caught:
        check_config(data, SOURCE, {})
    assert str(caught.value) == (
        f"{SOURCE}:1:44: replicas of type {kind} are not in this version: only file and s3 are"
    )
