"""``status``: what the running service says of itself."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from ibkr_adapter.cli.reach import age, ask, component_option, find, json_option, price, state_option, table
from ibkr_adapter.clock import SECOND
from ibkr_adapter.errors import ExitCode
from ibkr_adapter.statefile import RunningService

ODD_STREAMS_SHOWN = 5


@click.command()
@state_option
@component_option
@json_option
def status(state: Path | None, component: str, as_json: bool) -> None:
    """Ask the running service. Ends with 0 when it is ready, 1 when it runs but is not."""
    service = find(state, component)
    _, snapshot = ask(service, "GET", "/v1/snapshot")
    _, ready = ask(service, "GET", "/readyz")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"ready": ready, "snapshot": snapshot}), indent=2))
    else:
        for line in _lines(service, snapshot, ready):
            click.echo(line)
    sys.exit(int(ExitCode.OK if ready["ready"] else ExitCode.FAILURE))


def _lines(service: RunningService, s: dict[str, Any], ready: dict[str, Any]) -> Iterator[str]:
    now_ns = s["taken_ns"]
    yield f"{s['environment']}, {s['account_kind']}, {s['component']} {s['version']}, {service.url}, pid {service.pid}"
    yield "ready" if ready["ready"] else "not ready: " + "; ".join(ready["reasons"])
    for alert in s["alerts"]:
        if alert["raised"]:
            held = age(now_ns - alert["since_ns"])
            yield f"alert     {alert['severity']} for {held}: {alert['text']}{_remedy(alert)}"
    yield ""
    if s["gate"]["open"]:
        yield "orders    can be sent"
    for reason in s["gate"]["reasons"]:
        yield f"orders    not sent: {reason['text']}{_remedy(reason)}"
    yield from _link(s, now_ns)
    yield from _speech(s, now_ns)
    yield from _streams(s, now_ns)
    yield f"journal   {s['journal_seq']} records, {s['journal_durable_seq']} on disk"
    for sink in s["sinks"]:
        condition = "up" if sink["up"] else f"down: {sink['detail']}"
        yield f"store     {sink['name']} {condition}, {sink['written']:,} written, {sink['dropped']:,} dropped"
    if s["quotes"]:
        yield ""
        yield _quotes(s["quotes"], now_ns)


def _remedy(said: dict[str, Any]) -> str:
    return f" ({said['remedy']})" if said["remedy"] else ""


def _link(s: dict[str, Any], now_ns: int) -> Iterator[str]:
    link, lease, preflight = s["link"], s["lease"], s["preflight"]
    name = f"{link['gateway']} (standby) at " if link["standby"] else ""
    since = age(now_ns - link["since_ns"])
    yield f"gateway   {name}{link['address']} {link['state']} for {since}, client {link['client_id']}"
    if link["state"] != "ready" and link["next_attempt_ns"] is not None:
        yield f"attempts  {link['failures']} failed in a row, next in {age(link['next_attempt_ns'] - now_ns)}"
    if link["excuse"] and link["state"] != "ready":
        yield f"expected  {link['excuse']}, for another {age(link['excused_until_ns'] - now_ns)}"
    if window := s["window"]:
        at_ns, verb = (window["until_ns"], "ends") if window["in_force"] else (window["from_ns"], "begins")
        yield f"window    {window['name']} {verb} in {age(at_ns - now_ns)}"
    farms = ", ".join(f"{farm['name']} {farm['state']}" for farm in s["farms"]) or "none heard of"
    yield f"IB        {s['upstream']}; farms: {farms}"
    if lease["required"]:
        held = f"ours, epoch {lease['epoch']}" if lease["held"] else f"not ours: {lease['detail']}"
        yield f"lease     {held}"
    keeps = {"ok": "does not keep orders", "on": "keeps orders and sends them late"}
    told = keeps.get(preflight["maintains_orders"], f"keeping of orders unchecked: {preflight['detail']}")
    yield f"settings  {told}{', its API is read-only' if preflight['read_only'] else ''}"
    if link["clock_ahead_ns"] is not None:
        yield f"clock     the gateway's is {link['clock_ahead_ns'] / SECOND:+.1f} s from ours, known to about a second"
    if s["summary_owner"]:
        yield f"account   its summary is asked for by {s['summary_owner']}"


def _speech(s: dict[str, Any], now_ns: int) -> Iterator[str]:
    """How fast we speak, and what that or a limit of the gateway holds back."""
    rate = s["rate"]
    halved = f", halved for {age(rate['halved_until_ns'] - now_ns)}" if rate["halved_until_ns"] is not None else ""
    lanes = ", ".join(f"{lane['waiting']} {lane['lane']}" for lane in rate["lanes"] if lane["waiting"])
    waiting = f"{rate['waiting']} waiting{f' ({lanes})' if lanes else ''}"
    budget = f"{rate['limit']} (and {rate['reserved']} for cancels)"
    yield f"messages  {rate['last_second']} of {budget} in the last second{halved}, {waiting}"
    for held in rate["held"]:
        when = "until one is answered" if held["next_ns"] is None else f"next in {age(held['next_ns'] - now_ns)}"
        why = f": {held['reason']}" if held["reason"] else ""
        yield f"held      {held['waiting']} {held['kind']}, {when}{why}"
    if s["quotas"]:
        yield "quotas    " + ", ".join(_quota(quota) for quota in s["quotas"])


def _quota(quota: dict[str, Any]) -> str:
    learned = "" if quota["learned"] is None else f" (the gateway gives {quota['learned']})"
    return f"{quota['name']} {quota['used']} of {quota['limit']}{learned}"


def _streams(s: dict[str, Any], now_ns: int) -> Iterator[str]:
    if s["stopped"]:
        yield f"streams   stopped by {s['stopped']['actor']} {age(now_ns - s['stopped']['since_ns'])} ago"
    elif s["streams"]:
        states = Counter(stream["state"] for stream in s["streams"])
        yield "streams   " + ", ".join(f"{count} {state}" for state, count in states.most_common())
        odd = [stream for stream in s["streams"] if stream["state"] != "live"]
        for stream in odd[:ODD_STREAMS_SHOWN]:
            gap_ns = stream["gap_since_ns"]
            gap = "" if gap_ns is None else f", missing for {age(now_ns - gap_ns)}"
            yield f"          {stream['stream']} {stream['state']}{gap}{_because(stream)}"
        if len(odd) > ODD_STREAMS_SHOWN:
            yield f"          and {len(odd) - ODD_STREAMS_SHOWN} more: `ibkr-adapter streams list`"
    if s["orphans"]:
        yield f"orphans   data comes for {len(s['orphans'])} requests that were cancelled"


def _because(stream: dict[str, Any]) -> str:
    return f": {stream['detail']}" if stream["detail"] else ""


def _quotes(quotes: dict[str, Any], now_ns: int) -> str:
    rows = [
        [key, *(price(q[field]) for field in ("bid", "ask", "last")), q["source"], age(now_ns - q["ts_recv_ns"])]
        for key, q in quotes.items()
    ]
    return table(["symbol", "bid", "ask", "last", "source", "age"], rows, frozenset({1, 2, 3, 5}))
