"""What a real gateway told of orders one evening, against what the simulated one tells when it is asked the same.

The requests of captured scenarios (server version 225, after the close) are sent as they are; the replies to each order
must be the captured ones, field by field, but for what names a person, an account or a moment. How often an identical
pair of messages is repeated varies in the captures too, so repetitions count once.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.tws_simulator.scripted_client import ScriptedClient
from tws_simulator import GatewayCore, Options
from tws_simulator.wire.codec import Codec
from tws_simulator.wire.row import Message
from tws_simulator.world.time.calendar import new_york_ns
from tws_simulator.world.time.units import SECOND_NS

CAPTURES = Path(__file__).parents[2] / "data" / "wire" / "ibkrgo_sv225_orders_and_data.jsonl"
START_NS = new_york_ns(datetime(2026, 8, 24, 18, 45))
REPLAYED = {"placeOrder", "cancelOrder", "reqGlobalCancel"}
COMPARED = {"openOrder", "orderStatus", "error"}
SHIFTED = {240.0: 200.0, 241.0: 201.0}  # the price of AAPL was another one
PERSONAL = {"account", "orderRef", "submitter", "permId", "parentPermId", "ocaGroup", "errorTime", "sharesAllocation"}


def scenario(name: str) -> list[tuple[str, Message]]:
    rows = [json.loads(line) for line in CAPTURES.read_text().splitlines()]
    found = []
    for row in rows:
        if row["scenario"] == name and row["encoding"] != "handshake":
            codec, payload = Codec(225), bytes.fromhex(row["hex"])
            decoded = codec.decode_reply(payload) if row["direction"] == "in" else codec.decode_request(payload)
            found.append((row["direction"], decoded))
    return found


def told(messages: list[Message]) -> dict[int, list[Any]]:
    """By id: the messages in order, repetitions of a pair left out."""
    by_order: dict[int, list[Any]] = defaultdict(list)
    for each in messages:
        if each.name not in COMPARED:
            continue
        order_id = each.get("orderId", each.get("id"))
        line = (each.name, _impersonal(each.values))
        lines = by_order[order_id]
        if (
            each.name == "orderStatus"
            and len(lines) >= 3
            and [*lines[-3:-1], lines[-1]] == [lines[-1], line, lines[-1]]
        ):
            lines.pop()
        else:
            lines.append(line)
    return by_order


def _impersonal(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _impersonal(value) for key, value in values.items() if key not in PERSONAL}
    if isinstance(values, str):
        return re.sub(r"permId =\d+|-'\w+' :", "", values)
    return SHIFTED.get(values, values) if isinstance(values, float) else values


@pytest.mark.parametrize(
    "name",
    [
        "c2_bracket_trigger",
        "c2_bracket_trailing_reject",
        "c2_direct_cancel",
        "c2_ioc_fok",
        "c2_modify_lmt_to_mkt",
        "c2_order_rejects",
        "c2_trailing_cancel",
    ],
)
def test_the_simulated_gateway_answers_as_the_real_one_did(name: str) -> None:
    """Each order's messages, in their order and with all their fields."""
    captured = scenario(name)
    core = GatewayCore(Options(seed=7, server_version=225, always_open=False), START_NS)
    client = ScriptedClient(core, client_id=1)
    ours: list[Message] = []
    expected = 0
    for direction, each in captured:
        if direction == "in":
            expected += each.name in COMPARED
            continue
        if each.name not in REPLAYED:
            continue
        _catch_up(core, client, ours, expected)
        values = dict(each.values)
        if "order" in values:
            limit = values["order"].get("lmtPrice")
            values["order"] = {**values["order"], "account": core.state.world.first_account}
            if limit is not None:
                values["order"]["lmtPrice"] = SHIFTED.get(limit, limit)
        ours += client.ask(each.name, **values)
    _catch_up(core, client, ours, 10**6)
    theirs = told([each for direction, each in captured if direction == "in"])
    placed = {each["orderId"] for _, each in captured if each.name == "placeOrder"}
    for order_id in placed:
        assert told(ours)[order_id] == theirs[order_id], f"order {order_id}"


def _catch_up(core: GatewayCore, client: ScriptedClient, ours: list[Message], expected: int) -> None:
    """Let time pass until as much was told as had been when the next request was sent, at most some seconds."""
    for _ in range(100):
        if sum(each.name in COMPARED and each.get("id", 1) > 0 for each in ours) >= expected:
            return
        core.advance(core.state.now_ns + SECOND_NS // 20)
        ours += client.replies()
