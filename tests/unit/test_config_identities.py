"""`age.identities`: read like every other value, and never shown."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError
from litestreamd.config.check import check_config
from litestreamd.config.model import Config

SOURCE = Path("/etc/litestreamd/app.yml")
KEYS = ("AGE-SECRET-KEY-1" + "Q" * 58, "AGE-SECRET-KEY-1" + "P" * 58)


def config(replica: str, top: str = "", **environment: str) -> Config:
    text = f"dbs:\n  - path: /data/app.db\n    replica:\n      path: /backup/app\n{replica}{top}"
    return check_config(text.encode(), SOURCE, environment)


def test_a_list_with_variables() -> None:
    found = config(f"      age:\n        identities: [{KEYS[0]}, '${{KEY}}']\n", KEY=KEYS[1])
    assert found.databases[0].replicas[0].identities == KEYS


def test_the_top_gives_the_default_and_the_replica_replaces_it() -> None:
    top = f"age:\n  identities: [{KEYS[0]}]\n"
    assert config("", top).databases[0].replicas[0].identities == KEYS[:1]
    own = f"      age:\n        identities: [{KEYS[1]}]\n"
    assert config(own, top).databases[0].replicas[0].identities == KEYS[1:]


def test_a_whole_identity_file_in_a_variable() -> None:
    file = f"# created: 2026-04-18T09:15:00Z\n# public key: age1...\n{KEYS[0]}\n\n{KEYS[1]}\n"
    found = config("      age: {identities: ['${FILE}']}\n", FILE=file)
    assert found.databases[0].replicas[0].identities == KEYS


def test_nobody_who_prints_a_configuration_prints_them() -> None:
    found = config(f"      age: {{identities: [{KEYS[0]}]}}\n")
    assert found.databases[0].replicas[0].identities
    assert "AGE-SECRET" not in repr(found)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("age-secret-key-1qqq", "begins with AGE-SECRET-KEY-1"),
        ("'${EMPTY}'", "begins with AGE-SECRET-KEY-1"),
        ("'${SECRET}'", "begins with AGE-SECRET-KEY-1"),
        ("'${UNSET}'", "UNSET is not set"),
        ("'AGE-SECRET-KEY-1$hunter2'", "a bare [$] is ambiguous: write [$][{]NAME[}]"),
        ("[x]", "takes a single value, not a list"),
    ],
)
def test_what_is_no_identity_is_refused_and_not_shown(value: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        config(f"      age: {{identities: [{value}]}}\n", EMPTY="", SECRET="hunter2 hunter2")
    assert "hunter2" not in str(caught.value)
    assert "qqq" not in str(caught.value)


def test_one_that_is_not_in_a_list() -> None:
    with pytest.raises(ConfigError, match=r"5:25: age\.identities takes a list") as caught:
        config(f"      age: {{identities: {KEYS[0]}}}\n")
    assert KEYS[0] not in str(caught.value)


def test_nothing_is_encrypted_so_recipients_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"age\.recipients is refused: .*plain unnoticed"):
        config(f"      age: {{identities: [{KEYS[0]}], recipients: [age1qqq]}}\n")
