from __future__ import annotations

import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from ibkr_adapter.cli import main
from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import (
    CancelOrder,
    Command,
    CommandOutcome,
    FailBack,
    PlaceOrder,
    Reason,
    StartStreams,
    StopStreams,
)
from ibkr_adapter.errors import ExitCode
from tests.cli.service_thread import served
from tests.console.fake_service import START_NS, FakePort, night, order, snapshot
from tws_simulator.gateway import Gateway, running_gateway


class Desk(FakePort):
    """Every accepted order appears in the snapshot, in the state asked for."""

    state = "filled"
    detail = ""

    async def submit(self, command: Command) -> CommandOutcome:
        outcome = await super().submit(command)
        if isinstance(command, PlaceOrder) and outcome.accepted:
            made = order(command.order_key, START_NS, state=self.state, detail=self.detail)
            self.picture = replace(self.picture, orders=(*self.picture.orders, made))
        return outcome


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(autouse=True)
def home(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("USER", "ann")
    with served(desk, tmp_path / "ibkr-adapter" / "development"):
        yield tmp_path / "ibkr-adapter"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


class TestFinding:
    def test_the_only_running_service_is_found(self) -> None:
        """By the state file under the XDG state directory, without being told."""
        assert run("status").exit_code == ExitCode.OK

    def test_a_state_file_or_its_directory_can_be_named(self, home: Path) -> None:
        """Both mean the service that wrote it."""
        for path in (home / "development", home / "development" / "service.json"):
            assert run("status", "--state", str(path)).exit_code == ExitCode.OK

    def test_of_two_services_one_must_be_chosen(self, home: Path) -> None:
        """The error names both."""
        with served(FakePort(), home / "staging"):
            result = run("status")
        assert result.exit_code == ExitCode.NOT_RUNNING
        assert "--state" in result.stderr
        assert str(home / "staging") in result.stderr

    @pytest.mark.parametrize("content", ["", "{}", "[1]", '{"url": 1}'])
    def test_a_broken_state_file_is_no_service(self, home: Path, content: str) -> None:
        """It is not running as far as anyone can tell; said in one line."""
        file = home / "broken.json"
        file.write_text(content)
        result = run("status", "--state", str(file))
        assert result.exit_code == ExitCode.NOT_RUNNING
        assert result.stderr.count("\n") == 1
        assert "ibkr-adapter run" in result.stderr

    def test_a_state_file_of_a_dead_process_is_no_service(self, home: Path) -> None:
        """What a killed service left behind is recognised by its process id."""
        state = json.loads((home / "development" / "service.json").read_bytes())
        child = os.posix_spawn("/bin/true", ["/bin/true"], {})
        os.waitpid(child, 0)
        file = home / "dead.json"
        file.write_text(json.dumps(state | {"pid": child}))
        assert run("status", "--state", str(file)).exit_code == ExitCode.NOT_RUNNING

    def test_a_service_that_does_not_answer_is_not_running(self, home: Path) -> None:
        """Its process id lives but nothing listens."""
        state = json.loads((home / "development" / "service.json").read_bytes())
        file = home / "deaf.json"
        file.write_text(json.dumps(state | {"url": "http://127.0.0.1:9"}))
        result = run("orders", "list", "--state", str(file))
        assert result.exit_code == ExitCode.NOT_RUNNING
        assert "does not answer" in result.stderr


class TestStatus:
    def test_ready_is_0_and_reads_well(self) -> None:
        """Environment, planes, gate, rate, journal, stores and quotes, one line each."""
        result = run("status")
        assert result.exit_code == ExitCode.OK
        assert "ready\n" in result.stdout
        assert "gateway   127.0.0.1:7497 ready for 3h12m, client 1" in result.stdout
        assert "SPY" in result.stdout

    def test_not_ready_is_1_and_says_why(self, desk: Desk) -> None:
        """The reasons of readiness and of the gate, with their remedies."""
        desk.picture = night(START_NS)
        result = run("status")
        assert result.exit_code == ExitCode.FAILURE
        assert "not ready: link to 127.0.0.1:7497 is down: connection refused" in result.stdout
        assert "refuses connections (start TWS, or wait for its restart)" in result.stdout

    def test_a_standby_and_what_is_expected_are_said(self, desk: Desk) -> None:
        """Which gateway is in use where it is not the usual one, and for how long an outage is explained."""
        link = replace(snapshot().link, gateway="secondary", standby=True)
        desk.picture = replace(snapshot(), link=link)
        assert "gateway   secondary (standby) at 127.0.0.1:7497 ready" in run("status").stdout
        away = replace(night(START_NS).link, excuse="restart", excused_until_ns=START_NS + 540 * SECOND)
        desk.picture = replace(night(START_NS), link=away)
        assert "expected  restart, for another 9m" in run("status").stdout

    def test_alerts_and_the_planned_window_are_said(self, desk: Desk) -> None:
        """What was told, with its remedy, and until when the window in force lasts, or when the next one begins."""
        assert "window    nightly_reset begins in 3h17m" in run("status").stdout
        desk.picture = night(START_NS)
        output = run("status").stdout
        assert "alert     critical for 11m: no session with primary at 127.0.0.1:7497" in output
        assert "(see that the gateway runs" in output
        assert "not yet told" not in output
        assert "window    gateway_restart ends in 9m" in output

    def test_how_we_stand_with_the_gateway_is_said(self, desk: Desk) -> None:
        """Budget, quotas, settings, and who asks for the account summary."""
        output = run("status").stdout
        assert "messages  7 of 45 (and 5 for cancels) in the last second, 0 waiting" in output
        assert "quotas    lines 10 of 100, depth 0 of 3, tick-by-tick 0 of 5" in output
        assert "settings  does not keep orders" in output
        assert "account   its summary is asked for by ibkr_adapter" in output
        assert "streams   10 live" in output
        assert "lease" not in output

    def test_what_holds_us_back_is_said(self, desk: Desk) -> None:
        """What waits and why, what a refusal taught, whose the id is, and each stream that is not live."""
        desk.picture = night(START_NS)
        output = run("status").stdout
        assert "in the last second, halved for 41s, 41 waiting (37 subscriptions)" in output
        assert "held      4 history, next in 9s: 60 requests in ten minutes" in output
        assert "quotas    lines 87 of 100 (the gateway gives 87)" in output
        assert "lease     not ours: held by desk-b" in output
        assert "settings  keeps orders and sends them late" in output
        assert "attempts  4 failed in a row, next in 6s" in output
        assert "quote:SPY waiting, missing for 1m: no session" in output
        assert "orphans   data comes for 1 requests that were cancelled" in output

    def test_json_is_the_snapshot(self) -> None:
        """For scripts: readiness and the whole picture."""
        document = json.loads(run("status", "--json").stdout)
        assert document["ready"] == {"ready": True, "reasons": []}
        assert document["snapshot"]["environment"] == "development"


class TestStreams:
    @pytest.mark.parametrize(("which", "kind"), [("stop", StopStreams), ("start", StartStreams)])
    def test_market_data_is_switched(self, desk: Desk, which: str, kind: type[Command]) -> None:
        """Under the name of who asks; 0 when it is done."""
        result = run("streams", which)
        assert result.exit_code == ExitCode.OK
        assert result.stdout.startswith("market data is o")
        (command,) = desk.commands
        assert (type(command), command.actor) == (kind, "cli:ann")

    def test_a_refusal_is_an_error(self, desk: Desk) -> None:
        """With its reason and remedy on standard error."""
        desk.accepted, desk.reasons = False, (Reason(code="capability", text="no market data", remedy="ask another"),)
        result = run("streams", "stop")
        assert result.exit_code == ExitCode.FAILURE
        assert result.stderr == "error: no market data (ask another)\n"

    def test_the_way_back_from_the_standby_is_asked_for(self, desk: Desk) -> None:
        """Under the name of who asks; what is refused ends with 1 and its reason."""
        result = run("failback")
        assert (result.exit_code, result.stdout[:28]) == (ExitCode.OK, "the session with the standby")
        (command,) = desk.commands
        assert (type(command), command.actor) == (FailBack, "cli:ann")
        desk.accepted, desk.reasons = False, (Reason(code="not_on_standby", text="none is in use", remedy="see"),)
        refused = run("failback")
        assert (refused.exit_code, refused.stderr) == (ExitCode.FAILURE, "error: none is in use (see)\n")

    def test_streams_are_listed(self, desk: Desk) -> None:
        """One line each, with its age, its present gap and its reason; in JSON with quotas and orphans."""
        desk.picture = night(START_NS)
        first, second, *_ = run("streams", "list").stdout.splitlines()[1:]
        assert first.split() == ["quote:SPY", "waiting", "2s", "1m", "0", "no", "session"]
        assert "354: not subscribed" in second
        document = json.loads(run("streams", "list", "--json").stdout)
        assert [orphan["cancels"] for orphan in document["orphans"]] == [2]
        assert document["stopped"] is None


class TestOrders:
    def test_an_order_is_placed_and_its_state_told(self, desk: Desk) -> None:
        """The terms arrive exactly, under the name of who asked."""
        result = run("orders", "place", "buy", "100", "SPY", "--limit", "661.85", "--tif", "gtc", "--key", "k-1")
        assert result.exit_code == ExitCode.OK
        assert result.stdout.startswith("filled: BUY 100 SPY, order key ")
        (command,) = desk.commands
        assert isinstance(command, PlaceOrder)
        assert (command.terms.quantity, command.terms.limit_price) == (Decimal(100), Decimal("661.85"))
        assert (command.terms.tif, command.idempotency_key, command.actor) == ("GTC", "k-1", "cli:ann")

    def test_a_refusal_is_31_with_reason_and_remedy(self, desk: Desk) -> None:
        """Nothing was sent, and the line says why and what to do."""
        desk.accepted = False
        desk.reasons = (Reason(code="trading_off", text="trading is off", remedy="set trading.enabled = true"),)
        result = run("orders", "place", "BUY", "1", "SPY", "--market")
        assert result.exit_code == ExitCode.ORDER_REFUSED
        assert result.stderr == "error: not sent: trading is off (set trading.enabled = true)\n"

    def test_a_rejection_by_the_broker_is_32(self, desk: Desk) -> None:
        """It was sent, and the broker said no in its own words."""
        desk.state, desk.detail = "rejected", "201: insufficient equity"
        result = run("orders", "place", "BUY", "1", "SPY", "--market")
        assert result.exit_code == ExitCode.ORDER_REJECTED
        assert "201: insufficient equity" in result.stderr

    def test_an_order_that_nobody_answered_yet_is_reported_as_it_is(self, desk: Desk) -> None:
        """The wait has an end."""
        desk.state = "sent"
        result = run("orders", "place", "BUY", "1", "SPY", "--market", "--wait", "0")
        assert result.exit_code == ExitCode.OK
        assert result.stdout.startswith("sent: ")

    def test_an_unknown_symbol_is_15_and_the_nearest_is_named(self, desk: Desk) -> None:
        """Nothing is guessed."""
        result = run("orders", "place", "BUY", "1", "SPI", "--market")
        assert result.exit_code == ExitCode.UNKNOWN_SYMBOL
        assert "did you mean SPY?" in result.stderr
        assert desk.commands == []

    @pytest.mark.parametrize("quantity", ["0", "-1", "many", "1e99"])
    def test_a_quantity_that_is_none_is_a_usage_error(self, desk: Desk, quantity: str) -> None:
        """Said by the field's name."""
        result = run("orders", "place", "--market", "--", "BUY", quantity, "SPY")
        assert result.exit_code == ExitCode.USAGE
        assert "quantity" in result.stderr
        assert desk.commands == []

    @pytest.mark.parametrize("price", [(), ("--market", "--limit", "1")])
    def test_market_or_limit_must_be_said(self, desk: Desk, price: tuple[str, ...]) -> None:
        """Neither is the default: forgetting a limit must not mean at any price."""
        result = run("orders", "place", "BUY", "1", "SPY", *price)
        assert result.exit_code == ExitCode.USAGE
        assert desk.commands == []

    @pytest.mark.parametrize("option", ["--expires", "--wait"])
    @pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "-1", "1e999", "soon"])
    def test_a_time_that_is_none_is_a_usage_error(self, desk: Desk, option: str, seconds: str) -> None:
        """NaN and infinity too: they must not quietly become the default."""
        result = run("orders", "place", "BUY", "1", "SPY", "--market", f"{option}={seconds}")
        assert result.exit_code == ExitCode.USAGE
        assert result.stderr.startswith(f"error: invalid value for '{option}'")
        assert desk.commands == []

    @pytest.mark.parametrize("seconds", ["0", "61"])
    def test_an_order_expires_between_now_and_a_minute(self, desk: Desk, seconds: str) -> None:
        """The same range as over HTTP, said before anything is sent."""
        assert run("orders", "place", "BUY", "1", "SPY", "--market", "--expires", seconds).exit_code == ExitCode.USAGE
        assert desk.commands == []

    def test_json_is_the_outcome(self) -> None:
        """For scripts, on success and on refusal."""
        outcome = json.loads(run("orders", "place", "BUY", "1", "SPY", "--market", "--json").stdout)
        assert (outcome["accepted"], outcome["state"], outcome["order_id"]) == (True, "filled", 14)

    def test_working_orders_are_listed_and_finished_ones_on_request(self) -> None:
        """Without --all only what can still fill."""
        working, everything = run("orders", "list").stdout, run("orders", "list", "--all").stdout
        assert "k1" in working
        assert "k2" not in working
        assert "k2" in everything
        assert "201: order rejected, insufficient equity" in everything
        assert len(json.loads(run("orders", "list", "--all", "--json").stdout)) == 4

    @pytest.mark.parametrize("name", ["key-0112", "12", "0112", "key-01"])
    def test_an_order_is_cancelled_by_key_or_number(self, desk: Desk, name: str) -> None:
        """Our key, a unique beginning or end of it, or IB's order id, which wins over a key that ends with it."""
        orders = (order("key-0112", START_NS, order_id=12), order("key-0213", START_NS, order_id=5))
        desk.picture = replace(desk.picture, orders=orders)
        assert run("orders", "cancel", name).exit_code == ExitCode.OK
        (command,) = desk.commands
        assert isinstance(command, CancelOrder)
        assert command.order_key == "key-0112"

    @pytest.mark.parametrize("name", ["k", "key-", "12", "nothing", "k1\n"])
    def test_an_ambiguous_or_unknown_order_is_not_cancelled(self, desk: Desk, name: str) -> None:
        """Never the wrong one: neither of two, nor one that merely ends with a short number."""
        orders = (order("key-0112", START_NS, order_id=4), order("key-0213", START_NS, order_id=5))
        desk.picture = replace(desk.picture, orders=orders)
        assert run("orders", "cancel", name).exit_code == ExitCode.USAGE
        assert desk.commands == []


def test_doctor_does_not_disturb_a_service_that_runs(home: Path, tmp_path: Path) -> None:
    """Its client id is busy because it works: the gateway is not probed."""
    file = tmp_path / "desk.toml"
    file.write_text("")
    result = run("doctor", "--config", str(file))
    assert "not probed: the service runs here" in result.stdout


@pytest.mark.wire
def test_doctor_visits_the_gateway_beside_a_service_under_an_id_that_is_named(home: Path, tmp_path: Path) -> None:
    """What the service holds is told as its own, and the configured id is left to it."""
    file = tmp_path / "desk.toml"
    with running_gateway(Gateway()) as simulated:
        file.write_text(f'[gateways.primary]\nport = {simulated.port}\n[[instruments]]\nsymbol = "SPY"\n')
        result = run("doctor", "--config", str(file), "--client-id", "77")
    assert result.exit_code == ExitCode.OK
    assert "page              served by the service at" in result.stdout
    assert "client id 77 is free" in result.stdout
