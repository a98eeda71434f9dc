"""`migrate-config`: what becomes of a file of Litestream, key by key; never less protection than it asked for."""

import json
import os
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.main import main
from litestreamd.config import keys
from litestreamd.config.check import check_config
from litestreamd.config.keys import Place, State
from litestreamd.config.migration import Kind, migrate
from litestreamd.config.migration_meanings import MEANINGS
from tests.support.golden import FOLDER, WRITE

GOLDEN = FOLDER / "migrate"
SAMPLES = ("03", "05")


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate-config", str(GOLDEN / f"{name}.yml")]) == ExitCode.OK
    told = capsys.readouterr()
    notes = told.err.replace(str(GOLDEN), "DIR")
    for path, found in ((GOLDEN / f"{name}.new.yml", told.out), (GOLDEN / f"{name}.notes.txt", notes)):
        if WRITE:
            path.write_text(found)
        assert found == path.read_text()
    assert "hush" not in told.err
    again = migrate(told.out)
    assert again.text == told.out
    assert {note.kind for note in again.notes} <= {Kind.MEANING}


def test_what_an_old_file_asked_for_is_kept() -> None:
    (database,) = check_config(
        migrate((GOLDEN / "03.yml").read_text()).text.encode(), Path("/x.yml"), {"DISK": "d"}
    ).databases
    s3, file = database.replicas
    assert (s3.rules.snapshot_retention_s, s3.rules.snapshot_interval_s) == (72 * 3600, 24 * 3600)
    assert file.rules.snapshot_retention_s == 24 * 3600
    assert file.store.url == "file:///mnt/d/app"


VALUES = {
    "levels": "[{interval: 30s}]", "replicas": "[{path: /r}]",
    "replica": "{path: /r}", "addr": "':9090'", "path": "/a.db", "type": "file", "url": "file:///r",
    "socket.path": "/run/x", "logging.level": "info", "logging.type": "text", "journal-mode": "wal",
    "restore.mode": "'0640'", "spool-quota": "10%",
}  # fmt: skip


@pytest.mark.parametrize(
    "key", [key for key in keys.KEYS if key.name != "dbs"], ids=lambda key: f"{key.places[0].value}-{key.name}"
)
@pytest.mark.parametrize("flow", [False, True])
def test_every_key_has_a_fate(key: keys.Key, flow: bool) -> None:
    """Alone beside a minimal configuration: it stays, or is named."""
    for place in key.places:
        text, line = placed(key.name, VALUES.get(key.name, "1m"), place, flow)
        result = migrate(text)
        said = [note for note in result.notes if note.key == key.name]
        if key in keys.STORE_KEYS or key.name == "age.recipients":
            assert not result.is_possible
        elif key.state is State.HONOURED:
            assert bool(said) == (key.name in MEANINGS)
            assert result.is_possible
            assert line in result.text
        else:
            assert [note.kind for note in said] in ([Kind.REMOVED], [Kind.REPLACED]), text
            check_config(result.text.encode(), Path("/x.yml"), {}, expand_env=False)
        assert "1m" not in " ".join(note.sentence for note in result.notes)


def placed(name: str, value: str, place: Place, flow: bool) -> tuple[str, str]:
    """A file with this key, and the line that holds it."""
    outer, _, inner = name.rpartition(".")
    parts = [*outer.split("."), inner] if outer else [inner]
    one = f"{parts[-1]}: {value}"
    for part in reversed(parts[:-1]):
        one = f"{part}: {{{one}}}"
    line = one
    if not flow and len(parts) == 1 and value[0] not in "[{":
        line = one
    replica = (
        []
        if name in ("replica", "replicas")
        else ["replica:", "  path: /r"]
        if place is not Place.REPLICA
        else ["replica:"]
    )
    if place is Place.REPLICA:
        replica += [] if name in ("path", "url") else ["  path: /r"]
        replica.append(f"  {line}")
    entry = [] if place is Place.DATABASE and name in ("path", "dir") else ["path: /a.db"]
    entry += [line] if place is Place.DATABASE else []
    if flow and place is Place.REPLICA:
        inside = [part.strip() for part in replica[1:]]
        replica = [f"replica: {{{', '.join(inside)}}}"]
    body = [*entry, *replica]
    top = [line] if place is Place.GLOBAL else []
    if flow and place is Place.DATABASE:
        flat = ", ".join(part for part in entry) + (", replica: {path: /r}" if replica else "")
        return "\n".join([*top, f"dbs: [{{{flat}}}]"]) + "\n", line
    lines = [*top, "dbs:", f"  - {body[0]}", *(f"    {part}" for part in body[1:])]
    return "\n".join(lines) + "\n", line


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("dbs: [{path: /a, replicas: [{type: sftp, host: h, path: /p}]}]", "type"),
        ("dbs: [{path: /a, replicas: [{url: 'gcs://b/p'}]}]", "url"),
        ("dbs: [{path: /a, replicas: [{path: /p, age: {recipients: [age1]}}]}]", "age.recipients"),
    ],
)
def test_what_would_lose_protection_is_not_written(
    text: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "l.yml").write_text(text)
    assert main(["migrate-config", "-o", str(tmp_path / "new.yml"), str(tmp_path / "l.yml")]) == ExitCode.CONFIG
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{key}: cannot be taken over: " in told.err
    assert not (tmp_path / "new.yml").exists()


@pytest.mark.parametrize(
    ("value", "changed"),
    [
        ("$HOME/x", "${HOME}/x"), ("${HOME}/x", "${HOME}/x"), ("pa$$word", "pa$$word"), ("5$", "5$$"),
        ("'$A-$B'", "'${A}-${B}'"), ("a # $COMMENT", "a # $COMMENT"),
    ],
)  # fmt: skip
def test_variables(value: str, changed: str) -> None:
    head = "dbs: [{path: /a, replica: {path: /r}}]\nheartbeat-url: x\naddr: "
    assert migrate(head + value).text.endswith(f"addr: {changed}")


HEAD = "dbs:\n  - path: /a.db\n    replicas:\n      - path: /r\n"
IN = "        "
TWO = "auto-recover: true, validation-interval: 1m"


@pytest.mark.parametrize(
    ("text", "new"),
    [
        (
            HEAD + "        retention: ${KEEP}\n        snapshot-interval: 6h\n",
            'snapshot: {retention: "${KEEP}", interval: 6h}',
        ),
        (HEAD + "        retention: $KEEP\n", 'snapshot: {retention: "${KEEP}"}'),
        ("mcp-addr: >\n  one\n  two\n" + HEAD, "# mcp-addr: >\n#   one\n#   two\ndbs:"),
        ("mcp-addr: |-\n  one\n\n  two\n" + HEAD, "# mcp-addr: |-\n#   one\n\n#   two\ndbs:"),
        (
            "dbs: [{path: /a.db, replica: {path: /r, auto-recover: true, validation-interval: 1m}}]\n",
            "replica: {path: /r}",
        ),
        (
            "dbs: [{path: /a.db, replica: {auto-recover: true, validation-interval: 1m, path: /r}}]\n",
            "replica: {path: /r}",
        ),
        ("dbs: [{path: /a.db, replica: {path: /r, auto-recover:\n true}}]\nmcp-addr: x\n", "# mcp-addr: x"),
        ("logging: {type: pretty}\n" + HEAD, "logging: {type: text}"),
        ("\ufeffmcp-addr: x\n" + HEAD, "# mcp-addr: x"),
    ],
)
def test_what_is_hard_to_cut_out(text: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "l.yml").write_text(text)
    assert main(["migrate-config", str(tmp_path / "l.yml")]) == ExitCode.OK
    found = capsys.readouterr().out
    assert new in found
    assert migrate(found).text == found


@pytest.mark.parametrize(
    "text", ["password: *hush\n", "? [hush]\n: 1\n", "a: 'hush\n", "a: {" * 3000, "a: &a [*a]\n", "a: !hush b: c\n"]
)
def test_nothing_of_a_broken_file_is_repeated(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "l.yml").write_text(text)
    assert main(["migrate-config", str(tmp_path / "l.yml")]) == ExitCode.CONFIG
    told = capsys.readouterr()
    assert "hush" not in told.err + told.out


def test_a_file_that_needs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "# mine\ndbs:\n  - path: /a.db\n    replica: {path: /r}\n"
    (tmp_path / "l.yml").write_text(text)
    assert main(["migrate-config", str(tmp_path / "l.yml")]) == ExitCode.OK
    told = capsys.readouterr()
    assert told.out == text
    assert "needs no change" in told.err


def test_a_file_is_written_once_and_as_json_the_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "app.yml"
    words = ["migrate-config", "-json", "-o", str(target), str(GOLDEN / "03.yml")]
    assert main(words) == ExitCode.OK
    notes = json.loads(capsys.readouterr().out)
    assert {tuple(note) for note in notes} == {("line", "key", "kind", "text")}
    assert target.stat().st_mode & 0o777 & ~0o640 == 0
    assert target.read_text() == (GOLDEN / "03.new.yml").read_text()
    assert main(words) == ExitCode.USAGE
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(("data", "told"), [(b"a: [", "bracket"), (b"\xff", "not UTF-8"), (b"x: 1", "dbs")])
def test_what_is_no_configuration(tmp_path: Path, data: bytes, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "l.yml").write_bytes(data)
    assert main(["migrate-config", str(tmp_path / "l.yml")]) == ExitCode.CONFIG
    assert told in capsys.readouterr().err
    assert main(["migrate-config", str(tmp_path / "none.yml")]) == ExitCode.CONFIG
    assert os.listdir(tmp_path) == ["l.yml"]
