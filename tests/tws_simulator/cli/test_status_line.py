"""What a person who watches the simulator is told each second."""

from tests.tws_simulator.scripted_client import SECOND, ScriptedClient, gateway_core
from tws_simulator.cli.status import Status

SPY = {"symbol": "SPY", "secType": "STK", "exchange": "SMART", "currency": "USD"}


def test_the_line_of_an_idle_gateway() -> None:
    """No clients, no rates."""
    core = gateway_core()
    assert Status().line(core.state).endswith("| clients 0 | no streams | orders 0 open | in 0/s out 0/s")


def test_the_line_counts_clients_streams_and_orders() -> None:
    """Ids of the clients, streams by kind."""
    core = gateway_core()
    client = ScriptedClient(core, 7)
    client.ask("reqMktData", reqId=1, contract=SPY)
    resting = {"action": "BUY", "orderType": "LMT", "lmtPrice": 1.0, "totalQuantity": 1, "tif": "GTC", "transmit": True}
    client.ask("placeOrder", orderId=1, contract=SPY, order=resting)
    assert "| clients 1 (7) | quote 1 | orders 1 open |" in Status().line(core.state)


def test_rates_are_since_the_line_before() -> None:
    """Messages in both directions, over the time that passed."""
    core = gateway_core()
    client = ScriptedClient(core, 7)
    status = Status()
    status.line(core.state)
    for _ in range(6):
        client.ask("reqManagedAccts")
    core.advance(core.state.now_ns + 3 * SECOND)
    assert status.line(core.state).endswith("in 2/s out 2/s")


def test_rates_are_of_the_machines_seconds() -> None:
    """However fast the market's time runs, or whether it stands."""
    core = gateway_core()
    client = ScriptedClient(core, 7)
    core.advance(core.state.now_ns, 100 * SECOND)
    status = Status()
    status.line(core.state)
    for _ in range(6):
        client.ask("reqManagedAccts")
    core.advance(core.state.now_ns, 103 * SECOND)
    assert status.line(core.state).endswith("in 2/s out 2/s")
