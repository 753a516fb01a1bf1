"""Writes docs/reference/scenarios.md from scenarios and actions themselves: `python scripts/scenario_reference.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tws_simulator.faults.actions import BY_LAYER, Action
from tws_simulator.faults.library import all_scenarios
from tws_simulator.faults.scenario import Scenario

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "scenarios.md"
FAULT_ROWS = ROOT / "tests" / "data" / "fault_rows.txt"

HEAD = """# Faults and scenarios of the simulator

Written by `scripts/scenario_reference.py` from the scenarios and actions themselves; change them, not this page.

A scenario says what goes wrong, and when. The library's are listed below; `tws-simulator scenarios` lists them too, and
`tws-simulator scenarios --show NAME` prints one to learn from or to change. The rows that a scenario serves are those
of the [fault matrix](#the-fault-matrix), the list of what can go wrong between a client and its gateway.

    tws-simulator run --scenario daily-restart            one of the library, from the start
    tws-simulator run --scenario my-day.toml              one of your own
    tws-simulator run --control 7400                      a control port, for what follows
    tws-simulator do play name=link-lost-data-kept        play a scenario now, instead of what was played
    tws-simulator do reset client=1                       one action now
    tws-simulator do stop                                 no fault is left
    tws-simulator do advance seconds=600                  time passes, of a gateway with --clock manual

In a test of your own: `Gateway(scenario="daily-restart")`, and `gateway.director.play(...)` later. Nothing in a
scenario is left to chance: equal requests at equal times meet equal faults.
"""

FORMAT = """## A scenario file

    [[scenario]]
    name = "slow-then-gone"
    description = "Answers come late once an order is placed, and at the second order the connection is reset."
    rows = ["A02", "A12"]                  # of the fault matrix, or of one of yours; optional
    options = { server_version = 176 }     # of the gateway, which must be started so; optional

    [[scenario.step]]
    when = { request = "placeOrder" }
    do = "latency"
    seconds = 2

    [[scenario.step]]
    when = { request = "placeOrder", nth = 2, where = { "order.orderRef" = "mine" } }
    do = "reset"

Names of messages are IB's: a request is called as the method of `EClient` is, a reply as the callback of `EWrapper`,
and the values in them as in IB's protobuf files. A mistake in a file is answered with its place and the nearest name.

### When

Without `when` a step happens as soon as the scenario starts. Else `when` has exactly one of these keys:

| key | the step happens |
|---|---|
| `at_s = 5` | so many seconds after the start; with `every_s` and `times` again and again |
| `clock = "04:45:00"` | the next time that clocks in New York show it; `after_s` later; with `daily = true` every day |
| `connection = 2` | when the second connection is accepted |
| `handshake = 1` | when the answer to a client's hello is written, before its startApi |
| `started = 1` | when a client has been greeted |
| `disconnection = 1` | when a connection has ended |
| `request = "placeOrder"` | when such a request has come, before it is served |
| `served = "placeOrder"` | when such a request has been served |
| `reply = "orderStatus"` | when such a reply has been told |
| `fill = 1` | when an execution is reported that nobody asked for |
| `bytes_written = 100000` | when so many bytes have been written to a connection |

Events can have `nth` (for those that name a message: the n-th that fits), `every = true` (each from then on), `client`
(of this client id only), `after_s` (so much later) and, where there is a message, `where` (values it has to have: `"*"`
is any that is set, a list is any of these).

### Whom

An action concerns the client with the id `client`; without one the client that caused it; and all clients where neither
is there, or with `everyone = true`.

### Values

Where a message is told or changed, a path is dotted (`"order.orderRef"`), and a text that begins with `$` is a value
of the message that caused the action: `"$orderId"`. `$ACCOUNT`, `$NOW_S` and `$SERIAL` are the account, the time in
seconds since 1970, and a number not given before.
"""

CONTROL = """## The control port

`--control PORT` serves JSON over HTTP/1.1 on 127.0.0.1. Requests need the `Host` of this machine and no `Origin`;
bodies are `application/json` (a scenario may be `application/toml`), at most 256 KiB. What is wrong is answered with a
status of HTTP and `{"error": "..."}`.

| request | |
|---|---|
| `GET /status` | clients, their streams and counters; the scenario; the gateway's time |
| `GET /scenarios` | the library |
| `GET /ledger?since=0` | cash, positions, executions, commissions and placements of each account: the truth |
| `GET /orders` | working and finished orders |
| `POST /scenario` | `{"name": "half-open"}`, or a scenario as a table, or as TOML |
| `DELETE /scenario` | end it: no fault is left |
| `POST /do` | one action: `{"do": "reset", "client": 1}` |
| `POST /time` | `{"advance_s": 60}`, at most 3600, with `run --clock manual` or a `VirtualClock` |

## Limits

A gateway takes half as many messages a second from each client as there are market data lines, fifty with the usual
hundred. What comes faster is served later, in order (`pacing="pace"`); or, with `pacing="reject"`, refused with error
100, and in the third second in which that happens the connection ends. `pacing="off"` is no setting of IB's: it lets
benchmarks through. Those are seconds of the machine, however the gateway's clock runs. There is room for 32 clients;
another one's connection is closed without a word.
"""

MATRIX = """## The fault matrix

The rows that need a simulated gateway: A is transport, B the session, C orders, D data, F processes, S hostile input. A
row that a scenario names and that is missing here is what the scenario describes.
"""


def page() -> str:
    return "\n".join([HEAD, *_library(), FORMAT, *_actions(), CONTROL, *_matrix()])


def _library() -> Iterator[str]:
    yield "## The library\n"
    rows = [f"| `{each.name}` | {' '.join(each.rows)} | {_told(each)} |" for each in all_scenarios().values()]
    yield (
        "\n".join(["| scenario | rows | what happens, and what a client makes of it |", "|---|---|---|", *rows]) + "\n"
    )


def _matrix() -> Iterator[str]:
    yield MATRIX
    lines = [line.partition(" ") for line in FAULT_ROWS.read_text().splitlines() if line and not line.startswith("#")]
    yield (
        "\n".join(["| row | what goes wrong |", "|---|---|", *(f"| {row} | {what} |" for row, _, what in lines)]) + "\n"
    )


def _told(scenario: Scenario) -> str:
    needs = ", ".join(f"{key} = {value!r}" for key, value in scenario.options.items())
    return scenario.description + (f" Needs {needs}." if needs else "")


def _actions() -> Iterator[str]:
    yield "## Actions\n"
    for layer, actions in BY_LAYER.items():
        yield f"### {layer}\n"
        for action in actions:
            yield f"**`{action.do}`** {_documented(action)}\n"
            parameters = [_parameter(field, hint) for field, hint in _own(action)]
            if parameters:
                yield "\n".join(["| key | is | unless given |", "|---|---|---|", *parameters]) + "\n"


def _own(action: type[Action]) -> list[tuple[Field[Any], Any]]:
    """What ``Whom`` says of every action is not said again."""
    hints = get_type_hints(action)
    return [(field, hints[field.name]) for field in fields(action) if field.name not in ("client", "everyone")]


def _documented(action: type[Action]) -> str:
    text = " ".join((action.__doc__ or "").split())
    return re.sub(r"``([^`]*)``", r"`\1`", text)


def _parameter(field: Field[Any], hint: Any) -> str:
    default = field.default
    if field.default_factory is not MISSING:
        shown = "none"
    elif default is MISSING:
        shown = "must be given"
    else:
        shown = f"`{default}`" if default not in ("", ()) else "none"
    return f"| `{field.name}` | {_kind(hint)} | {shown} |"


def _kind(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(f"`{each}`" for each in get_args(hint))
    if get_origin(hint) is tuple:
        return f"list of {_kind(get_args(hint)[0])}s"
    if get_origin(hint) is not None and get_origin(hint) is not dict and not _is_union(hint):
        return "table"
    if _is_union(hint):
        return " or ".join(_kind(each) for each in get_args(hint))
    return {int: "whole number", float: "number", str: "text", bool: "true or false"}.get(hint, "table")


def _is_union(hint: Any) -> bool:
    return "|" in str(hint)


if __name__ == "__main__":
    PAGE.write_text(page())
