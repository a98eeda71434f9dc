"""Metrics of instances, in Prometheus' text format.

In: status documents (daemon/status.py) of instances that run, and the last ones of those that do not. Out: text.
Promised: every series is one of the table below (docs/metrics.md is held equal to it); a dead instance has no counters,
which would be lies of a moment ago, but says that it is dead, since when, and how far its replicas were.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, UnknownMetricFamily
from prometheus_client.metrics_core import Metric as Family

Document = Mapping[str, Any]
Sample = tuple[Sequence[str], float | None]
"""The labels after those of the table's scope, and the value; None: not known, so there is no series."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: `labels` are those beside the ones of where it belongs; `read` takes the part of the document that it
    belongs to. `counts`: it only grows. `after_death`: it is still true of an instance that is dead."""

    name: str
    help: str
    read: Callable[[Document], Iterable[Sample]]
    labels: tuple[str, ...] = ()
    counts: bool = False
    after_death: bool = False


def _value(key: str, scale: float = 1.0) -> Callable[[Document], Iterable[Sample]]:
    def read(part: Document) -> Iterable[Sample]:
        value = part.get(key)
        return [((), None if value is None else value * scale)]

    return read


def _each(key: str) -> Callable[[Document], Iterable[Sample]]:
    def read(part: Document) -> Iterable[Sample]:
        return [((label,), value) for label, value in sorted((part.get(key) or {}).items())]

    return read


def _whether(question: Callable[[Document], bool]) -> Callable[[Document], Iterable[Sample]]:
    return lambda part: [((), float(question(part)))]


def _verified(key: str, scale: float = 1.0) -> Callable[[Document], Iterable[Sample]]:
    return lambda part: _value(key, scale)(part.get("verified") or {})


OF_INSTANCE = (
    Metric("litestreamd_up", "Whether the daemon of the instance runs and answers.",
           _whether(lambda part: not part.get("dead")), after_death=True),
    Metric("litestreamd_status_age_seconds", "Age of what is said here: 0 of a daemon that runs.",
           _value("age_s"), after_death=True),
    Metric("litestreamd_start_time_seconds", "When the daemon was started, in seconds since 1970.",
           _value("started_ms", 0.001)),
    Metric("litestreamd_watchdog_age_seconds", "For how long the most silent of the workers has made no progress.",
           _value("watchdog_age_s")),
    Metric("litestreamd_reload_failed", "Whether the last new configuration was refused.",
           _whether(lambda part: part.get("reload_error") is not None)),
)  # fmt: skip

OF_DATABASE = (
    Metric("litestreamd_db_txid", "The last TXID that is captured.", _value("txid"), after_death=True),
    Metric("litestreamd_db_size_bytes", "Size of the database file.", _value("size")),
    Metric("litestreamd_db_wal_size_bytes", "Size of the WAL file.", _value("wal_size")),
    Metric("litestreamd_db_watched", "Whether the database is watched, or known to be absent.",
           _whether(lambda part: part.get("state") in ("watched", "absent"))),
    Metric("litestreamd_db_captures_total", "TXIDs captured.", _value("captures"), counts=True),
    Metric("litestreamd_db_captured_bytes_total", "Bytes of the LTX files captured.",
           _value("captured_bytes"), counts=True),
    Metric("litestreamd_db_captured_pages_total", "Pages captured.", _value("captured_pages"), counts=True),
    Metric("litestreamd_db_checkpoints_total", "Checkpoints made.", _value("checkpoints"), counts=True),
    Metric("litestreamd_db_write_lock_seconds_total", "For how long writers of the application waited for checkpoints.",
           _value("write_lock_s"), counts=True),
    Metric("litestreamd_db_spool_bytes", "Bytes in the spool.", _value("spool_bytes"), after_death=True),
    Metric("litestreamd_db_spool_files", "Files in the spool.", _value("spool_files"), after_death=True),
    Metric("litestreamd_db_spool_quota_bytes", "Bytes that the spool may take now.", _value("spool_quota")),
    Metric("litestreamd_db_errors_total", "Failures of the capture, by class.", _each("errors"), ("class",),
           counts=True),
    Metric("litestreamd_db_last_verified_timestamp_seconds", "When a drill last proved a replica or failed to.",
           _verified("at_ms", 0.001), after_death=True),
    Metric("litestreamd_db_last_verify_success", "Whether that drill succeeded.", _verified("ok"), after_death=True),
)  # fmt: skip

OF_REPLICA = (
    Metric("litestreamd_replica_txid", "Up to which TXID the replica has everything.", _value("txid"),
           after_death=True),
    Metric("litestreamd_replica_lag_seconds", "Age of the oldest commit that the replica lacks; 0: it has everything.",
           _value("lag_s"), after_death=True),
    Metric("litestreamd_replica_lag_bytes", "Bytes in the spool that the replica lacks.", _value("lag_bytes"),
           after_death=True),
    Metric("litestreamd_replica_lag_txids", "TXIDs that the replica lacks.", _value("lag_txids"), after_death=True),
    Metric("litestreamd_replica_last_sync_timestamp_seconds", "When the replica last got something, or was found to be"
           " ours to write.", _value("last_sync_ms", 0.001), after_death=True),
    Metric("litestreamd_replica_last_verified_timestamp_seconds", "When a drill last proved the replica or failed to.",
           _verified("at_ms", 0.001), after_death=True),
    Metric("litestreamd_replica_last_verify_success", "Whether that drill succeeded.", _verified("ok"),
           after_death=True),
    Metric("litestreamd_replica_verified_txid", "The TXID that that drill restored.", _verified("txid"),
           after_death=True),
    Metric("litestreamd_replica_healthy", "Whether nothing fails there now.",
           _whether(lambda part: part.get("error") is None)),
    Metric("litestreamd_replica_weak_fence", "Whether the store cannot refuse a second writer.",
           _whether(lambda part: part.get("fence") == "weak")),
    Metric("litestreamd_replica_uploads_total", "Objects created, by level.", _each("uploads"), ("level",),
           counts=True),
    Metric("litestreamd_replica_upload_bytes_total", "Bytes of them, by level.", _each("upload_bytes"), ("level",),
           counts=True),
    Metric("litestreamd_replica_upload_seconds_total", "Seconds that took, by level.", _each("upload_s"), ("level",),
           counts=True),
    Metric("litestreamd_replica_deleted_objects_total", "Objects that expired.", _value("deleted"), counts=True),
    Metric("litestreamd_replica_errors_total", "Failures, by class.", _each("errors"), ("class",), counts=True),
    Metric("litestreamd_replica_requests_total", "Requests to the store, by operation.", _each("requests"),
           ("operation",), counts=True),
)  # fmt: skip

BUILD = Metric("litestreamd_build_info", "1; the label says which version answers.", lambda _: (), ("version",))

LITESTREAMS = (
    Metric("litestream_db_size", "As litestreamd_db_size_bytes.", _value("size")),
    Metric("litestream_wal_size", "As litestreamd_db_wal_size_bytes.", _value("wal_size")),
    Metric("litestream_txid", "As litestreamd_db_txid.", _value("txid")),
    Metric("litestream_sync_error_count", "The sum of litestreamd_db_errors_total.",
           lambda part: [((), float(sum((part.get("errors") or {}).values())))], counts=True),
    Metric("litestream_checkpoint_count", "As litestreamd_db_checkpoints_total.", _value("checkpoints"), counts=True),
)  # fmt: skip
"""Litestream's names (0.5) where the meaning is the same, for dashboards that know them; labelled `db` alone. Not
`litestream_sync_count`: it grows every second of an idle database, and an alert on its standing still would fire."""


def render(documents: Sequence[Document], version: str) -> bytes:
    """The text of all of them. `version` of the program that answers. A document of a dead instance has `dead: true`
    and `age_s`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(_families(documents, version))))
    return bytes(generate_latest(registry))


class _Collected:
    """What a registry asks for."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        return iter(self._families)


def _families(documents: Sequence[Document], version: str) -> Iterator[Family]:
    build = GaugeMetricFamily(BUILD.name, BUILD.help, labels=BUILD.labels)
    build.add_metric([version], 1.0)
    yield build
    instances = [((str(each["instance"]),), each, bool(each.get("dead"))) for each in documents]
    databases = [
        ((*labels, str(part["path"])), part, dead)
        for labels, each, dead in instances
        for part in each.get("databases") or ()
    ]
    replicas = [
        ((*labels, str(part["name"])), part, dead) for labels, each, dead in databases for part in each["replicas"]
    ]
    wanted = {str(each["instance"]) for each in documents if each.get("litestream_names")}
    known = [(labels[1:], part, dead) for labels, part, dead in databases if labels[0] in wanted]
    scopes: tuple[tuple[tuple[Metric, ...], tuple[str, ...], list[tuple[tuple[str, ...], Document, bool]]], ...] = (
        (OF_INSTANCE, ("instance",), [(labels, part, dead) for labels, part, dead in instances]),
        (OF_DATABASE, ("instance", "db"), [(labels, part, dead) for labels, part, dead in databases]),
        (OF_REPLICA, ("instance", "db", "replica"), [(labels, part, dead) for labels, part, dead in replicas]),
        (LITESTREAMS, ("db",), [(labels, part, dead) for labels, part, dead in known]),
    )
    for metrics, labels, parts in scopes:
        for metric in metrics:
            family = _family(metric, labels, parts)
            if family.samples:
                yield family


def _kind(metric: Metric) -> type[CounterMetricFamily | GaugeMetricFamily | UnknownMetricFamily]:
    """Litestream's counters are not called `_total`, and as counters they would be."""
    if not metric.counts:
        return GaugeMetricFamily
    return CounterMetricFamily if metric.name.endswith("_total") else UnknownMetricFamily


def _family(metric: Metric, labels: tuple[str, ...], parts: list[tuple[tuple[str, ...], Document, bool]]) -> Family:
    family = _kind(metric)(metric.name, metric.help, labels=(*labels, *metric.labels))
    for names, part, dead in parts:
        if not dead or metric.after_death:
            for more, value in metric.read(part):
                if value is not None:
                    family.add_metric([_printable(each) for each in (*names, *more)], float(value))
    return family


def _printable(label: str) -> str:
    """A file may have a name that is not UTF-8 (os.fsdecode); the format is UTF-8, one such label breaks it."""
    return label.encode(errors="backslashreplace").decode()
