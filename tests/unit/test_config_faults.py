"""Every kind of fault in a configuration, at its exact place, and all of them at once."""

from pathlib import Path

import pytest
import yaml

from litestreamd.basics.errors import ConfigError
from litestreamd.config import events
from litestreamd.config.check import check_config
from litestreamd.config.compose import MAX_DEPTH, MAX_VALUES
from litestreamd.config.events import MAX_BYTES

SOURCE = Path("/etc/litestream.yml")
DATABASE = "dbs:\n  - path: /data/app.db\n    "
REPLICA = DATABASE + "replica:\n      path: /backup/app\n      "
TOP = "dbs: [{path: /data/app.db, replica: {path: /backup/app}}]\n"


def faults(text: str | bytes, environment: dict[str, str] | None = None) -> list[str]:
    """The lines of the ConfigError, without the file's name."""
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        check_config(data, SOURCE, environment if environment is not None else {"HOME": "/root"})
    lines = str(caught.value).split("\n")
    assert all(line.startswith(f"{SOURCE}:") for line in lines)
    return [line.removeprefix(f"{SOURCE}:") for line in lines]


CASES = {
    # what the file is
    "empty": ("", "1:1: the file is empty"),
    "only a comment": ("# nothing\n", "1:1: the file is empty"),
    "a list": ("- a\n", "1:1: a configuration is a mapping that begins with dbs:, not a list"),
    "a word": ("hello", "1:1: a configuration is a mapping that begins with dbs:, not a single value"),
    "not UTF-8": (b"dbs: []\n# \xc3\xa9 \xff\n", "2:5: this byte is not UTF-8"),
    "UTF-16": ("dbs: []".encode("utf-16"), "1:1: this byte is not UTF-8"),
    "a zero byte": (b"dbs: []\nx: \0\n", "2:4: a control character (U+0000) is not allowed"),
    "too large": (b"#" * (MAX_BYTES + 1), "1:1: the file is larger than 1 MiB"),
    # YAML
    "a colon": ("dbs: x: y\n", "1:7: a second colon in one line"),
    "a reserved sign": ("dbs: @x\n", "1:6: a value cannot begin with this character: quote it"),
    "a tag handle": ("dbs: !x!y z\n", "1:6: a value cannot begin with !: quote it"),
    "a comma": ("dbs: [a b\n  c: d]\n", "2:4: a comma or a closing bracket is missing before this"),
    "a bad escape": ('dbs: "\\q"\n', "1:"),
    "an impossible escape": ('dbs: "\\UFFFFFFFF"\n', "1:"),
    "a tab": ("dbs:\n\t- path: x\n", "2:1: a tab cannot indent YAML: use spaces"),
    "an open bracket": ("a: 1\ndbs: [", "2:7: a value is missing here, or a bracket before it is not closed"),
    "an open quote": ("dbs: []\nx: 'abc\n", "2:4: this quoted text never ends"),
    "an open mapping": ("dbs: []\n  x: 1\n", "2:3: this line is indented differently from the ones it belongs to"),
    "two documents": (TOP + "---\n" + TOP, "2:1: a second document begins here: a configuration has one"),
    "a duplicate key": (TOP + "dbs: []\n", "2:1: the key dbs was given before, on line 1"),
    "a key that is a list": (TOP + "[a]: 1\n", "2:1: a key must be a single word, not a list"),
    "a tag": (TOP + "addr: !!python/object:x y\n", "2:7: a tag (!name) has no place in a configuration"),
    "an unknown anchor": (TOP + "addr: *a\n", "2:7: this alias (*name) has no anchor (&name) before it"),
    "an alias in itself": (TOP + "levels: &a [*a]\n", "2:13: this alias stands inside the very value it names"),
    "a merge of a word": (TOP + "<<: x\n", "2:1: << merges a mapping or a list of mappings, and nothing else"),
    "an escaped control": (TOP + 'levels: "\\0"\n', "2:9: this value has a control character in it"),
    "too deep": ("x: " + "[" * 100, f"1:{4 + MAX_DEPTH}: values are nested deeper than {MAX_DEPTH} levels"),
    # keys
    "an unknown key": (TOP + "adrr: x\n", "2:1: unknown key adrr (did you mean addr?)"),
    "a far key": (TOP + "qqqq: x\n", "2:1: unknown key qqqq"),
    "a quoted key": (TOP + '"a b\\nc": x\n', "2:1: unknown key 'a b\\nc'"),
    "an unknown nested key": (TOP + "snapshot: {intervall: 1h}", "2:12: unknown key snapshot.intervall (did you"),
    "a database's key at the top": (TOP + "meta-path: /x\n", "2:1: meta-path does not belong here: its place is in an"),
    "a replica's key in a database": (REPLICA + "\n    sync-interval: 1s", "6:5: sync-interval does not belong here"),
    "a section that is a word": (
        TOP + "logging: debug\n",
        "2:10: logging takes a mapping, with the keys level, source",
    ),
    # structure
    "no databases": ("addr: x\n", "1:1: no database is configured"),
    "dbs null": ("dbs:\n", "1:1: no database is configured"),
    "dbs empty": ("dbs: []\n", "1:6: dbs is empty"),
    "dbs a mapping": ("dbs:\n  path: x\n", "2:3: dbs takes a list (- path: ...), not a mapping (key: value)"),
    "a database that is a word": ("dbs:\n  - /data/app.db\n", "2:5: a database takes keys such as path and replica"),
    "no path": ("dbs: [{replica: {path: /b}}]", "1:7: this entry of dbs has neither path nor dir"),
    "an empty path": ("dbs: [{path: '', replica: {path: /b}}]", "1:14: path is empty"),
    "no replica": ("dbs: [{path: /a}]", "1:7: this database has no replica"),
    "both kinds of replica": (REPLICA + "\n    replicas: [{path: /b}]", "6:15: replica and replicas exclude each"),
    "replica a list": (
        DATABASE + "replica: [{path: /b}]",
        "3:14: a replica takes keys such as path or url, not a list",
    ),
    "replicas a mapping": (DATABASE + "replicas: {path: /b}", "3:15: replicas takes a list, not a mapping"),
    "replicas empty": (DATABASE + "replicas: []", "3:15: replicas is empty"),
    "replica without a place": (DATABASE + "replica: {sync-interval: 1s}", "3:14: this replica has no place"),
    "url and path": (REPLICA + "url: file:///b", "4:13: url and path exclude each other"),
    "a directory without a pattern": (
        "dbs: [{dir: /data, replica: {path: /b}}]",
        "1:7: an entry with dir needs a pattern",
    ),
    "a pattern for paths": ("dbs: [{dir: /data, pattern: 'a/*', replica: {path: /b}}]", "1:29: pattern is for names"),
    "a pattern for one file": (DATABASE + "pattern: '*'", "3:14: pattern belongs to an entry with dir"),
    "path and dir": (
        "dbs: [{dir: /d, path: /a, pattern: '*', replica: {path: /b}}]",
        "1:23: path and dir exclude each",
    ),
    "two places for state": (
        DATABASE + "meta-path: /m\n    meta-dir: /n",
        "4:15: meta-dir belongs to an entry with dir",
    ),
    "a replica among databases": (
        "dbs: [{dir: /d, recursive: true, pattern: '*', replica: {path: /d/b}}]",
        "1:64: the replica folder /d/b lies in the folder of databases /d",
    ),
    "an address without a port": (TOP + "addr: localhost", "2:7: addr: 'localhost' is not an address: write host:port"),
    "a socket without a place": (
        "socket: {enabled: true}\n" + TOP,
        "1:19: socket.path is missing: only a configuration in",
    ),
    "a socket with a long path": (
        f"socket: {{path: /{'x' * 107}}}\n" + TOP,
        "1:16: the path of a socket has at most 107",
    ),
    "neither yes nor no": (
        TOP + "metrics: {litestream-names: maybe}",
        "2:29: metrics.litestream-names: 'maybe' is not one of",
    ),
    # values
    "a list for a word": (DATABASE + "meta-path: [a]", "3:16: meta-path takes a single value, not a list"),
    "a duration without unit": (REPLICA + "sync-interval: 10", "5:22: sync-interval: '10' is not a duration: write"),
    "a duration of nothing": (REPLICA + "sync-interval: 0s", "5:22: sync-interval: '0s' must be longer than 0"),
    "a negative duration": (REPLICA + "sync-interval: -1s", "5:22: sync-interval: '-1s' is not a duration"),
    "an endless duration": (TOP + "sync-interval: 99999999d", "2:16: sync-interval: '99999999d' is longer than 100"),
    "a long value": (TOP + f"sync-interval: {'9' * 5000}d", "2:16: sync-interval: '99999"),
    "a size": (DATABASE + "max-sync-wal-bytes: 1XB", "3:25: max-sync-wal-bytes: '1XB' is not a size"),
    "a number": (DATABASE + "truncate-page-n: 1.5", "3:22: truncate-page-n: '1.5' is not a whole number"),
    "a huge number": (DATABASE + f"truncate-page-n: {1 << 63}", "3:22: truncate-page-n: '9223372036854775808' is not"),
    "a small number": (DATABASE + "min-checkpoint-page-count: 0", "3:32: min-checkpoint-page-count: '0' must be at"),
    "a choice": (DATABASE + "journal-mode: delete", "3:19: journal-mode: 'delete' is not one of wal, require"),
    "a mode": (TOP + "restore: {mode: 0999}", "2:17: restore.mode: '0999' is not a file mode in octal"),
    "a level": (TOP + "logging: {level: loud}", "2:18: logging.level: 'loud' is not one of debug, info, warn, error"),
    "a name": (REPLICA + "name: a/b", "5:13: a replica's name has up to 64 letters"),
    "a name with a dot first": (REPLICA + "name: ..", "5:13: a replica's name has up to 64 letters"),
    "another home": (DATABASE + "meta-path: ~bob/x", "3:16: of the paths that begin with ~ only ~/ is expanded"),
    # types and URLs
    "gcs": (REPLICA + "type: gcs", "5:13: the type gcs of Litestream 0.3 is now gs"),
    "an unknown type": (REPLICA + "type: ftp", "5:13: this is no type of replica"),
    "a bucket without a name": (DATABASE + "replica: {url: s3:///p}", "3:20: an S3 URL names a bucket"),
    "a WebDAV URL": (DATABASE + "replica: {url: webdavs://b/p}", "3:20: replicas of type webdav are not in this"),
    "an unknown URL": (DATABASE + "replica: {url: http://b/p}", "3:20: this is no type of replica"),
    "a host in a file URL": (DATABASE + "replica: {url: file://b/p}", "3:20: a file URL has three slashes"),
    "a query in a file URL": (DATABASE + "replica: {url: 'file:///b?x=y'}", "3:20: a file URL has no query"),
    "a file URL in Latin-1": (DATABASE + "replica: {url: file:///%ff}", "3:20: the % codes of this URL are not UTF-8"),
    "a zero byte in a URL": (DATABASE + "replica: {url: file:///%00}", "3:20: a path cannot hold a zero byte"),
    "two types": (DATABASE + "replica: {type: s3, url: file:///b}", "3:30: type and url contradict each other"),
    # variables
    "an unset variable": (DATABASE + "meta-path: ${GONE}/x", "3:16: meta-path: the environment variable GONE is not"),
    "a bare variable": (DATABASE + "meta-path: /x/$HOME", "3:16: meta-path: a bare $ is ambiguous: write ${HOME} for"),
    "a lone dollar": (DATABASE + "meta-path: /x/$", "3:16: meta-path: a bare $ is ambiguous: write ${NAME} for"),
    "an open variable": (DATABASE + "meta-path: '${HOME'", "3:16: meta-path: ${...} takes the name of one variable"),
    "a default": (DATABASE + "meta-path: '${A:-b}'", "3:16: meta-path: ${...} takes the name of one variable"),
}


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both parsers of PyYAML, which word and place their complaints differently."""
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML without libyaml")
    monkeypatch.setattr(events, "LOADER", getattr(yaml, request.param))


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_a_fault_names_its_place(text: str | bytes, expected: str) -> None:
    found = faults(text)
    assert any(line.startswith(expected) for line in found), found


def test_all_faults_are_told_in_the_order_of_the_file() -> None:
    text = """\
adrr: ":9090"
exec: [sleep, 1]
snapshot:
  intervall: 1h
logging: {level: loud}
dbs:
  - path: /data/a.db
    sync-interval: 2s
    replica: {type: gs, bucket: b, secret-acess-key: hunter2}
  - path: /data/../data/a.db
    replicas:
      - url: file:///backup/a
        sync-interval: 1x
      - path: /backup/a/b
  - path: ${DATA}/b.db
    replica: {path: /data/c.db, retention: 1h}
    journal-mode: wal
    journal-mode: wal
  - just
"""
    assert [line.split(" ")[0] for line in faults(text)] == [
        "1:1:",
        "2:7:",
        "4:3:",
        "5:18:",
        "8:5:",
        "9:21:",
        "9:36:",
        "10:11:",
        "13:24:",
        "14:9:",
        "15:11:",
        "16:33:",
        "18:5:",
        "19:5:",
    ]


def test_an_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert faults("\n".join(lines))[0].endswith(f"more than {MAX_VALUES} values, aliases written out")


def test_a_merge_bomb_is_refused_quickly() -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(1000))
    lines = [f"b: &b {{{keys}}}"] + [f"m{n}: {{<<: *b}}" for n in range(1000)]
    assert faults("\n".join(lines))[0].endswith(f"more than {MAX_VALUES} values, aliases written out")


def test_a_fault_in_a_shared_value_is_told_once() -> None:
    text = (
        "dbs:\n"
        "  - {path: /data/a.db, replica: {path: /b/a}, busy-timeout: &t 1x}\n"
        "  - {path: /data/b.db, replica: {path: /b/b}, busy-timeout: *t}\n"
    )
    assert [line.split(" ")[0] for line in faults(text)] == ["2:61:"]


def test_a_fault_shows_what_was_written_and_not_what_a_variable_holds() -> None:
    environment = {"SECRET": "hunter2"}
    values = {
        "sync-interval": "${SECRET}",
        "type": "${SECRET}",
        "name": "${SECRET}/",
        "url": "${SECRET}://x",
        "path": "~${SECRET}/x",
    }
    for name, value in values.items():
        assert "hunter2" not in "\n".join(faults(f"{DATABASE}replica: {{{name}: '{value}'}}", environment)), name
    for name in ("journal-mode", "busy-timeout", "truncate-page-n", "max-sync-wal-bytes"):
        text = "\n".join(faults(f"{REPLICA}\n    {name}: ${{SECRET}}", environment))
        assert "'${SECRET}'" in text
        assert "hunter2" not in text


SECRETS = {
    "value of an unknown key": "{path: /b, secret-acess-key: hunter2}",
    "value of a known secret": "{path: /b, secret-access-key: hunter2}",
    "a secret with a dollar": "{path: /b, secret-access-key: pa$hunter2}",
    "a list for a secret": "{path: /b, password: [hunter2]}",
    "a secret like an alias": "{path: /b, password: *hunter2}",
    "a secret like a tag": "{path: /b, password: !hunter2 x}",
    "a secret like a tag handle": "{path: /b, password: !hunter2!x y}",
    "a secret like a directive": "{path: /b, password: %hunter2}",
    "a secret like a reserved word": "{path: /b, password: @hunter2}",
    "a secret with an open quote": "{path: /b, password: 'hunter2}",
    "a secret with a colon": "{path: /b, password: hunter2: x}",
    "a password in a URL": "{url: 'sftp://user:hunter2@host/p'}",
    "a password in an unknown URL": "{url: 'foo://user:hunter2@host/p'}",
    "a password in a file URL": "{url: 'file://user:hunter2@host/p'}",
    "a dollar in a URL": "{url: 'sftp://user:pa$hunter2@host/p'}",
    "a secret in a query": "{url: 'file:///b?token=hunter2'}",
}


@pytest.mark.parametrize("replica", SECRETS.values(), ids=SECRETS)
def test_no_secret_is_repeated(replica: str) -> None:
    assert "hunter2" not in "\n".join(faults(f"dbs:\n  - path: /data/app.db\n    replica: {replica}\n"))
