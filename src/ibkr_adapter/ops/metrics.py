"""Prometheus metrics, read from the snapshot at the moment of a scrape: no event pays for them.

Counters of the snapshot are named ``family`` or ``family.label``; the families below become metrics of their
own, every other one ``ib_core_total{name}``, so that nothing counted is ever invisible. ``docs/reference/metrics.md``
describes each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ibkr_adapter.clock import SECOND
from ibkr_adapter.notices import NoticeTable, shipped
from ibkr_adapter.snapshot import SinkView, Snapshot

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

DROPS: Final = ("tick",)

_OF_THEIR_OWN: Final = {
    "orphans_cancelled": ("ib_orphans_cancelled", "Cancels sent again for request ids that went on speaking"),
}

_LABELLED: Final = {
    "order_error": ("ib_order_error", "code", "IB refused or questioned an order, by code"),
    "notice": ("ib_error", "code", "IB message codes received"),
    "dropped": (
        "ib_dropped",
        "class",
        "Dropped at a bound and told as a gap; orders, executions and records never are",
    ),
}


def from_the_start(notices: NoticeTable) -> dict[str, tuple[str, ...]]:
    """Labels exported as 0 before anything happened: an alert on an increase would miss the first one otherwise."""
    return {
        "order_error": tuple(str(notice.code) for notice in notices.alerting if "order" in notice.scope),
        "notice": tuple(str(notice.code) for notice in notices.alerting),
        "dropped": DROPS,
    }


class AdapterCollector(Collector):
    """What a scrape sees. Both callables are called once for each scrape, on the thread that scrapes."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        sinks: Callable[[], tuple[SinkView, ...]],
        notices: NoticeTable | None = None,
    ) -> None:
        """``notices``: the table in force, which says what alerts; otherwise the shipped one."""
        self._snapshot = snapshot
        self._sinks = sinks
        self._notices = notices if notices is not None else shipped()

    def collect(self) -> Iterable[Metric]:
        snapshot, sinks = self._snapshot(), self._sinks()
        yield from _link(snapshot)
        yield from _pacing(snapshot)
        yield _alerts(snapshot)
        yield from _windows(snapshot)
        yield from _trading(snapshot)
        yield from _streams(snapshot)
        yield from _sink_metrics(sinks)
        yield from _counters(snapshot.counters, from_the_start(self._notices))

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not ask for a snapshot before there is one."""
        return ()


def exposition(collector: Collector) -> bytes:
    """The text of one scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _link(snapshot: Snapshot) -> Iterator[Metric]:
    link, ready = snapshot.link, snapshot.link.state == "ready"
    has_id = link.state in ("reconciling", "ready", "suspect")
    yield _gauge("ib_connection_status", "1 when the session is ready, else 0", float(ready))
    active = GaugeMetricFamily("ib_clientid_active", "1 while this client id has a session", labels=["client_id"])
    active.add_metric([str(link.client_id)], float(has_id))
    yield active
    used = GaugeMetricFamily("ib_gateway_in_use", "1 for the gateway that is used or tried", labels=["gateway"])
    used.add_metric([link.gateway], 1.0)
    yield used
    yield _gauge(
        "ib_upstream_status", "1 while the gateway is connected to IB", float(snapshot.upstream == "connected")
    )
    yield _gauge("ib_reconnect_consecutive_failures", "Failed attempts since the last session", float(link.failures))
    yield _gauge("ib_gateway_standby", "1 while the standby is used or tried, else 0", float(link.standby))
    yield _gauge("ib_lease_held", "1 while the client id is ours among several machines", float(snapshot.lease.held))
    yield _gauge("ib_lease_epoch", "Epoch of the lease; 0 where none is needed", float(snapshot.lease.epoch))
    yield _gauge("ib_restart_excuse", "1 while a planned window explains what is wrong", float(bool(link.excuse)))
    offset = GaugeMetricFamily(
        "ib_clock_offset_seconds", "Another clock ahead of ours; the gateway's is known to a second", labels=["clock"]
    )
    if link.clock_ahead_ns is not None:
        offset.add_metric(["gateway"], link.clock_ahead_ns / SECOND)
    yield offset
    yield _gauge("ib_session_epoch", "Number of the session", float(link.epoch))
    farms = GaugeMetricFamily("ib_farm_status", "1 ok or dormant, 0 broken", labels=["farm", "kind"])
    for farm in snapshot.farms:
        farms.add_metric([farm.name, farm.kind], float(farm.state in ("ok", "dormant")))
    yield farms
    keeps = GaugeMetricFamily(
        "ib_gateway_maintains_orders", "1 for what is known of the gateway's setting, 0 else", labels=["found"]
    )
    for found in ("ok", "on", "unchecked"):
        keeps.add_metric([found], float(snapshot.preflight.maintains_orders == found))
    yield keeps
    build = GaugeMetricFamily("ib_build_info", "Always 1", labels=["version", "environment", "component"])
    build.add_metric([snapshot.version, snapshot.environment, snapshot.component], 1.0)
    yield build


def _pacing(snapshot: Snapshot) -> Iterator[Metric]:
    rate = snapshot.rate
    yield _gauge("ib_message_rate_per_sec", "Messages sent in the last second", float(rate.last_second))
    yield _gauge("ib_message_rate_limit", "The most we send in a second", float(rate.limit))
    yield _gauge("ib_message_rate_reserved", "Messages a second on top, for cancels of orders", float(rate.reserved))
    yield _gauge(
        "ib_message_rate_halved", "1 for a minute after the gateway complained", float(rate.halved_until_ns is not None)
    )
    yield _gauge("ib_message_waiting", "Messages waiting for the rate limit", float(rate.waiting))
    yield CounterMetricFamily("ib_message_expired", "Messages never sent, they waited too long", value=rate.expired)
    waiting = GaugeMetricFamily("ib_message_lane_waiting", "Messages waiting in each lane", labels=["lane"])
    age = GaugeMetricFamily("ib_message_lane_wait_seconds", "How long the oldest of a lane has waited", labels=["lane"])
    for lane in rate.lanes:
        waiting.add_metric([lane.lane], float(lane.waiting))
        wait_ns = max(0, snapshot.taken_ns - lane.since_ns) if lane.since_ns is not None else 0
        age.add_metric([lane.lane], wait_ns / SECOND)
    held = GaugeMetricFamily("ib_message_held", "Messages held back by the limit of their own class", labels=["kind"])
    for kind in rate.held:
        held.add_metric([kind.kind], float(kind.waiting))
    used = GaugeMetricFamily("ib_quota_used", "Streams of a kind that stand at the gateway", labels=["quota"])
    limit = GaugeMetricFamily("ib_quota_limit", "How many may, as configured or learned", labels=["quota"])
    for quota in snapshot.quotas:
        used.add_metric([quota.name], float(quota.used))
        limit.add_metric([quota.name], float(quota.limit if quota.learned is None else quota.learned))
    yield from (waiting, age, held, used, limit)


def _alerts(snapshot: Snapshot) -> Metric:
    active = GaugeMetricFamily(
        "ib_alert_active", "1 from the moment an alert was raised until it is over", labels=["key", "severity"]
    )
    for alert in snapshot.alerts:
        if alert.raised:
            active.add_metric([alert.key, alert.severity], 1.0)
    return active


def _windows(snapshot: Snapshot) -> Iterator[Metric]:
    """The age is that of the window in force, so that a restart that never ends is seen from outside."""
    window = snapshot.window
    present = window if window is not None and window.in_force else None
    age_ns = snapshot.taken_ns - present.from_ns if present is not None else 0
    yield _gauge("ib_planned_restart", "1 while a planned window holds, else 0", float(present is not None))
    yield _gauge("ib_planned_restart_age_seconds", "Since the planned window began, 0 without one", age_ns / SECOND)


def _trading(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge("ib_gate_state", "1 when new orders may be sent, else 0", float(snapshot.gate.open))
    yield _gauge("ib_journal_seq", "Last journal record written", float(snapshot.journal_seq))
    yield _gauge("ib_journal_durable_seq", "Last journal record safe on disk", float(snapshot.journal_durable_seq))
    yield _gauge(
        "ib_orders_unknown",
        "Orders whose outcome is not known",
        float(snapshot.counters.get("orders_in_doubt", 0)),
    )
    yield _gauge("ib_data_gaps", "Gaps of today kept in memory", float(len(snapshot.gaps)))


def _streams(snapshot: Snapshot) -> Iterator[Metric]:
    labels = ["stream", "instrument"]
    live = GaugeMetricFamily("ib_stream_live", "1 while the stream is live, else 0", labels=labels)
    age = GaugeMetricFamily("ib_stream_age_seconds", "Since the last event of a stream", labels=labels)
    gap = GaugeMetricFamily("ib_stream_gap_seconds", "How long its present gap is, 0 without one", labels=labels)
    anew = CounterMetricFamily(
        "ib_stream_resubscriptions", "How often it was asked for anew within a session", labels=labels
    )
    for stream in snapshot.streams:
        name = [stream.stream, stream.instrument]
        live.add_metric(name, float(stream.state == "live"))
        if stream.last_recv_ns is not None:
            age.add_metric(name, _seconds_since(stream.last_recv_ns, snapshot))
        gap.add_metric(name, 0.0 if stream.gap_since_ns is None else _seconds_since(stream.gap_since_ns, snapshot))
        anew.add_metric(name, float(stream.resubscriptions))
    yield from (live, age, gap, anew)
    yield _gauge("ib_streams_stopped", "1 while somebody has all market data stopped", float(bool(snapshot.stopped)))
    yield _gauge("ib_orphans", "Cancelled request ids that go on speaking", float(len(snapshot.orphans)))


def _seconds_since(ns: int, snapshot: Snapshot) -> float:
    return max(0, snapshot.taken_ns - ns) / SECOND


def _sink_metrics(sinks: tuple[SinkView, ...]) -> Iterator[Metric]:
    up = GaugeMetricFamily("ib_sink_up", "1 while the sink takes events", labels=["sink"])
    depth = GaugeMetricFamily("ib_sink_depth", "Events waiting for the sink", labels=["sink"])
    written = CounterMetricFamily("ib_sink_written", "Events the sink took", labels=["sink"])
    dropped = CounterMetricFamily("ib_sink_dropped", "Events the sink lost, each in a gap", labels=["sink"])
    for sink in sinks:
        up.add_metric([sink.name], float(sink.up))
        depth.add_metric([sink.name], float(sink.depth))
        written.add_metric([sink.name], float(sink.written))
        dropped.add_metric([sink.name], float(sink.dropped))
    yield from (up, depth, written, dropped)


def _counters(counters: dict[str, int], zeros: dict[str, tuple[str, ...]]) -> Iterator[Metric]:
    found: dict[str, dict[str, int]] = {name: dict.fromkeys(zeros[name], 0) for name in _LABELLED}
    other = CounterMetricFamily("ib_core", "Everything else the core counts", labels=["name"])
    for name, value in sorted(counters.items()):
        head, _, label = name.partition(".")
        if head in found and label:
            found[head][label] = value
        elif name not in _OF_THEIR_OWN:
            other.add_metric([name], float(value))
    for name, (metric, label_name, text) in _LABELLED.items():
        family = CounterMetricFamily(metric, text, labels=[label_name])
        for label, value in found[name].items():
            family.add_metric([label], float(value))
        yield family
    for name, (metric, text) in _OF_THEIR_OWN.items():
        yield CounterMetricFamily(metric, text, value=float(counters.get(name, 0)))
    yield other
