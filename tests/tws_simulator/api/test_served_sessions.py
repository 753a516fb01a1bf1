"""Starting, identities, the clock, and how the gateway answers what it cannot serve."""

from __future__ import annotations

import pytest

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator import Interference
from tws_simulator.api.session import Session, SessionState
from tws_simulator.wire.codec import Codec, frame, join_fields
from tws_simulator.wire.row import Message, message

LIMIT = {"action": "BUY", "totalQuantity": 5, "orderType": "LMT", "lmtPrice": 10.0, "tif": "DAY", "transmit": True}


def test_a_client_is_greeted_with_accounts_ids_and_farms() -> None:
    """In the order captured; without live orders there is no openOrderEnd."""
    greeting = ScriptedClient(gateway_core()).greeting
    assert names(greeting) == ["managedAccounts", "nextValidId", "error", "error", "error"]
    assert [code for _, code in codes(greeting)] == [2104, 2106, 2158]
    assert all(notice["id"] == -1 for notice in of(greeting, "error"))


def test_some_gateways_send_the_id_before_the_accounts() -> None:
    """Captured once; a client must wait for both in any order."""
    greeting = ScriptedClient(gateway_core(accounts_after_ids=True)).greeting
    assert names(greeting)[:2] == ["nextValidId", "managedAccounts"]


def test_live_orders_come_before_everything_else_after_a_reconnect() -> None:
    """A pair for each and one end marker; the next id is one above the highest used."""
    core = gateway_core()
    first = ScriptedClient(core)
    for order_id in (5, 6):
        first.ask("placeOrder", orderId=order_id, contract=AAPL, order=LIMIT)
    core.disconnect(first.session)
    greeting = ScriptedClient(core).greeting
    pairs = ["openOrder", "orderStatus"] * 2
    assert names(greeting)[:7] == [*pairs, "openOrderEnd", "managedAccounts", "nextValidId"]
    assert of(greeting, "nextValidId")[0]["orderId"] == 7


def test_a_client_id_in_use_is_refused_and_the_incumbent_stays() -> None:
    """326, then the new connection ends."""
    core = gateway_core()
    incumbent = ScriptedClient(core, client_id=3)
    intruder = ScriptedClient(core, client_id=3)
    assert codes(intruder.greeting) == [(-1, 326)]
    assert intruder.session.state is SessionState.CLOSED
    assert incumbent.session.state is SessionState.RUNNING
    assert names(incumbent.ask("reqIds", numIds=1)) == ["nextValidId"]


def test_a_client_id_is_free_again_after_a_disconnect() -> None:
    """At once, and also while the refused one is still closing."""
    core = gateway_core()
    core.disconnect(ScriptedClient(core, client_id=3).session)
    assert "nextValidId" in names(ScriptedClient(core, client_id=3).greeting)


def test_the_gateway_takes_so_many_clients_and_no_more() -> None:
    """32 in a real gateway."""
    core = gateway_core()
    for client_id in range(32):
        ScriptedClient(core, client_id=client_id)
    assert core.connect() is None
    core.disconnect(core.state.sessions[0])
    assert core.connect() is not None


def test_requests_before_the_start_are_ignored() -> None:
    """A gateway listens to nothing before START_API."""
    client = ScriptedClient(gateway_core(), start=False)
    assert client.ask("reqPositions") == []
    assert "nextValidId" in names(client.ask("startApi", clientId=1))


def test_the_time_is_not_told_again_within_four_seconds() -> None:
    """The second question gets no answer at all; milliseconds are always told."""
    core = gateway_core()
    client = ScriptedClient(core)
    assert client.ask("reqCurrentTime")[0]["currentTime"] == core.state.now_ns // SECOND
    assert client.ask("reqCurrentTime") == []
    core.advance(core.state.now_ns + 4 * SECOND)
    assert names(client.ask("reqCurrentTime")) == ["currentTime"]
    assert client.ask("reqCurrentTimeInMillis")[0]["currentTimeInMillis"] == core.state.now_ns // 1_000_000


def test_accounts_and_ids_can_be_asked_for_again() -> None:
    """One message each, unchanged."""
    core = gateway_core()
    client = ScriptedClient(core)
    assert client.ask("reqManagedAccts")[0]["accountsList"] == core.state.world.first_account
    assert client.ask("reqIds", numIds=1)[0]["orderId"] == 1
    assert client.ask("setServerLogLevel", logLevel=5) == []


def test_requests_may_come_in_any_pieces() -> None:
    """Byte by byte, the replies are the same."""
    client = ScriptedClient(gateway_core())
    payload = client.codec.encode_request(message("reqIds", numIds=1))
    for byte in frame(payload) * 2:
        client.send_bytes(bytes([byte]))
    assert names(client.replies()) == ["nextValidId", "nextValidId"]


@pytest.mark.parametrize("server_version", [200, 206, 226])
@pytest.mark.parametrize(
    ("msg_id", "fields", "code", "req_id"),
    [
        (52, ["2", "44"], 10358, 44),
        (22, ["44", "50"], 321, 44),
        (23, ["1", "44"], 365, 44),
        (19, ["1", "1", "<groups/>", "44"], 321, 44),
        (100, ["44"], 10276, 44),
        (24, ["1"], 321, -1),
    ],
)
def test_what_is_not_served_is_refused_by_its_code_and_counted(
    server_version: int, msg_id: int, fields: list[str], code: int, req_id: int
) -> None:
    """With the request's id, from whichever form it came in."""
    core = gateway_core(server_version=server_version)
    client = ScriptedClient(core)
    if server_version < 201:
        payload = join_fields([str(msg_id), *fields])
    elif server_version == 206:
        payload = msg_id.to_bytes(4, "big") + join_fields(fields)
    else:
        payload = (msg_id + 200).to_bytes(4, "big") + (b"\x08" + bytes([req_id]) if req_id > 0 else b"")
    client.send_bytes(frame(payload))
    assert codes(client.replies()) == [(req_id, code)]
    assert core.state.unsupported[msg_id] == 1


@pytest.mark.parametrize("server_version", [151, 176, 200, 206, 226])
def test_a_request_that_cannot_be_read_is_dropped(server_version: int) -> None:
    """320 with the id of its order or request; "maintain connection upon incorrect fields" is on since 10.28."""
    core = gateway_core(server_version=server_version)
    client = ScriptedClient(core)
    told = client.ask("placeOrder", orderId=7, contract=AAPL, order={**LIMIT, "lmtPrice": float("nan")})
    told += client.ask("reqContractDetails", reqId=8, contract={**AAPL, "symbol": "A" * 70_000})
    assert codes(told) == [(7, 320), (8, 320)]
    assert core.state.world.exchange.open_orders() == []
    assert names(client.ask("reqIds", numIds=1)) == ["nextValidId"]


def test_a_request_that_ends_too_early_has_no_id_to_be_told() -> None:
    """320 with -1; before START_API it is dropped without a word, as all is there."""
    core = gateway_core(server_version=200)
    client = ScriptedClient(core)
    for fields in (["61"], ["1", "11"], ["3", "x"]):
        client.send_bytes(frame(join_fields(fields)))
        assert codes(client.replies()) == [(-1, 320)]
    silent = ScriptedClient(core, 2, start=False)
    silent.send_bytes(frame(join_fields(["71"])))
    assert silent.replies() == []
    assert "nextValidId" in names(silent.ask("startApi", clientId=2))


def test_what_cannot_be_read_counts_as_a_message() -> None:
    """A client that sends nothing else is held to the same rate as all."""
    client = ScriptedClient(gateway_core(server_version=200, pacing="reject"))
    client.send_bytes(frame(join_fields(["61"])) * 500)
    assert codes(client.replies())[-1] == (-1, 100)


@pytest.mark.parametrize("data", [b"\x7f\xff\xff\xff", frame(b"x\0")], ids=["length", "id"])
def test_a_message_that_is_none_ends_every_connection(data: bytes) -> None:
    """320 and the end: where the next one begins, or which one it is, is no longer known."""
    client = ScriptedClient(gateway_core(server_version=200))
    client.send_bytes(data)
    assert codes(client.replies()) == [(-1, 320)]
    assert client.session.state is SessionState.CLOSED


def test_a_client_may_have_its_connection_maintained() -> None:
    """The option is the setting that clients read, and may change."""
    core = gateway_core(maintain_connection=False)
    client = ScriptedClient(core)
    name = "maintainConnectionOnIncorrectFields"
    told = client.ask("reqConfig", reqId=1)
    assert told[0]["api"]["settings"][name] is False
    client.ask("updateConfig", reqId=2, api={"settings": {name: True}})
    client.send_bytes(frame((208).to_bytes(4, "big") + b"\xff"))
    assert codes(client.replies()) == [(-1, 320)]
    assert client.session.state is SessionState.RUNNING


def test_a_request_that_cannot_be_read_may_end_the_connection() -> None:
    """320, as in a gateway whose "maintain connection upon incorrect fields" is off."""
    client = ScriptedClient(gateway_core(server_version=200, maintain_connection=False))
    client.send_bytes(frame(join_fields(["61"])))
    assert codes(client.replies()) == [(-1, 320)]
    assert client.session.state is SessionState.CLOSED
    client.send_bytes(frame(join_fields(["8", "1", "1"])))
    assert client.replies() == []


def test_a_burst_that_asks_for_more_than_anybody_reads_ends_the_connection() -> None:
    """What is written for one client is bounded also within one burst."""
    client = ScriptedClient(gateway_core())
    anywhere = {"symbol": "AAPL", "secType": "STK", "currency": "USD"}
    request = frame(client.codec.encode_request(message("reqContractDetails", reqId=1, contract=anywhere)))
    client.send_bytes(request * 5000)
    assert client.session.state is SessionState.CLOSED
    assert len(client.session.output) < 17 * 1024 * 1024


def test_ids_that_no_release_ever_sent_are_counted_as_one() -> None:
    """The count cannot grow without bound."""
    core = gateway_core()
    client = ScriptedClient(core)
    for msg_id in (900, 901):
        client.send_bytes(frame(msg_id.to_bytes(4, "big")))
    assert core.state.unsupported == {0: 2}
    assert codes(client.replies()) == [(-1, 321)] * 2


def test_faults_can_step_in_at_every_door() -> None:
    """Requests lost, replies repeated, bytes changed: the hooks fault injection is built on."""

    class Noisy(Interference):
        def request(self, session: Session, message: Message) -> Message | None:
            return None if message.name == "reqPositions" else message

        def reply(self, session: Session, message: Message) -> tuple[Message, ...]:
            return (message, message) if message.name == "nextValidId" else (message,)

    client = ScriptedClient(gateway_core(Noisy()))
    assert names(client.greeting).count("nextValidId") == 2
    assert client.ask("reqPositions") == []
    assert names(client.ask("reqManagedAccts")) == ["managedAccounts"]


def test_the_dialect_is_that_of_the_older_side() -> None:
    """A client that knows at most 203 is told contracts in text and orders in protobuf."""
    client = ScriptedClient(gateway_core(), newest=203)
    assert client.codec.server_version == client.session.codec.server_version == 203
    assert client.hello.startswith(b"203\0")
    client.send_bytes(frame(Codec(203).encode_request(message("reqContractDetails", reqId=1, contract=AAPL))))
    assert client.session.take_output()[4:8] == b"\0\0\0\x0a"


def test_sessions_and_gateways_describe_themselves() -> None:
    """For whoever debugs at night."""
    core = gateway_core()
    client = ScriptedClient(core)
    assert repr(client.session) == "<Session 1 v226 running 0 streams>"
    assert repr(core) == f"<GatewayCore {core.state.world.first_account} v226 1 clients>"
