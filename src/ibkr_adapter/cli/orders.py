"""``orders``: place, cancel and list through the running service."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from ibkr_adapter.cli.reach import (
    Answered,
    age,
    ask,
    component_option,
    find,
    json_option,
    number,
    price,
    state_option,
    table,
)
from ibkr_adapter.commands import Action, TimeInForce
from ibkr_adapter.console.orders import EXPIRES_S_MAX
from ibkr_adapter.errors import ExitCode
from ibkr_adapter.ids import new_key
from ibkr_adapter.statefile import RunningService

_UNDECIDED: Final = frozenset({"", "intended", "sent"})
_REFUSED: Final = "refused"
_REJECTED: Final = "rejected"
_POLL_S: Final = 0.05
_WAIT_S_MAX: Final = 600


class Seconds(click.FloatRange):
    """A range that NaN is outside of: every comparison with it is false, so click lets it pass."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = super().convert(value, param, ctx)
        if not math.isfinite(seconds):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return seconds


@click.group()
def orders() -> None:
    """Place, cancel and list orders of the running service."""


@orders.command()
@click.argument("action", type=click.Choice([str(action) for action in Action], case_sensitive=False))
@click.argument("quantity")
@click.argument("symbol")
@click.option("--limit", "limit_price", help="Limit price in dollars.")
@click.option("--market", is_flag=True, help="At market, without a limit.")
@click.option(
    "--tif",
    type=click.Choice([str(tif) for tif in TimeInForce], case_sensitive=False),
    default="DAY",
    show_default=True,
    help="How long it works.",
)
@click.option("--account", default="", help="Only needed when there are several.")
@click.option("--key", "idempotency_key", default="", help="Idempotency key: a repeat with it sends nothing twice.")
@click.option(
    "--expires",
    "expires_in_s",
    type=Seconds(0, EXPIRES_S_MAX, min_open=True),
    help="Seconds after which it is refused rather than sent late.",
)
@click.option(
    "--wait",
    "wait_s",
    type=Seconds(0, _WAIT_S_MAX),
    default=3.0,
    show_default=True,
    help="Seconds to wait for the broker.",
)
@state_option
@component_option
@json_option
def place(
    action: str,
    quantity: str,
    symbol: str,
    limit_price: str | None,
    market: bool,
    tif: str,
    account: str,
    idempotency_key: str,
    expires_in_s: float | None,
    wait_s: float,
    state: Path | None,
    component: str,
    as_json: bool,
) -> None:
    """Place one order, for example: BUY 100 SPY --limit 661.50"""
    if market == (limit_price is not None):
        raise click.UsageError("say either --limit PRICE or --market")
    form = {
        "symbol": symbol,
        "action": action.upper(),
        "quantity": quantity,
        "order_type": "MKT" if market else "LMT",
        "limit_price": limit_price,
        "tif": tif.upper(),
        "idempotency_key": idempotency_key or new_key(),
        "account": account,
        "expires_in_s": expires_in_s,
    }
    service = find(state, component)
    _, outcome = ask(service, "POST", "/v1/orders", form)
    if not outcome["accepted"]:
        _end(outcome, as_json, ExitCode.ORDER_REFUSED, f"not sent: {_reasons(outcome)}")
    order = _settled(service, outcome["order_key"], wait_s)
    outcome |= {"state": order["state"], "detail": order["detail"]} if order else {}
    repeated = " (sent before, nothing was sent now)" if outcome["repeated"] else ""
    text = f"{outcome['state']}{repeated}: {action.upper()} {quantity} {symbol}, order key {outcome['order_key']}"
    if outcome["state"] in (_REJECTED, _REFUSED):
        code = ExitCode.ORDER_REJECTED if outcome["state"] == _REJECTED else ExitCode.ORDER_REFUSED
        _end(outcome, as_json, code, f"{text}: {outcome.get('detail', '')}")
    _end(outcome, as_json, ExitCode.OK, text)


@orders.command()
@click.argument("order_key")
@state_option
@component_option
@json_option
def cancel(order_key: str, state: Path | None, component: str, as_json: bool) -> None:
    """Cancel one order: by its key, four or more characters of its beginning or end, or IB's order id."""
    service = find(state, component)
    key = _resolve(service, order_key)
    _, outcome = ask(service, "DELETE", f"/v1/orders/{key}")
    if not outcome["accepted"]:
        _end(outcome, as_json, ExitCode.ORDER_REFUSED, f"not cancelled: {_reasons(outcome)}")
    _end(outcome, as_json, ExitCode.OK, f"cancel sent: {key}")


@orders.command("list")
@click.option("--all", "everything", is_flag=True, help="Finished orders too.")
@state_option
@component_option
@json_option
def list_orders(everything: bool, state: Path | None, component: str, as_json: bool) -> None:
    """List the orders that work, or with --all every one of today."""
    service = find(state, component)
    _, answer = ask(service, "GET", "/v1/orders")
    shown = [order for order in answer["orders"] if everything or not _finished(order)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(shown), indent=2))
        return
    if not shown:
        click.echo("no orders" if everything else "no working orders (finished ones: --all)")
        return
    now_ns = time.time_ns()
    click.echo(
        table(
            ["key", "id", "state", "order", "filled", "remaining", "average", "age", "detail"],
            [_row(order, now_ns) for order in shown],
            frozenset({1, 4, 5, 6, 7}),
        )
    )


def _row(order: dict[str, Any], now_ns: int) -> list[str]:
    at = "market" if order["limit_price"] is None else price(order["limit_price"])
    return [
        order["order_key"] or f"client {order['client_id']}",
        str(order["order_id"]),
        order["state"],
        f"{order['action']} {number(order['quantity'])} {order['instrument']} at {at} {order['tif']}",
        number(order["filled"]),
        number(order["remaining"]),
        price(order["average_price"]),
        age(now_ns - order["created_ns"]),
        order["detail"],
    ]


def _finished(order: dict[str, Any]) -> bool:
    return order["state"] in ("filled", "cancelled", "rejected", "refused", "not_found", "lapsed")


def _settled(service: RunningService, order_key: str, wait_s: float) -> dict[str, Any] | None:
    """The order as soon as the broker has said something of it, or as it is when the time is up."""
    deadline_s = time.monotonic() + wait_s
    while True:
        _, answer = ask(service, "GET", "/v1/orders")
        found: dict[str, Any] | None = next((o for o in answer["orders"] if o["order_key"] == order_key), None)
        if (found is not None and found["state"] not in _UNDECIDED) or time.monotonic() >= deadline_s:
            return found
        time.sleep(_POLL_S)


def _resolve(service: RunningService, given: str) -> str:
    _, answer = ask(service, "GET", "/v1/orders")
    keys = [str(order["order_key"]) for order in answer["orders"] if order["order_key"]]
    numbered = [o["order_key"] for o in answer["orders"] if o["order_key"] and str(o["order_id"]) == given]
    alike = [key for key in keys if len(given) >= 4 and (key.startswith(given) or key.endswith(given))]
    matching = [given] if given in keys else numbered or alike
    if len(matching) == 1:
        return str(matching[0])
    what = f"{len(matching)} orders match" if matching else "no order matches"
    raise Answered(f"{what} {given[:64]!a}", remedy="see `ibkr-adapter orders list --all`", exit_code=ExitCode.USAGE)


def _reasons(outcome: dict[str, Any]) -> str:
    parts = [f"{r['text']} ({r['remedy']})" if r["remedy"] else r["text"] for r in outcome["reasons"]]
    return "; ".join(parts) or outcome["state"] or "no reason was given"


def _end(outcome: dict[str, Any], as_json: bool, code: ExitCode, text: str) -> None:
    if as_json:
        click.echo(msgspec.json.encode(outcome))
    elif code is ExitCode.OK:
        click.echo(text)
    else:
        click.echo(f"error: {text}", err=True)
    sys.exit(int(code))
