"""Metrics: each series is one of the table, the table is the documentation's, and Prometheus takes the text."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from litestreamd.daemon.metrics import BUILD, LITESTREAMS, OF_DATABASE, OF_INSTANCE, OF_REPLICA, Metric, render
from tests.support.statuses import database, document, replica

ROOT = Path(__file__).parents[2]
OURS = (BUILD, *OF_INSTANCE, *OF_DATABASE, *OF_REPLICA)
ROW = re.compile(r"^\| `(litestreamd_\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$", re.MULTILINE)
SCOPES = (
    ((BUILD,), ()),
    (OF_INSTANCE, ("instance",)),
    (OF_DATABASE, ("instance", "db")),
    (OF_REPLICA, ("instance", "db", "replica")),
)


def series(text: bytes) -> dict[str, float]:
    return {
        sample.name + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def names(text: bytes) -> set[str]:
    return {each.partition(" ")[0] for each in series(text)}


def test_a_full_document_gives_every_metric_and_no_other() -> None:
    assert names(render([document()], "1")) == {metric.name for metric in OURS}
    with_theirs = names(render([document(litestream_names=True)], "1"))
    assert with_theirs == {metric.name for metric in (*OURS, *LITESTREAMS)}


def test_the_values_are_those_of_the_document() -> None:
    found = series(render([document()], "0.1.0"))
    db, rep = "db=/var/lib/app/app.db instance=app", "db=/var/lib/app/app.db instance=app"
    assert found["litestreamd_build_info version=0.1.0"] == 1
    assert found["litestreamd_up instance=app"] == 1
    assert found["litestreamd_start_time_seconds instance=app"] == 1_700_000_000
    assert found["litestreamd_watchdog_age_seconds instance=app"] == 0.25
    assert found[f"litestreamd_db_txid {db}"] == 13
    assert found[f"litestreamd_db_write_lock_seconds_total {db}"] == 0.125
    assert found[f"litestreamd_db_last_verified_timestamp_seconds {db}"] == 1_799_000_000
    assert found[f"litestreamd_db_last_verify_success {db}"] == 1
    assert found[f"litestreamd_replica_verified_txid {rep} replica=s3"] == 11
    assert found[f"litestreamd_replica_last_verify_success {rep} replica=s3"] == 1
    assert found[f"litestreamd_db_errors_total class=EnvironmentFault {db}"] == 1
    assert found[f"litestreamd_replica_lag_seconds {rep} replica=s3"] == 0.5
    assert found[f"litestreamd_replica_healthy {rep} replica=s3"] == 1
    assert found[f"litestreamd_replica_weak_fence {rep} replica=s3"] == 0
    assert found["litestreamd_replica_uploads_total db=/var/lib/app/app.db instance=app level=9 replica=s3"] == 1
    assert (
        found["litestreamd_replica_requests_total db=/var/lib/app/app.db instance=app operation=put_object replica=s3"]
        == 8
    )


def test_trouble_shows() -> None:
    ill = replica(error={"class": "StoreError", "text": "x", "since_ms": 1}, fence="weak")
    text = render([document(reload_error="bad", databases=[database(state="failing", replicas=[ill])])], "1")
    found = series(text)
    assert found["litestreamd_reload_failed instance=app"] == 1
    assert found["litestreamd_db_watched db=/var/lib/app/app.db instance=app"] == 0
    assert found["litestreamd_replica_healthy db=/var/lib/app/app.db instance=app replica=s3"] == 0
    assert found["litestreamd_replica_weak_fence db=/var/lib/app/app.db instance=app replica=s3"] == 1


def test_a_dead_instance_says_so_and_counts_nothing() -> None:
    text = render([document(dead=True, age_s=77.0)], "1")
    found = series(text)
    assert found["litestreamd_up instance=app"] == 0
    assert found["litestreamd_status_age_seconds instance=app"] == 77
    assert not [name for name in names(text) if name.endswith("_total")]
    assert "litestreamd_replica_last_sync_timestamp_seconds" in names(text)
    assert "litestreamd_replica_healthy" not in names(text)
    bare = series(render([{"instance": "gone", "dead": True}], "1"))
    assert bare == {"litestreamd_build_info version=1": 1.0, "litestreamd_up instance=gone": 0.0}


def test_what_is_not_known_has_no_series() -> None:
    young = database(size=None, verified=None, replicas=[replica(last_sync_ms=None, fence=None)])
    known = names(render([document(databases=[young])], "1"))
    for name in ("db_size_bytes", "db_last_verify_success", "replica_last_sync_timestamp_seconds"):
        assert f"litestreamd_{name}" not in known


def test_instances_and_odd_names_stay_apart() -> None:
    odd = database(path='/srv/"quoted"\\back\nline.db')
    text = render(
        [document(), document(instance="web@7", databases=[odd, {"path": "/p", "state": "paused", "replicas": []}])],
        "1",
    )
    found = series(text)
    assert found["litestreamd_up instance=web@7"] == 1
    assert found['litestreamd_db_txid db=/srv/"quoted"\\back\nline.db instance=web@7'] == 13
    assert found["litestreamd_db_watched db=/p instance=web@7"] == 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (package prometheus)")
@pytest.mark.parametrize("changed", [{}, {"dead": True}, {"databases": []}, {"litestream_names": True}])
def test_prometheus_takes_it(changed: dict[str, object]) -> None:
    text = render([document(**changed), document(instance="other")], "1")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_documentation_has_the_same_table() -> None:
    def row(metric: Metric, labels: tuple[str, ...]) -> tuple[str, str, str, str]:
        kind = "counter" if metric.counts else "gauge"
        return metric.name, kind, ", ".join((*labels, *metric.labels)), metric.help

    expected = [row(metric, labels) for metrics, labels in SCOPES for metric in metrics]
    assert ROW.findall((ROOT / "docs" / "metrics.md").read_text()) == expected
