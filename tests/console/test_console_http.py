from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from msgspec.structs import replace

from ibkr_adapter.commands import (
    Action,
    CancelOrder,
    FailBack,
    OrderType,
    PlaceOrder,
    Reason,
    StartStreams,
    StopStreams,
    TimeInForce,
)
from ibkr_adapter.console import build
from ibkr_adapter.events import Quote
from ibkr_adapter.snapshot import SinkView
from tests.console.fake_service import START_NS, FakePort, config, snapshot

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ORDER = {"symbol": "SPY", "action": "BUY", "quantity": 100, "limit_price": 661.85}


class StillClock:
    def now_ns(self) -> int:
        return START_NS


@pytest.fixture
def port() -> FakePort:
    return FakePort()


@pytest.fixture
async def http(port: FakePort) -> AsyncIterator[httpx.AsyncClient]:
    application = build(port, TOKEN, config(), clock=StillClock())
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
        yield client


class TestReading:
    async def test_the_process_says_that_it_is_alive(self, http: httpx.AsyncClient) -> None:
        """/healthz claims nothing but that the process answers."""
        answer = await http.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"alive": True})

    async def test_ready_means_link_ready_and_nothing_failed(self, http: httpx.AsyncClient, port: FakePort) -> None:
        """/readyz is 200 only then, and otherwise names every reason."""
        assert (await http.get("/readyz")).status_code == 200
        down = SinkView(name="sqlite", up=False, since_ns=0, detail="disk full")
        port.views = (down,)
        port.picture = replace(
            snapshot(), upstream="lost", link=replace(snapshot().link, state="down", detail="refused")
        )
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == [
            "link to 127.0.0.1:7497 is down: refused",
            "the gateway has lost its connection to IB",
            "sink sqlite is down: disk full",
        ]

    async def test_a_quote_has_every_field_and_numbers_are_numbers(
        self, http: httpx.AsyncClient, port: FakePort
    ) -> None:
        """Unset is null, never absent; decimals are JSON numbers with their digits."""
        quote = Quote(ts_recv_ns=5, instrument="SPY", bid=1.25)
        port.picture = replace(snapshot(), quotes={"SPY": quote})
        shown = (await http.get("/v1/snapshot")).json()["quotes"]["SPY"]
        assert set(Quote.__struct_fields__) <= set(shown)
        assert (shown["bid"], shown["ask"], shown["bid_size"], shown["source"]) == (1.25, None, None, "unknown")
        account = (await http.get("/v1/snapshot")).text
        assert '"quantity":150,' in account

    async def test_the_snapshot_shows_the_sinks(self, http: httpx.AsyncClient) -> None:
        """Every sink of the service, with its state."""
        sinks = (await http.get("/v1/snapshot")).json()["sinks"]
        assert [(sink["name"], sink["up"]) for sink in sinks] == [("sqlite", True), ("journal", True)]

    async def test_orders_are_listed_with_their_executions(self, http: httpx.AsyncClient) -> None:
        """GET /v1/orders holds what the snapshot holds of both."""
        answer = (await http.get("/v1/orders")).json()
        assert [order["order_key"] for order in answer["orders"]] == ["k1", "k2", "k3", "k4"]
        assert answer["executions"][0]["exec_id"] == "0000e0d5.6743.01.01"

    async def test_metrics_are_in_the_text_format(self, http: httpx.AsyncClient) -> None:
        """A scrape gets what Prometheus reads."""
        answer = await http.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert "ib_connection_status 1.0" in answer.text

    async def test_the_page_and_its_parts_are_served(self, http: httpx.AsyncClient) -> None:
        """One page, one style sheet, one script, one icon, each with its type."""
        for path, media in (("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "text/javascript")):
            answer = await http.get(path)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(media)

    async def test_what_is_not_there_is_said_in_the_same_shape(self, http: httpx.AsyncClient) -> None:
        """404 and 405 carry the error object too."""
        for method, path, status in (("GET", "/v2", 404), ("POST", "/v1/snapshot", 405)):
            answer = await http.request(method, path, headers=BEARER)
            assert answer.status_code == status
            assert answer.json()["error"]["remedy"]


class TestPlacing:
    async def test_an_order_becomes_a_command(self, http: httpx.AsyncClient, port: FakePort) -> None:
        """Every term reaches the core; keys are made here and the time-to-live counts from receipt."""
        terms = ORDER | {"tif": "GTC", "idempotency_key": "abc", "account": "DU4821973", "expires_in_s": 1.5}
        answer = await http.post("/v1/orders", json=terms, headers=BEARER | {"X-Actor": "cli:ann"})
        assert answer.status_code == 202
        (command,) = port.commands
        assert isinstance(command, PlaceOrder)
        assert (command.terms.instrument.symbol, command.terms.instrument.primary_exchange) == ("SPY", "ARCA")
        made = command.terms
        assert (made.action, made.order_type, made.tif) == (Action.BUY, OrderType.LIMIT, TimeInForce.GTC)
        assert (str(command.terms.quantity), str(command.terms.limit_price)) == ("100", "661.85")
        assert (command.idempotency_key, command.terms.account, command.actor) == ("abc", "DU4821973", "cli:ann")
        assert command.expires_at_ns - command.ts_recv_ns == 1_500_000_000
        assert answer.json()["order_key"] == command.order_key

    async def test_a_command_expires_after_the_configured_time_when_nothing_is_said(
        self, http: httpx.AsyncClient, port: FakePort
    ) -> None:
        """Two seconds by default; the idempotency key is then ours."""
        await http.post("/v1/orders", json=ORDER, headers=BEARER)
        (command,) = port.commands
        assert isinstance(command, PlaceOrder)
        assert command.expires_at_ns - START_NS == 2_000_000_000
        assert command.idempotency_key

    async def test_a_refused_order_says_why(self, http: httpx.AsyncClient, port: FakePort) -> None:
        """409 with the reasons of the permit, each with its remedy."""
        port.accepted = False
        port.reasons = (Reason(code="trading_off", text="trading is off", remedy="set trading.enabled"),)
        answer = await http.post("/v1/orders", json=ORDER, headers=BEARER)
        assert answer.status_code == 409
        assert answer.json()["reasons"] == [
            {"code": "trading_off", "text": "trading is off", "remedy": "set trading.enabled"}
        ]

    @pytest.mark.parametrize(
        ("change", "field", "remedy"),
        [
            ({"symbol": "SPI"}, "symbol", "did you mean SPY?"),
            ({"symbol": "SPY\0"}, "symbol", "served here"),
            ({"action": "HOLD"}, "action", "BUY, SELL"),
            ({"order_type": "STP"}, "order_type", "MKT, LMT"),
            ({"tif": "FOK"}, "tif", "DAY, GTC, IOC"),
            ({"quantity": 0}, "quantity", "above 0"),
            ({"quantity": -5}, "quantity", "above 0"),
            ({"quantity": "NaN"}, "quantity", "above 0"),
            ({"quantity": "Infinity"}, "quantity", "above 0"),
            ({"quantity": True}, "quantity", ""),
            ({"limit_price": None}, "limit_price", "MKT"),
            ({"limit_price": 0}, "limit_price", "above 0"),
            ({"limit_price": "1e400"}, "limit_price", "above 0"),
            ({"order_type": "MKT"}, "limit_price", "remove it"),
            ({"expires_in_s": 0}, "expires_in_s", "above 0"),
            ({"expires_in_s": 3600}, "expires_in_s", "at most"),
            ({"idempotency_key": "a b"}, "idempotency_key", "letters"),
            ({"account": "DU1\n"}, "account", "in full"),
            ({"quantitty": 1}, "quantitty", "did you mean quantity?"),
        ],
    )
    async def test_a_field_that_cannot_be_used_is_named(
        self, http: httpx.AsyncClient, port: FakePort, change: dict[str, object], field: str, remedy: str
    ) -> None:
        """422 with the field and its remedy; nothing reaches the core."""
        answer = await http.post("/v1/orders", json=ORDER | change, headers=BEARER)
        error = answer.json()["error"]
        assert answer.status_code == 422
        assert error["field"] == field
        assert remedy in error["remedy"]
        assert port.commands == []

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
    async def test_a_time_without_end_is_refused(self, http: httpx.AsyncClient, port: FakePort, number: str) -> None:
        """Neither names that JSON does not know nor a number that overflows becomes the default."""
        body = json.dumps(ORDER)[:-1] + f', "expires_in_s": {number}}}'
        headers = BEARER | {"content-type": "application/json"}
        answer = await http.post("/v1/orders", content=body, headers=headers)
        assert answer.status_code == 422
        assert port.commands == []

    async def test_a_missing_field_is_named(self, http: httpx.AsyncClient) -> None:
        """Symbol, action and quantity are always needed."""
        for name in ("symbol", "action", "quantity"):
            terms = {key: value for key, value in ORDER.items() if key != name}
            answer = await http.post("/v1/orders", json=terms, headers=BEARER)
            assert answer.json()["error"]["field"] == name

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 10_000, b'{"quantity": 1e999999999}'])
    async def test_a_body_that_is_no_order_is_refused(self, http: httpx.AsyncClient, body: bytes) -> None:
        """Broken JSON, JSON of another shape, deep nesting, absurd exponents."""
        answer = await http.post("/v1/orders", content=body, headers=BEARER | {"Content-Type": "application/json"})
        assert answer.status_code == 422

    async def test_a_body_beyond_64_kb_is_refused(self, http: httpx.AsyncClient) -> None:
        """It is not read to its end."""
        body = json.dumps(ORDER | {"account": "x" * 70_000})
        answer = await http.post("/v1/orders", content=body, headers=BEARER | {"Content-Type": "application/json"})
        assert answer.status_code == 413

    async def test_a_form_is_no_order(self, http: httpx.AsyncClient) -> None:
        """What a browser can send without asking first (a form) is not accepted."""
        answer = await http.post(
            "/v1/orders", content=json.dumps(ORDER), headers=BEARER | {"Content-Type": "text/plain"}
        )
        assert answer.status_code == 415

    async def test_an_actor_that_could_forge_a_log_is_replaced(self, http: httpx.AsyncClient, port: FakePort) -> None:
        """Names are short and plain, or they are "http"."""
        await http.post("/v1/orders", json=ORDER, headers=BEARER | {"X-Actor": "ann; forged"})
        assert port.commands[0].actor == "http"


class TestCancelling:
    async def test_a_cancel_becomes_a_command(self, http: httpx.AsyncClient, port: FakePort) -> None:
        """By our own key of the order."""
        answer = await http.delete("/v1/orders/k1", headers=BEARER)
        assert answer.status_code == 202
        (command,) = port.commands
        assert isinstance(command, CancelOrder)
        assert command.order_key == "k1"

    async def test_a_key_that_cannot_be_one_is_refused(self, http: httpx.AsyncClient, port: FakePort) -> None:
        """Nothing reaches the core."""
        answer = await http.delete("/v1/orders/k%201", headers=BEARER)
        assert answer.status_code == 422
        assert port.commands == []


class TestStreams:
    @pytest.mark.parametrize(("path", "kind"), [("stop", StopStreams), ("start", StartStreams)])
    async def test_market_data_is_switched_in_the_name_of_who_asks(
        self, http: httpx.AsyncClient, port: FakePort, path: str, kind: type[StopStreams | StartStreams]
    ) -> None:
        """202 with the state; the command bears the actor and our time."""
        answer = await http.post(f"/v1/streams/{path}", headers={**BEARER, "X-Actor": "cli:ann"})
        assert (answer.status_code, answer.json()["accepted"]) == (202, True)
        (command,) = port.commands
        assert (type(command), command.actor, command.ts_recv_ns) == (kind, "cli:ann", START_NS)

    @pytest.mark.parametrize("path", ["stop", "start"])
    async def test_nobody_switches_it_without_the_token(
        self, http: httpx.AsyncClient, port: FakePort, path: str
    ) -> None:
        """Neither without one nor by following a link."""
        assert (await http.post(f"/v1/streams/{path}")).status_code == 401
        assert (await http.get(f"/v1/streams/{path}", headers=BEARER)).status_code == 405
        assert port.commands == []

    async def test_a_refusal_says_why(self, http: httpx.AsyncClient, port: FakePort) -> None:
        """409 with the reasons, as for an order."""
        port.accepted, port.reasons = False, (Reason(code="capability", text="no market data here"),)
        answer = await http.post("/v1/streams/stop", headers=BEARER)
        assert (answer.status_code, answer.json()["reasons"][0]["code"]) == (409, "capability")

    async def test_the_way_back_from_the_standby_needs_the_token_and_bears_the_actor(
        self, http: httpx.AsyncClient, port: FakePort
    ) -> None:
        """202 with the state for who has it, 401 for everybody else."""
        assert (await http.post("/v1/gateway/failback")).status_code == 401
        assert (await http.get("/v1/gateway/failback", headers=BEARER)).status_code == 405
        assert port.commands == []
        answer = await http.post("/v1/gateway/failback", headers={**BEARER, "X-Actor": "cli:ann"})
        assert (answer.status_code, answer.json()["accepted"]) == (202, True)
        (command,) = port.commands
        assert (type(command), command.actor) == (FailBack, "cli:ann")

    async def test_no_token_is_in_what_anybody_may_read(self, http: httpx.AsyncClient) -> None:
        """Page, picture and metrics hold no secret of ours."""
        for path in ("/", "/page.js", "/v1/snapshot", "/metrics", "/readyz", "/v1/orders"):
            assert TOKEN not in (await http.get(path)).text
        assert "DU4821973" not in (await http.get("/metrics")).text
