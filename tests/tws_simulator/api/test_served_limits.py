"""How many messages a client may send, and how many clients there may be."""

from __future__ import annotations

import pytest

from tests.tws_simulator.scripted_client import SECOND, ScriptedClient, gateway_core, names, of
from tws_simulator import Options
from tws_simulator.api.limits.message_rate import BACKLOG_MAX
from tws_simulator.api.session import SessionState
from tws_simulator.wire.codec import frame
from tws_simulator.wire.row import message

REQUEST = message("reqIds", numIds=1)


def burst(client: ScriptedClient, count: int) -> list[str]:
    client.send_bytes(frame(client.codec.encode_request(REQUEST)) * count)
    return names(client.replies())


def errors(client: ScriptedClient) -> list[tuple[int, str]]:
    return [(each["errorCode"], each["errorMsg"]) for each in of(client.replies(), "error")]


def test_the_limit_is_half_of_the_lines_and_never_below_fifty() -> None:
    """Source: TWS API, "Pacing limitations"; nobody has fewer than 100 lines, whatever a test allows."""
    assert Options().messages_per_second == 50
    assert Options(lines_max=300).messages_per_second == 150
    assert Options(lines_max=3).messages_per_second == 50
    assert Options().pacing == "pace"


def test_a_pacing_gateway_serves_later_what_is_too_much_and_in_order() -> None:
    """Nothing is refused or lost, and reading goes on meanwhile."""
    core = gateway_core(pacing="pace")
    client, other = ScriptedClient(core, 1), ScriptedClient(core, 2)
    core.advance(core.state.now_ns + 2 * SECOND)
    client.replies()
    assert burst(client, 120) == ["nextValidId"] * 50
    assert names(client.ask("reqManagedAccts")) == []
    assert names(other.ask("reqManagedAccts")) == ["managedAccounts"], "the limit is each connection's own"
    core.advance(core.state.now_ns + SECOND)
    assert names(client.replies()) == ["nextValidId"] * 50
    core.advance(core.state.now_ns + SECOND)
    assert names(client.replies()) == ["nextValidId"] * 20 + ["managedAccounts"]


def test_any_second_counts_not_the_clocks_second() -> None:
    """Fifty at the end of one second and one at the beginning of the next are one too many."""
    core = gateway_core(pacing="pace")
    client = ScriptedClient(core)
    core.advance(core.state.now_ns + 2 * SECOND - SECOND // 10)
    client.replies()
    assert len(burst(client, 50)) == 50
    core.advance(core.state.now_ns + SECOND // 5)
    assert burst(client, 1) == []
    core.advance(core.state.now_ns + SECOND * 4 // 5)
    assert names(client.replies()) == ["nextValidId"]


def test_a_gateway_stops_reading_a_client_of_which_much_waits() -> None:
    """The rest stays in the sockets; it is read again when some were served."""
    core = gateway_core(pacing="pace")
    client = ScriptedClient(core)
    burst(client, BACKLOG_MAX + 60)
    assert not client.session.is_read
    core.advance(core.state.now_ns + 2 * SECOND)
    assert client.session.is_read


def test_a_rejecting_gateway_answers_100_with_what_it_received() -> None:
    """The message is not served; after a second of quiet others are."""
    core = gateway_core(pacing="reject")
    client = ScriptedClient(core)
    core.advance(core.state.now_ns + 2 * SECOND)
    client.replies()
    told = burst(client, 52)
    assert told == ["nextValidId"] * 50 + ["error"] * 2
    core.advance(core.state.now_ns + SECOND)
    assert burst(client, 1)[-1] == "nextValidId"


@pytest.mark.parametrize("server_version", [151, 193, 226])
def test_the_third_strike_ends_the_connection(server_version: int) -> None:
    """A strike is a second in which the limit was exceeded, by however many messages."""
    core = gateway_core(pacing="reject", server_version=server_version)
    client = ScriptedClient(core)
    for strike in (1, 2, 3):
        core.advance(core.state.now_ns + 2 * SECOND)
        client.replies()
        client.send_bytes(frame(client.codec.encode_request(REQUEST)) * 51)
        assert errors(client) == [(100, f"Max rate of messages per second has been exceeded: max=50 rec=51 ({strike})")]
    assert client.session.state is SessionState.CLOSED


def test_the_33rd_client_is_not_let_in() -> None:
    """Source: TWS API, "Connectivity": up to 32 clients."""
    core = gateway_core()
    for client_id in range(32):
        ScriptedClient(core, client_id)
    assert core.connect() is None
