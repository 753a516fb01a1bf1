"""kill -9 at every point of a placement: by the gateway's own ledger, nothing is placed twice and no fill is lost."""

from __future__ import annotations

import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes.desk import Desk, tradable
from tws_simulator.gateway import Gateway, running_gateway

ORDER = {"symbol": "SPY", "action": "BUY", "quantity": 10, "order_type": "MKT", "idempotency_key": "the-only-one"}

NEVER_LEFT = ("before_append", "after_append", "after_sync")
LEFT = ("after_send", "after_acknowledgement", "after_fill", "after_fill_recorded")


def order_of(snapshot: dict[str, Any]) -> dict[str, Any] | None:
    ours = [order for order in snapshot["orders"] if not order["foreign"]]
    return ours[0] if ours else None


def place_and_listen(victim: Desk) -> None:
    """The connection breaks while the order is placed, or soon after it."""
    victim.ask("POST", "/v1/orders", ORDER)
    victim.wait_for(lambda _: False)


def settled(snapshot: dict[str, Any]) -> bool:
    order = order_of(snapshot)
    return tradable(snapshot) and (order is None or order["state"] in ("filled", "not_found"))


@pytest.mark.parametrize("point", [*NEVER_LEFT, *LEFT])
def test_kill_loses_no_fill_and_repeats_no_order(point: str, tmp_path: Path) -> None:
    """A process killed at this point of a placement leaves a broker and a successor that agree."""
    data_dir = tmp_path / "state"
    with running_gateway(Gateway(seed=5)) as gateway:
        victim = Desk.killed_at(point, gateway.port, gateway.account, data_dir)
        victim.wait_for(tradable)
        with pytest.raises(httpx.TransportError):
            place_and_listen(victim)
        assert victim.died() == -signal.SIGKILL
        victim.kill()

        heir = Desk.killed_at("never", gateway.port, gateway.account, data_dir)
        after = heir.wait_for(settled)
        again = heir.ask("POST", "/v1/orders", ORDER)
        first = order_of(after)
        if point == "before_append":
            assert first is None, "nothing was on disk, so nothing is known"
            assert again["accepted"]
            assert not again["repeated"]
            after = heir.wait_for(lambda s: settled(s) and order_of(s) is not None)
        else:
            assert first is not None
            assert first["state"] == ("not_found" if point in NEVER_LEFT else "filled")
            assert again["repeated"], "the key stands for the order of the earlier life"
            assert again["order_key"] == first["order_key"]
        status = heir.stop()
        placed = gateway.call(lambda inside: dict(inside.ledger.placements_by_ref()))
        executed = gateway.call(lambda inside: list(inside.ledger.executions))

    assert status == 0
    assert all(count == 1 for count in placed.values())
    assert len(placed) == (0 if point in NEVER_LEFT and point != "before_append" else 1)
    counted = {e["exec_id"]: Decimal(str(e["quantity"])) for e in after["executions"]}
    assert counted == {execution.exec_id: execution.shares for execution in executed}
    assert sum(counted.values(), Decimal(0)) == (order_of(after) or {"filled": 0})["filled"]


def test_a_disk_that_fails_is_seen_by_everybody_and_sends_nothing(tmp_path: Path) -> None:
    """The order is refused, the gate closes, readiness says why, and the process does not end as if all were well."""
    with running_gateway(Gateway(seed=5)) as gateway:
        desk = Desk.killed_at("disk_fails", gateway.port, gateway.account, tmp_path / "state")
        desk.wait_for(tradable)
        assert httpx.get(f"{desk.url}/readyz").status_code == 200
        outcome = desk.ask("POST", "/v1/orders", ORDER)
        assert not outcome["accepted"]
        assert [reason["code"] for reason in desk.snapshot()["gate"]["reasons"]] == ["journal"]
        unready = httpx.get(f"{desk.url}/readyz")
        status = desk.stop()
        placed = gateway.call(lambda inside: dict(inside.ledger.placements_by_ref()))
    assert unready.status_code == 503
    assert "No space left on device" in unready.text
    assert status != 0
    assert placed == {}
