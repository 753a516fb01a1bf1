from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from ibkr_adapter.clock import SECOND
from ibkr_adapter.notices import shipped
from ibkr_adapter.ops.metrics import AdapterCollector, exposition, from_the_start
from ibkr_adapter.snapshot import (
    HeldView,
    LaneView,
    OrphanView,
    PreflightView,
    QuotaView,
    SinkView,
    Snapshot,
    StoppedView,
)
from tests.console.fake_service import START_NS, night, snapshot

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scrape(picture: Snapshot, sinks: tuple[SinkView, ...] = ()) -> Samples:
    text = exposition(AdapterCollector(lambda: picture, lambda: sinks)).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_ready_session_is_1_and_any_other_0() -> None:
    """ib_connection_status and ib_clientid_active follow the session, the gate its own state."""
    day, down = scrape(snapshot()), scrape(night(START_NS))
    for name, labels in (
        ("ib_connection_status", ()),
        ("ib_clientid_active", (("client_id", "1"),)),
        ("ib_upstream_status", ()),
        ("ib_gate_state", ()),
        ("ib_farm_status", (("farm", "usfarm"), ("kind", "market"))),
    ):
        assert (day[name, labels], down[name, labels]) == (1.0, 0.0), name


def test_a_standby_an_excuse_and_a_wrong_clock_are_seen_from_outside() -> None:
    """1 while they are so; a clock that nobody has measured has no value."""
    plain = snapshot()
    link = replace(plain.link, standby=True, excuse="gateway restart", clock_ahead_ns=-3 * SECOND)
    usual, odd = scrape(plain), scrape(replace(plain, link=link))
    for name in ("ib_gateway_standby", "ib_restart_excuse"):
        assert (usual[name, ()], odd[name, ()]) == (0.0, 1.0), name
    clock = ("ib_clock_offset_seconds", (("clock", "gateway"),))
    assert odd[clock] == -3.0
    assert clock not in usual


def test_nothing_is_told_twice() -> None:
    """A scrape that holds a value twice is thrown away whole."""
    for picture in (snapshot(), night(START_NS)):
        text = exposition(AdapterCollector(lambda picture=picture: picture, lambda: ())).decode()  # type: ignore[misc]
        names = [line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")]
        types = [line for line in text.splitlines() if line.startswith("# TYPE")]
        assert len(names) == len(set(names))
        assert len(types) == len(set(types))


@pytest.mark.parametrize("state", ["reconciling", "ready", "suspect", "connecting", "identifying", "down", "halted"])
def test_a_client_id_is_active_from_the_greeting_to_the_end(state: str) -> None:
    """The gateway gives it to nobody else meanwhile, whether the session is ready or not."""
    plain = snapshot()
    active = scrape(replace(plain, link=replace(plain.link, state=state)))["ib_clientid_active", (("client_id", "1"),)]
    assert active == float(state in ("reconciling", "ready", "suspect"))


def test_every_metric_stands_in_the_reference() -> None:
    """docs/reference/metrics.md has a row for each, with its kind and its labels, and for none that is not there."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(ib_[a-z_]+)(?:\{([a-z_, ]+)\})?` \| (gauge|counter) \|", page, re.MULTILINE)
    told = [
        (family.name + ("_total" if family.type == "counter" else ""), ", ".join(family._labelnames), family.type)
        for family in AdapterCollector(snapshot, lambda: ()).collect()
    ]
    assert sorted(rows) == sorted(told)


def test_what_is_wrong_with_a_stream_can_be_alerted_on() -> None:
    """Live or not, how long its gap is by now, and how often it was asked for anew."""
    day = snapshot()
    odd = replace(day.streams[0], state="stopped", gap_since_ns=START_NS - 7 * SECOND, resubscriptions=2)
    stopped = StoppedView(actor="cli:ann", since_ns=START_NS)
    orphan = OrphanView(req_id=1, since_ns=START_NS, last_recv_ns=START_NS, cancels=1)
    usual = scrape(replace(day, counters={}))
    wrong = scrape(
        replace(
            day,
            streams=(odd,),
            stopped=stopped,
            orphans=(orphan,),
            counters={"orphans_cancelled": 3},
        )
    )
    labels = (("instrument", "SPY"), ("stream", "quote:SPY"))
    for name, before, after in (
        ("ib_stream_live", 1, 0),
        ("ib_stream_gap_seconds", 0, 7),
        ("ib_stream_resubscriptions_total", 0, 2),
    ):
        assert (usual[name, labels], wrong[name, labels]) == (before, after), name
    for name, after in (("ib_streams_stopped", 1), ("ib_orphans", 1), ("ib_orphans_cancelled_total", 3)):
        assert (usual[name, ()], wrong[name, ()]) == (0, after), name


@pytest.mark.parametrize("found", ["ok", "on", "unchecked"])
def test_what_is_known_of_the_gateways_setting_is_one_of_three(found: str) -> None:
    """All three are there from the start."""
    samples = scrape(replace(snapshot(), preflight=PreflightView(maintains_orders=found)))
    values = {labels[0][1]: value for (name, labels), value in samples.items() if name == "ib_gateway_maintains_orders"}
    assert values == {each: float(each == found) for each in ("ok", "on", "unchecked")}


def test_who_waits_and_what_is_used_up_can_be_seen() -> None:
    """Lanes with the age of their oldest, classes that are held back, and each quota against what is learned of it."""
    day = snapshot()
    rate = replace(
        day.rate,
        expired=3,
        lanes=(LaneView(lane="orders", waiting=2, since_ns=day.taken_ns - SECOND), LaneView(lane="details", waiting=0)),
        held=(HeldView(kind="history", waiting=4),),
    )
    quotas = (QuotaView(name="lines", used=40, limit=100, learned=41), QuotaView(name="depth", used=0, limit=3))

    samples = scrape(replace(day, rate=rate, quotas=quotas))

    def of(metric: str) -> dict[str, float]:
        return {labels[0][1]: value for (name, labels), value in samples.items() if name == metric}

    assert samples["ib_message_expired_total", ()] == 3.0
    assert of("ib_message_lane_waiting") == {"orders": 2.0, "details": 0.0}
    assert of("ib_message_lane_wait_seconds") == {"orders": 1.0, "details": 0.0}
    assert of("ib_message_held") == {"history": 4.0}
    assert of("ib_quota_used") == {"lines": 40.0, "depth": 0.0}
    assert of("ib_quota_limit") == {"lines": 41.0, "depth": 3.0}


def test_alerts_are_active_from_being_told_until_they_are_over() -> None:
    """One series for each key, and none for what only waits to be told."""
    samples = scrape(night(START_NS))
    active = {labels: value for (name, labels), value in samples.items() if name == "ib_alert_active"}
    assert active == {
        (("key", "link/down"), ("severity", "critical")): 1.0,
        (("key", "farm/usfarm"), ("severity", "warning")): 1.0,
    }
    assert not [name for name, _ in scrape(snapshot()) if name == "ib_alert_active"]


def test_a_planned_window_is_seen_from_outside_with_its_age() -> None:
    """1 and seconds while one holds, 0 and 0 otherwise, also before the next one and where there is none at all."""
    during, before, never = scrape(night(START_NS)), scrape(snapshot()), scrape(replace(snapshot(), window=None))
    values = [(s["ib_planned_restart", ()], s["ib_planned_restart_age_seconds", ()]) for s in (during, before, never)]
    assert values == [(1.0, 1200.0), (0.0, 0.0), (0.0, 0.0)]


@pytest.mark.parametrize(("state", "value"), [("ok", 1.0), ("dormant", 1.0), ("broken", 0.0), ("connecting", 0.0)])
def test_a_farm_is_1_while_it_serves(state: str, value: float) -> None:
    """Dormant serves on demand; broken and connecting do not. Each by name and kind."""
    day = snapshot()
    farm = replace(day.farms[2], state=state)
    assert scrape(replace(day, farms=(farm,)))["ib_farm_status", (("farm", "ushmds"), ("kind", "history"))] == value


@pytest.mark.parametrize(("upstream", "value"), [("connected", 1.0), ("lost", 0.0), ("unknown", 0.0)])
def test_the_gateways_own_link_is_1_when_known_to_be_up(upstream: str, value: float) -> None:
    """Unknown is not up."""
    assert scrape(replace(snapshot(), upstream=upstream))["ib_upstream_status", ()] == value


def test_the_rate_is_shown_against_its_limit() -> None:
    """Messages of the last second, the most we send, and how many wait."""
    samples = scrape(snapshot())
    assert samples["ib_message_rate_per_sec", ()] == 7
    assert samples["ib_message_rate_limit", ()] == 45


@pytest.mark.parametrize(
    ("metric", "label", "values"),
    [
        ("ib_order_error_total", "code", from_the_start(shipped())["order_error"]),
        ("ib_error_total", "code", from_the_start(shipped())["notice"]),
        ("ib_dropped_total", "class", from_the_start(shipped())["dropped"]),
    ],
)
def test_what_alerts_is_0_before_it_ever_happened(metric: str, label: str, values: tuple[str, ...]) -> None:
    """An alert on an increase needs a value to increase from."""
    samples = scrape(replace(snapshot(), counters={}))
    assert {samples[metric, ((label, value),)] for value in values} == {0.0}


def test_the_codes_that_alert_are_marked_in_the_table() -> None:
    """One list: what the table calls alerting; of an order's codes those that come with an order's id."""
    found = from_the_start(shipped())
    assert {"100", "326", "1100", "2110", "10197", "201"} <= set(found["notice"])
    assert {"103", "201", "202", "321", "10147"} <= set(found["order_error"])
    assert not {"100", "326", "1100"} & set(found["order_error"])


def test_what_the_desk_marks_as_alerting_is_0_from_that_moment() -> None:
    """The table in force is asked at each scrape."""
    table, picture = shipped(), replace(snapshot(), counters={})
    collector = AdapterCollector(lambda: picture, lambda: (), table)
    assert b'ib_error_total{code="2104"}' not in exposition(collector)
    table.replace([replace(row, alert=row.alert or row.code == 2104) for row in table.rows])
    assert b'ib_error_total{code="2104"} 0.0' in exposition(collector)


def test_counters_of_the_core_become_metrics_by_family() -> None:
    """family.label goes to its metric, everything else to ib_core_total: nothing counted is invisible."""
    counters = {"order_error.201": 2, "notice.99999": 3, "dropped.tick": 4, "late_ticks": 5, "odd.label": 6}
    samples = scrape(replace(snapshot(), counters=counters))
    assert samples["ib_order_error_total", (("code", "201"),)] == 2
    assert samples["ib_error_total", (("code", "99999"),)] == 3
    assert samples["ib_dropped_total", (("class", "tick"),)] == 4
    assert samples["ib_core_total", (("name", "late_ticks"),)] == 5
    assert samples["ib_core_total", (("name", "odd.label"),)] == 6


def test_the_age_of_a_stream_counts_from_its_last_event() -> None:
    """In seconds, at the moment of the snapshot; a stream that never spoke has none."""
    day = snapshot()
    first, second, *_ = day.streams
    streams = (replace(first, last_recv_ns=START_NS - 5 * SECOND), replace(second, last_recv_ns=None))
    samples = scrape(replace(day, streams=streams))
    ages = {labels: value for (name, labels), value in samples.items() if name == "ib_stream_age_seconds"}
    assert ages == {(("instrument", "SPY"), ("stream", "quote:SPY")): 5.0}


def test_each_sink_tells_what_it_took_and_what_it_lost() -> None:
    """Up, waiting, written and dropped, by sink."""
    sinks = (SinkView(name="sqlite", up=False, since_ns=0, written=7, dropped=2, depth=3),)
    samples = scrape(snapshot(), sinks)
    label = (("sink", "sqlite"),)
    assert [samples[f"ib_sink_{name}", label] for name in ("up", "depth", "written_total", "dropped_total")] == [
        0,
        3,
        7,
        2,
    ]


def test_build_and_journal_are_shown() -> None:
    """Which version runs where, and how far the journal is."""
    samples = scrape(snapshot())
    labels = (("component", "ibkr_adapter"), ("environment", "development"), ("version", "0.1.0"))
    assert samples["ib_build_info", labels] == 1
    assert samples["ib_journal_seq", ()] == samples["ib_journal_durable_seq", ()] == 412


def test_nothing_is_read_until_a_scrape() -> None:
    """Building and registering the collector asks for no snapshot; a scrape asks once."""
    asked: list[None] = []

    def picture() -> Snapshot:
        asked.append(None)
        return snapshot()

    collector = AdapterCollector(picture, tuple)
    assert asked == []
    exposition(collector)
    assert len(asked) == 1
