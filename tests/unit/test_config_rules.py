"""How history is kept: every key reaches its value, the nearest place wins, and what contradicts itself is refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError
from litestreamd.config.check import check_config
from litestreamd.config.model import Config, DatabaseSettings
from litestreamd.plan.rules import Keep, Rules
from litestreamd.plan.spool_quota import Quota

SOURCE = Path("/etc/litestream.yml")
DAY = 86400.0


def read(text: str) -> Config:
    return check_config(text.encode(), SOURCE, {})


def rules(top: str = "", database: str = "", replica: str = "") -> Rules:
    """The rules of one replica, each place given as flow text."""
    return settings(top, database, replica).replicas[0].rules


def settings(top: str = "", database: str = "", replica: str = "") -> DatabaseSettings:
    tails = [f", {part}" if part else "" for part in (replica, database, top)]
    text = "{{dbs: [{{path: /a, replica: {{path: /b{}}}{}}}]{}}}".format(*tails)
    config = read(text)
    assert config.warnings == ()
    return config.databases[0]


PLACES = ["top", "database", "replica"]
EVERY_KEY = """levels: [{interval: 10s}, {interval: 1m}], l0-retention: 2m, l0-retention-check-interval: 3s,
 retention: {enabled: false}, snapshot: {interval: 30m, retention: 2d,
 keep: {hourly: 1, daily: 2, weekly: 3, monthly: 4}}"""
EVERY_RULE = Rules((10.0, 60.0), 120.0, 3.0, 1800.0, 2 * DAY, Keep(1, 2, 3, 4), enabled=False)


@pytest.mark.parametrize("place", PLACES)
def test_every_rule_is_read_at_every_place(place: str) -> None:
    assert rules(**{place: EVERY_KEY}) == EVERY_RULE


def test_the_defaults_are_litestreams() -> None:
    expected = Rules((30.0, 300.0, 3600.0), 300.0, 15.0, DAY, DAY, Keep(0, 0, 0, 0), enabled=True)
    assert rules() == expected == Rules()


@pytest.mark.parametrize(("nearer", "farther"), [("database", "top"), ("replica", "top"), ("replica", "database")])
def test_the_nearest_place_wins_key_by_key(nearer: str, farther: str) -> None:
    other = "l0-retention: 1s, snapshot: {retention: 5d, keep: {daily: 9}}, retention: {enabled: true}"
    expected = replace(
        EVERY_RULE, l0_retention_s=1.0, snapshot_retention_s=5 * DAY, keep=Keep(1, 9, 3, 4), enabled=True
    )
    assert rules(**{farther: EVERY_KEY, nearer: other}) == expected
    assert rules(**{farther: other, nearer: EVERY_KEY}) == EVERY_RULE


def test_replicas_follow_their_own() -> None:
    first, second, third = (
        read("""\
levels: [{interval: 1m}]
dbs:
  - path: /a
    snapshot: {interval: 1h}
    replicas:
      - {name: one, path: /one, snapshot: {retention: 2d}}
      - {name: two, path: /two, levels: [{interval: 7s}], l0-retention: 0}
  - path: /b
    replica: {path: /three}
""")
        .databases[n]
        .replicas[m]
        .rules
        for n, m in ((0, 0), (0, 1), (1, 0))
    )
    assert first == Rules(levels_s=(60.0,), snapshot_interval_s=3600.0, snapshot_retention_s=2 * DAY)
    assert second == Rules(levels_s=(7.0,), snapshot_interval_s=3600.0, l0_retention_s=0.0)
    assert third == Rules(levels_s=(60.0,))


def test_null_leaves_a_rule_as_it_was() -> None:
    top = "levels: [{interval: 9s}], snapshot: {retention: 2d}"
    expected = Rules(levels_s=(9.0,), snapshot_retention_s=2 * DAY)
    assert rules(top, replica="levels: ~, snapshot: {retention: , keep: ~}, retention: null") == expected


def test_a_short_window_shortens_the_default_of_level_0() -> None:
    assert rules("levels: [{interval: 1s}], snapshot: {retention: 1m}").l0_retention_s == 60.0


@pytest.mark.parametrize("word", ["true", "YES", "on", "'true'"])
def test_words_for_true(word: str) -> None:
    assert rules("retention: {enabled: false}", replica=f"retention: {{enabled: {word}}}").enabled


@pytest.mark.parametrize(
    ("text", "quota"),
    [
        ("10%", Quota(share=0.1)),
        ("'12.5 %'", Quota(share=0.125)),
        ("100%", Quota(share=1.0)),
        ("2GiB", Quota(size=2 << 30)),
        ("1048576", Quota(size=1 << 20)),
    ],
)
def test_a_quota_is_a_size_or_a_share(text: str, quota: Quota) -> None:
    assert settings(database=f"spool-quota: {text}").spool_quota == quota
    assert settings(top=f"spool-quota: {text}").spool_quota == quota
    assert settings(top="spool-quota: 3%", database=f"spool-quota: {text}").spool_quota == quota


def test_room_for_an_image() -> None:
    assert settings().wal_limit == 128 << 20
    assert settings().spool_quota == Quota(share=0.25)
    assert settings("snapshot: {wal-limit: 1GiB}").wal_limit == 1 << 30
    assert settings("snapshot: {wal-limit: 1GiB}", "snapshot: {wal-limit: 1MiB}").wal_limit == 1 << 20


FAULTS = {
    "levels a word": ("levels: 30s", "levels takes a list (- interval: 30s), not a single value"),
    "levels a mapping": ("levels: {interval: 30s}", "levels takes a list (- interval: 30s), not a mapping"),
    "no level": ("levels: []", "levels is empty: name at least one level, or leave the key out"),
    "a level that is a word": ("levels: [30s]", "a level takes the key interval ({interval: 30s}), not a single value"),
    "a level without interval": ("levels: [{}]", "this level has no interval: write {interval: 30s}"),
    "a level of nothing": ("levels: [{interval: ~}]", "this level has no interval: write {interval: 30s}"),
    "another key": ("levels: [{interval: 1s, keep: 2}]", "unknown key levels.keep: a level has an interval and"),
    "an interval of 0": ("levels: [{interval: 0}]", "levels: '0' must be longer than 0"),
    "a tiny interval": ("levels: [{interval: 1us}]", "levels: '1us' is shorter than 1ms, the shortest time here"),
    "no unit": ("levels: [{interval: 30}]", "levels: '30' is not a duration"),
    "the same twice": (
        "levels: [{interval: 30s}, {interval: 30s}]",
        "levels: this interval (30s) is not longer than the one before it (30s): each level merges the files",
    ),
    "falling": ("levels: [{interval: 5m}, {interval: 30s}]", "levels: this interval (30s) is not longer than the one"),
    "too many": (f"levels: [{', '.join(f'{{interval: {n}s}}' for n in range(1, 10))}]", "there are 8 levels at most"),
    "l0-retention": ("l0-retention: -1s", "l0-retention: '-1s' is not a duration"),
    "check interval": ("l0-retention-check-interval: 0", "l0-retention-check-interval: '0' must be longer than 0"),
    "enabled": ("retention: {enabled: maybe}", "retention.enabled: 'maybe' is not one of true, false"),
    "snapshot interval": ("snapshot: {interval: 0s}", "snapshot.interval: '0s' must be longer than 0"),
    "snapshot retention": ("snapshot: {retention: 0s}", "snapshot.retention: '0s' must be longer than 0"),
    "keep": ("snapshot: {keep: 7}", "snapshot.keep takes a mapping, with the keys daily, hourly, monthly, weekly"),
    "keep yearly": ("snapshot: {keep: {yearly: 7}}", "unknown key snapshot.keep.yearly"),
    "keep less": ("snapshot: {keep: {daily: -1}}", "snapshot.keep.daily: '-1' must be at least 0"),
    "beyond the window": (
        "l0-retention: 2d",
        "l0-retention (2d) is longer than snapshot.retention (1d): nothing can be restored from before that window;",
    ),
    "hourly": (
        "snapshot: {keep: {hourly: 24}}",
        "snapshot.keep.hourly needs a snapshot every 1h, and snapshot.interval is 1d: write snapshot: {interval: 1h}"
        " or leave hourly out",
    ),
    "daily": ("snapshot: {interval: 25h, keep: {daily: 1}}", "snapshot.keep.daily needs a snapshot every 1d"),
    "weekly": ("snapshot: {interval: 8d, keep: {weekly: 1}}", "snapshot.keep.weekly needs a snapshot every 7d"),
    "monthly": ("snapshot: {interval: 32d, keep: {monthly: 1}}", "snapshot.keep.monthly needs a snapshot every 31d"),
}
ROOM = {
    "wal-limit": ("snapshot: {wal-limit: 1MB}", "snapshot.wal-limit: '1MB' is less than 1.0 MiB, the smallest size"),
    "a small quota": ("spool-quota: 0", "spool-quota: '0' is less than 1.0 MiB, the smallest size here"),
    "no share": ("spool-quota: 0%", "spool-quota: '0%' is not a percentage above 0% and up to 100%"),
    "too large a share": ("spool-quota: 101%", "spool-quota: '101%' is not a percentage above 0% and up to 100%"),
    "a word of a share": ("spool-quota: x%", "spool-quota: 'x%' is not a percentage above 0% and up to 100%"),
    "a word": ("spool-quota: much", "spool-quota: 'much' is not a size"),
}
CASES = [(place, *case) for place in PLACES for case in FAULTS.values()]
CASES += [(place, *case) for place in PLACES[:2] for case in ROOM.values()]


@pytest.mark.parametrize(("place", "text", "expected"), CASES)
def test_what_makes_no_sense_is_refused(place: str, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**{place: text})
    sentences = [line.partition(": ")[2] for line in str(caught.value).split("\n")]
    assert len(sentences) == 1
    assert sentences[0].startswith(expected)


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return [line.removeprefix(f"{SOURCE}:").partition(": ")[0] for line in str(caught.value).split("\n")]


def test_a_contradiction_is_told_where_it_arose() -> None:
    """Both keys alone are fine; the nearer one is named, and one at the top is told once for all replicas."""
    text = """\
l0-retention: 2h
dbs:
  - {path: /a, replica: {path: /ra}}
  - {path: /b, replica: {path: /rb, snapshot: {retention: 1h}}}
"""
    assert faults(text) == ["4:59"]
    assert faults(text.replace("2h", "2d")) == ["1:15", "4:59"]
    first, rest = text.split("\n", 1)
    assert faults(rest + first) == ["3:59"]  # nearer is not later


def test_without_deletions_there_is_no_contradiction() -> None:
    nothing = "retention: {enabled: false}, l0-retention: 9d, snapshot: {keep: {hourly: 1}}"
    assert not rules(replica=nothing).enabled


def test_level_0_may_go_sooner_than_level_1_comes() -> None:
    assert rules("l0-retention: 1s, levels: [{interval: 1h}]").l0_retention_s == 1.0


def test_a_level_longer_than_the_window_is_worth_a_word() -> None:
    config = read("dbs: [{path: /a, replica: {path: /b, snapshot: {retention: 30m}}}]")
    assert config.databases[0].replicas[0].rules == Rules(snapshot_retention_s=1800.0)
    assert config.warnings == (
        f"{SOURCE}:1:60: the last of the levels (1h) is longer than snapshot.retention (30m): its files are deleted"
        " soon after they are made; fewer levels, or a longer snapshot.retention, cost less",
    )


def test_the_old_key_of_a_replica_is_refused_and_the_section_of_its_name_is_not() -> None:
    assert not rules(replica="retention: {enabled: false}").enabled
    with pytest.raises(ConfigError) as caught:
        rules(replica="retention: 24h")
    assert "retention is refused: a key of Litestream 0.3; write snapshot: {retention: ...} instead" in str(
        caught.value
    )


def test_a_whole_litestream_configuration_loads() -> None:
    """The keys of Litestream 0.5 that concern history, as its documentation shows them."""
    config = read("""\
addr: ":9090"
levels:
  - interval: 30s
  - interval: 5m
  - interval: 1h
snapshot:
  interval: 24h
  retention: 168h
l0-retention: 5m
l0-retention-check-interval: 15s
retention:
  enabled: true
validation:
  interval: 1h
verify-compaction: true
dbs:
  - path: /var/lib/app.db
    snapshot: {interval: 12h, retention: 48h}
    replica:
      type: file
      path: /backup
      sync-interval: 1s
""")
    expected = Rules(snapshot_interval_s=43200.0, snapshot_retention_s=2 * DAY)
    assert config.databases[0].replicas[0].rules == expected
    assert config.addr == ("", 9090)
    assert [warning.partition(": ")[2].partition(" ")[0] for warning in config.warnings] == [
        "validation.interval",
        "verify-compaction",
    ]
