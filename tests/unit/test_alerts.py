"""Alert rules and dashboard: they say what Prometheus takes, about metrics that there are."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from litestreamd.daemon.metrics import BUILD, OF_DATABASE, OF_INSTANCE, OF_REPLICA

PACKAGING = Path(__file__).parents[2] / "packaging"
RULES = PACKAGING / "prometheus" / "litestreamd-alerts.yml"
DASHBOARD = PACKAGING / "grafana" / "litestreamd.json"
DOCUMENTATION = PACKAGING.parent / "docs" / "metrics.md"
KNOWN = {metric.name for metric in (BUILD, *OF_INSTANCE, *OF_DATABASE, *OF_REPLICA)}
NAME = re.compile(r"\blitestreamd_\w+")

with_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (package prometheus)")


def panel_queries() -> list[str]:
    return [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]


@with_promtool
@pytest.mark.parametrize("words", [("check", "rules", RULES.name), ("test", "rules", "litestreamd-alerts.test.yml")])
def test_promtool_is_content(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        ["promtool", *words], cwd=RULES.parent, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_about_metrics_that_there_are() -> None:
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    for rule in rules:
        named = NAME.findall(rule["expr"])
        assert named and set(named) <= KNOWN, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_every_rule_has_a_case() -> None:
    cases = (RULES.parent / "litestreamd-alerts.test.yml").read_text()
    for name in re.findall(r"alert: (\w+)", RULES.read_text()):
        assert f'alertname="{name}"' in cases


def test_the_documentation_has_every_rule() -> None:
    documented = re.findall(r"^\| `(Litestreamd\w+)` \| (\w+) \|", DOCUMENTATION.read_text(), re.MULTILINE)
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert documented == [(rule["alert"], rule["labels"]["severity"]) for rule in rules]


@with_promtool
def test_prometheus_understands_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    records = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(panel_queries())]
    rules = tmp_path / "rules.yml"
    rules.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", rules], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(records)} rules found" in done.stdout


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    queries = panel_queries()
    queries += [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "query"]
    assert len(queries) > 15
    for query in queries:
        named = NAME.findall(query)
        assert named and set(named) <= KNOWN, query
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert {each["name"] for each in dashboard["templating"]["list"]} == {"datasource", "instance", "db", "replica"}
