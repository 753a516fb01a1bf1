"""``status``: what the running service says of itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from ibkr_adapter.cli.reach import age, ask, find, json_option, price, state_option, table
from ibkr_adapter.errors import ExitCode
from ibkr_adapter.statefile import RunningService


@click.command()
@state_option
@json_option
def status(state: Path | None, as_json: bool) -> None:
    """Ask the running service. Ends with 0 when it is ready, 1 when it runs but is not."""
    service = find(state)
    _, snapshot = ask(service, "GET", "/v1/snapshot")
    _, ready = ask(service, "GET", "/readyz")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"ready": ready, "snapshot": snapshot}), indent=2))
    else:
        for line in _lines(service, snapshot, ready):
            click.echo(line)
    sys.exit(int(ExitCode.OK if ready["ready"] else ExitCode.FAILURE))


def _lines(service: RunningService, s: dict[str, Any], ready: dict[str, Any]) -> Iterator[str]:
    now_ns, link = s["taken_ns"], s["link"]
    yield f"{s['environment']}, {s['account_kind']}, {s['component']} {s['version']}, {service.url}, pid {service.pid}"
    yield "ready" if ready["ready"] else "not ready: " + "; ".join(ready["reasons"])
    for alert in s["alerts"]:
        if alert["raised"]:
            remedy = f" ({alert['remedy']})" if alert["remedy"] else ""
            yield f"alert     {alert['severity']} for {age(now_ns - alert['since_ns'])}: {alert['text']}{remedy}"
    yield ""
    since = age(now_ns - link["since_ns"])
    name = f"{link['gateway']} (standby) at " if link["standby"] else ""
    yield f"gateway   {name}{link['address']} {link['state']} for {since}, client {link['client_id']}"
    if link["excuse"] and link["state"] != "ready":
        yield f"expected  {link['excuse']}, for another {age(link['excused_until_ns'] - now_ns)}"
    if window := s["window"]:
        at_ns, verb = (window["until_ns"], "ends") if window["in_force"] else (window["from_ns"], "begins")
        yield f"window    {window['name']} {verb} in {age(at_ns - now_ns)}"
    farms = ", ".join(f"{farm['name']} {farm['state']}" for farm in s["farms"]) or "none heard of"
    yield f"IB        {s['upstream']}; farms: {farms}"
    if s["gate"]["open"]:
        yield "orders    can be sent"
    for reason in s["gate"]["reasons"]:
        remedy = f" ({reason['remedy']})" if reason["remedy"] else ""
        yield f"orders    not sent: {reason['text']}{remedy}"
    rate = s["rate"]
    yield f"messages  {rate['last_second']} of {rate['limit']} in the last second, {rate['waiting']} waiting"
    yield f"journal   {s['journal_seq']} records, {s['journal_durable_seq']} on disk"
    for sink in s["sinks"]:
        condition = "up" if sink["up"] else f"down: {sink['detail']}"
        yield f"store     {sink['name']} {condition}, {sink['written']:,} written, {sink['dropped']:,} dropped"
    if s["quotes"]:
        yield ""
        yield _quotes(s["quotes"], now_ns)


def _quotes(quotes: dict[str, Any], now_ns: int) -> str:
    rows = [
        [key, *(price(q[field]) for field in ("bid", "ask", "last")), q["source"], age(now_ns - q["ts_recv_ns"])]
        for key, q in quotes.items()
    ]
    return table(["symbol", "bid", "ask", "last", "source", "age"], rows, frozenset({1, 2, 3, 5}))
