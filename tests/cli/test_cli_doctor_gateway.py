"""What the doctor tells apart of a gateway, over real sockets: each with the setting that mends it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibkr_adapter.cli import gateway_checks, main
from ibkr_adapter.cli.data_checks import Line, judged
from ibkr_adapter.cli.finding import Verdict
from ibkr_adapter.cli.gateway_checks import account, clock_finding
from ibkr_adapter.cli.probe import Found, Visit
from ibkr_adapter.clock import SECOND
from ibkr_adapter.clock_offset import Offset
from ibkr_adapter.config import Gateway
from ibkr_adapter.config.reading import parse
from ibkr_adapter.errors import ExitCode, GatewayClosed, GatewayRefused, HandshakeTimeout, UnsupportedServer
from ibkr_adapter.events import GatewayConfigured, NoticeReceived, PriceTick
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.lease import Lease
from ibkr_adapter.tws.official import PACKAGE
from tests.tws.scripted_gateway import Peer, gateway
from tws_simulator.faults.reading import read_action
from tws_simulator.gateway import Gateway as Simulated
from tws_simulator.gateway import running_gateway

pytestmark = pytest.mark.wire

KNOWS_SETTINGS = PACKAGE.server_version_max >= 219
WAIT_S = 0.3
PATIENCE_S = 10

SPY = Instrument(symbol="SPY", primary_exchange="ARCA")
TEN_MORE = ("QQQ", "IWM", "AAPL", "MSFT", "GOOGL", "GOOG", "AMZN", "NVDA", "META", "TSLA")


@pytest.fixture(autouse=True)
def _locks_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def doctor(directory: Path, port: int, more: str = "", *arguments: str) -> Result:
    """With SPY and what ``more`` adds: tables of its own first, if any."""
    file = directory / "desk.toml"
    file.write_text(
        f'data_dir = "data"\n[http]\nlisten = "127.0.0.1:0"\n[gateways.primary]\nport = {port}\nusername = "one"\n'
        f'{more}\n[[instruments]]\nsymbol = "SPY"\n'
    )
    return CliRunner().invoke(main, ["doctor", "--config", str(file), *arguments])


def symbols(*names: str) -> str:
    return "".join(f'[[instruments]]\nsymbol = "{name}"\n' for name in names)


def visit(port: int, host: str = "127.0.0.1") -> Visit:
    return Visit("primary", Gateway(host=host, port=port), 1)


@contextlib.contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port whose first visitor is served by ``serve`` on a thread."""
    server = socket.create_server(("127.0.0.1", 0))

    def first() -> None:
        with contextlib.suppress(OSError):
            visitor, _ = server.accept()
            with visitor:
                serve(visitor)

    thread = threading.Thread(target=first)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        thread.join(PATIENCE_S)


class TestAddress:
    def test_a_gateway_that_closes_at_once_is_12(self, tmp_path: Path) -> None:
        """Not trusted, or a forwarder with nothing behind it: from here they look alike, so both are named."""
        with listening(lambda visitor: None) as port:
            result = doctor(tmp_path, port)
        assert result.exit_code == ExitCode.GATEWAY_CLOSED
        assert "closes them before a word" in result.stdout
        assert 'add this machine to "Trusted IPs"' in result.stdout
        assert "forwarder" in result.stdout

    def test_a_gateway_that_says_nothing_is_11(self) -> None:
        """It accepts and is silent: a dialog waits in its window, or what is behind a forwarder is not up."""
        spoken_to, gone = threading.Event(), threading.Event()

        def wait(visitor: socket.socket) -> None:
            visitor.recv(1)
            spoken_to.set()
            gone.wait(PATIENCE_S)

        with listening(wait) as port:
            with visit(port) as visiting:
                assert spoken_to.wait(PATIENCE_S)
                with pytest.raises(HandshakeTimeout) as caught:
                    visiting.identify(WAIT_S)
            gone.set()
        assert caught.value.exit_code == ExitCode.GATEWAY_SILENT
        assert "Accept incoming connection" in caught.value.remedy
        assert "forwarder" in caught.value.remedy

    def test_at_the_container_s_port_the_forwarder_is_named_first(self) -> None:
        """At 4004 nobody else listens; at a gateway's own port its window comes first."""
        assert visit(4004)._either("gateway", "forwarder") == "forwarder; or: gateway"
        assert visit(4002)._either("gateway", "forwarder") == "gateway; or: forwarder"

    def test_a_name_that_is_none_is_told_from_a_port_that_refuses(self) -> None:
        """The first is an error of the configuration, the second of the gateway."""
        with visit(7497, "no.such.host.invalid") as visiting, pytest.raises(GatewayRefused) as caught:
            visiting.identify(PATIENCE_S)
        assert "cannot be reached" in caught.value.message
        assert "gateways.primary.host" in caught.value.remedy

    def test_another_program_at_the_port_is_16(self) -> None:
        """A web server answers, in its own words."""
        with (
            listening(lambda visitor: visitor.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port,
            visit(port) as visiting,
            pytest.raises(UnsupportedServer, match="no TWS") as caught,
        ):
            visiting.identify(PATIENCE_S)
        assert "gateways.primary.port" in caught.value.remedy

    def test_a_gateway_of_another_age_is_16(self, tmp_path: Path) -> None:
        """Its version, and those we speak."""
        with running_gateway(Simulated(scenario="server-from-the-future")) as simulated:
            result = doctor(tmp_path, simulated.port)
        assert result.exit_code == ExitCode.GATEWAY_VERSION
        assert "server version 999, we speak" in result.stdout


class TestGreeting:
    def test_one_that_greets_and_closes_trusts_us(self) -> None:
        """It has read our version: too many clients, or trouble of its own."""
        with gateway(lambda peer: peer.open()) as scripted, visit(scripted.port) as visiting:
            with pytest.raises(GatewayClosed, match="greeted us and closed") as caught:
                visiting.identify(PATIENCE_S)
            assert "32 clients" in caught.value.remedy

    def test_one_that_names_no_accounts_is_11(self) -> None:
        """Half a login: its window has the other half."""

        def half(peer: Peer) -> None:
            peer.open()
            peer.say(peer.wire.next_valid_id(1))
            peer.hear_end()

        with gateway(half) as scripted, visit(scripted.port) as visiting:
            assert visiting.hear(lambda: visiting.found.next_order_id is not None, PATIENCE_S)
            with pytest.raises(HandshakeTimeout, match="does not name its accounts") as caught:
                visiting.identify(WAIT_S)
            assert "login" in caught.value.remedy

    def test_one_that_names_no_order_id_is_11(self) -> None:
        """Seen of gateways after some restarts."""
        with (
            running_gateway(Simulated(scenario="order-id-never-comes")) as simulated,
            visit(simulated.port) as visiting,
        ):
            assert visiting.hear(lambda: bool(visiting.found.accounts), PATIENCE_S)
            with pytest.raises(HandshakeTimeout, match="does not name the next order id"):
                visiting.identify(WAIT_S)

    def test_a_client_id_in_use_is_13(self, tmp_path: Path) -> None:
        """Another session holds it; nothing is taken from it, and no other id is tried."""
        with running_gateway(Simulated()) as simulated, visit(simulated.port) as first:
            first.identify(PATIENCE_S)
            result = doctor(tmp_path, simulated.port)
            assert simulated.call(lambda gateway: len(gateway.core.state.sessions)) == 1
        assert result.exit_code == ExitCode.CLIENT_ID_IN_USE
        assert "client id 1 is in use" in result.stdout
        assert "ibkr-adapter clients" in result.stdout

    def test_who_had_the_id_last_on_this_machine_is_told(self, tmp_path: Path) -> None:
        """A service that was killed a moment ago, whose session the gateway has not noticed to be gone."""
        with running_gateway(Simulated(scenario="client-id-in-use")) as simulated:
            Lease([f"127.0.0.1:{simulated.port}"], 1, component="ibkr_adapter").release()
            result = doctor(tmp_path, simulated.port)
        assert "ibkr_adapter here (process" in result.stdout

    def test_another_id_is_used_only_when_it_is_named(self, tmp_path: Path) -> None:
        """While somebody holds the configured one."""
        with running_gateway(Simulated()) as simulated, Lease([f"127.0.0.1:{simulated.port}"], 1):
            refused = doctor(tmp_path, simulated.port)
            asked = doctor(tmp_path, simulated.port, "", "--client-id", "77")
        assert refused.exit_code == ExitCode.ALREADY_RUNNING
        assert "speaks server version" not in refused.stdout
        assert asked.exit_code == ExitCode.OK
        assert "client id 77 is free" in asked.stdout
        assert "the service will use 1, which is not tried" in asked.stdout

    def test_a_live_account_ends_the_visit(self, tmp_path: Path) -> None:
        """Of a login that is not the environment's nothing more is asked."""
        with running_gateway(Simulated(scenario="another-account")) as simulated:
            result = doctor(tmp_path, simulated.port)
        assert result.exit_code == ExitCode.ACCOUNT_MISMATCH
        assert "is not a paper account" in result.stdout
        assert "market data" not in result.stdout

    def test_a_session_that_is_cut_off_ends_the_visit(self) -> None:
        """Nobody waits for its answers."""
        with running_gateway(Simulated()) as simulated, visit(simulated.port) as visiting:
            visiting.identify(PATIENCE_S)
            simulated.call(lambda gateway: gateway.disconnect_all())
            with pytest.raises(GatewayClosed, match="greeted us and closed"):
                visiting.hear(lambda: False, PATIENCE_S)


class TestSettings:
    TRADING = "[trading]\nenabled = true"

    @pytest.mark.parametrize("server_version", [200, *([219] if KNOWS_SETTINGS else [])])
    def test_a_read_only_gateway_is_18_where_trading_is_on(self, tmp_path: Path, server_version: int) -> None:
        """Seen without an order: in its settings, or as it refuses to name the next order id again."""
        with running_gateway(Simulated(read_only=True, server_version=server_version)) as simulated:
            trading, not_trading = doctor(tmp_path, simulated.port, self.TRADING), doctor(tmp_path, simulated.port)
        assert trading.exit_code == ExitCode.GATEWAY_SETTING
        assert 'untick "Read-Only API"' in trading.stdout
        assert not_trading.exit_code == ExitCode.OK
        assert "trading is off here: nothing is missing" in not_trading.stdout

    def test_an_older_gateway_is_asked_what_it_can_tell(self, tmp_path: Path) -> None:
        """That it takes orders shows without one; what it does with those of an outage does not."""
        with running_gateway(Simulated(server_version=200)) as simulated:
            result = doctor(tmp_path, simulated.port)
        assert "ok    read-only         no, the gateway accepts orders" in result.stdout
        assert "warn  kept orders       unchecked: server version 200 does not tell" in result.stdout
        assert result.exit_code == ExitCode.OK

    if KNOWS_SETTINGS:

        def test_kept_orders_are_a_warning_on_paper(self, tmp_path: Path) -> None:
            """With the setting's own words and where to find it."""
            with running_gateway(Simulated()) as simulated:
                result = doctor(tmp_path, simulated.port)
            assert result.exit_code == ExitCode.OK
            assert "warn  kept orders" in result.stdout
            assert "File > Global Configuration > API > Settings" in result.stdout

        def test_what_is_switched_off_is_fine(self, tmp_path: Path) -> None:
            """And how the gateway treats a fast client is told."""
            with running_gateway(Simulated(maintain_orders=False, pacing="reject")) as simulated:
                result = doctor(tmp_path, simulated.port)
            assert "ok    kept orders" in result.stdout
            assert "are refused with 100" in result.stdout

        def test_a_daily_stop_outside_every_window_is_a_warning_on_paper(self, tmp_path: Path) -> None:
            """The simulated one stops at 11:45 PM; moving the window there makes it fine."""
            window = '[[gateways.primary.windows]]\nname = "gateway_restart"\nat = "23:30"\n'
            with running_gateway(Simulated(maintain_orders=False)) as simulated:
                default, moved = doctor(tmp_path, simulated.port), doctor(tmp_path, simulated.port, window)
            assert "warn  daily stop        the gateway stops daily at 11:45 PM restart" in default.stdout
            assert "gateways.primary.windows" in default.stdout
            assert default.exit_code == ExitCode.OK
            assert "ok    daily stop" in moved.stdout

        def test_it_is_a_failure_on_a_live_account(self) -> None:
            """Orders would be sent into the restart."""
            own = '[environments.production]\naccount = "U1234567"\n[gateways.primary]\nport = 4001\n'
            live = parse(f'environment = "production"\n{own}', "live")
            told = GatewayConfigured(ts_recv_ns=0, epoch=1, req_id=1, daily_stop="11:45 PM")
            (found,) = gateway_checks.stop(live, told, live.active.gateway, live.gateway)
            assert (found.verdict, found.exit_code) == (Verdict.FAIL, ExitCode.GATEWAY_SETTING)


def test_a_gateway_that_answers_nothing_any_more_is_11(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has named itself and tells the time: a heartbeat alone would be content."""
    monkeypatch.setattr(gateway_checks, "ANSWER_S", WAIT_S)
    deaf = read_action({"do": "drop", "names": ["*"], "but_not": ["currentTime"], "lists": True})
    with running_gateway(Simulated(server_version=200)) as simulated, visit(simulated.port) as visiting:
        visiting.identify(PATIENCE_S)
        simulated.call(lambda gateway: gateway.director.do(deaf))
        with pytest.raises(HandshakeTimeout, match="answers nothing after that") as caught:
            gateway_checks.settings(visiting)
    assert "restart it" in caught.value.remedy


class TestAccount:
    OWN = '[environments.development]\naccount = "DU1234567"\n'

    @pytest.mark.parametrize(
        ("accounts", "verdict"),
        [(("DU1234567",), Verdict.OK), (("DU1234567", "DU7654321"), Verdict.FAIL), (("DU7654321",), Verdict.FAIL)],
    )
    def test_an_account_beside_the_configured_one_is_refused_as_by_the_service(
        self, accounts: tuple[str, ...], verdict: Verdict
    ) -> None:
        """It is the only account accepted: of a login with another one the service would stop for good."""
        assert account(parse(self.OWN, "own"), Found(accounts=accounts)).verdict is verdict

    def test_without_a_configured_one_the_kind_decides(self) -> None:
        """All paper accounts, or none."""
        assert account(parse("", "none"), Found(accounts=("DU1", "DF2"))).verdict is Verdict.OK
        assert account(parse("", "none"), Found(accounts=("DU1", "U2"))).verdict is Verdict.FAIL


class TestClock:
    @pytest.mark.parametrize(
        ("told_s", "asked_s", "answered_s", "words"),
        [
            (10, 10.1, 10.2, "agree"),
            (10, 10.9, 11.1, "agree"),
            (15, 10, 11, "5 s ahead of this machine"),
            (10, 14, 15, "4 s behind this machine"),
        ],
    )
    def test_only_what_neither_the_told_second_nor_the_line_explains_is_an_offset(
        self, told_s: int, asked_s: float, answered_s: float, words: str
    ) -> None:
        """By the formula of the running service, and with its direction."""
        offset = Offset.measured(told_s * SECOND, asked_ns=int(asked_s * SECOND), answered_ns=int(answered_s * SECOND))
        found = clock_finding(offset, 0)
        assert words in found.text
        assert (found.verdict is Verdict.OK) == (words == "agree")

    def test_a_machine_whose_clock_was_moved_is_told(self) -> None:
        """Ours against itself."""
        agreed = Offset.measured(10 * SECOND, asked_ns=10 * SECOND, answered_ns=10 * SECOND)
        assert "was moved by +7.0 s" in clock_finding(agreed, 7 * SECOND).text

    def test_a_gateway_an_hour_ahead_is_seen(self, tmp_path: Path) -> None:
        """Over a real session."""
        with running_gateway(Simulated(clock=lambda: time.time_ns() + 3_600 * SECOND)) as simulated:
            result = doctor(tmp_path, simulated.port)
        assert "warn  clock" in result.stdout
        assert "s ahead of this machine" in result.stdout
        assert "NTP" in result.stdout


class TestMarketData:
    LIVE_ONLY = '[environments.development]\nmarket_data = "live-only"\n'

    def test_live_data_is_fine_and_its_lines_are_given_back(self, tmp_path: Path) -> None:
        """All symbols with the same finding are on one line."""
        with running_gateway(Simulated(lines_max=10)) as simulated:
            twice = [doctor(tmp_path, simulated.port, symbols(*TEN_MORE[:9])) for _ in range(2)]
        for result in twice:
            assert f"ok    market data       {' '.join(TEN_MORE[:9])} SPY: live" in result.stdout

    def test_delayed_data_is_a_warning_where_it_is_accepted(self, tmp_path: Path) -> None:
        """Named for the symbols that lack the permission alone."""
        with running_gateway(Simulated(not_entitled=["QQQ"])) as simulated:
            result = doctor(tmp_path, simulated.port, symbols("QQQ"))
        assert result.exit_code == ExitCode.OK
        assert "ok    market data       SPY: live" in result.stdout
        assert "warn  market data       QQQ: delayed: 10167" in result.stdout
        assert "Market Data Subscriptions" in result.stdout

    @pytest.mark.parametrize("code", [354, 10089, 10168, 10186])
    def test_no_data_is_17_and_the_missing_permission_is_named(self, tmp_path: Path, code: int) -> None:
        """With whatever code this gateway refuses live data."""
        with running_gateway(Simulated(entitled=False, live_refusal_code=code)) as simulated:
            result = doctor(tmp_path, simulated.port, self.LIVE_ONLY)
        assert result.exit_code == ExitCode.MARKET_DATA
        assert f"SPY: none: {code} " in result.stdout
        assert "Market Data Subscriptions" in result.stdout

    def test_a_competing_session_is_17(self, tmp_path: Path) -> None:
        """The same user is logged in elsewhere, and has the data."""
        with running_gateway(Simulated()) as simulated:
            simulated.call(lambda gateway: gateway.director.do(read_action({"do": "competing_session"})))
            result = doctor(tmp_path, simulated.port)
        assert result.exit_code == ExitCode.MARKET_DATA
        assert "SPY: none: 10197" in result.stdout
        assert "end the other live session of this user" in result.stdout

    def test_a_symbol_that_ib_does_not_know_is_17(self, tmp_path: Path) -> None:
        """The configuration is wrong, not the permission."""
        with running_gateway(Simulated()) as simulated:
            result = doctor(tmp_path, simulated.port, symbols("NOSUCH"))
        assert result.exit_code == ExitCode.MARKET_DATA
        assert "NOSUCH: none: 200" in result.stdout
        assert "correct symbol and primary_exchange under instruments" in result.stdout

    def test_more_than_ten_symbols_are_looked_at_on_request(self, tmp_path: Path) -> None:
        """Ten lines at a time."""
        with running_gateway(Simulated(lines_max=10)) as simulated:
            some = doctor(tmp_path, simulated.port, symbols(*TEN_MORE))
            every = doctor(tmp_path, simulated.port, symbols(*TEN_MORE), "--all")
        assert "1 more symbols were not looked at: --all does" in some.stdout
        assert f"{' '.join(TEN_MORE)} SPY: live" in every.stdout
        assert "not looked at" not in every.stdout

    @pytest.mark.parametrize(
        ("code", "words"), [(10197, "end the other live session"), (101, "close data windows"), (203, "IB's words")]
    )
    def test_the_remedy_goes_by_the_code(self, code: int, words: str) -> None:
        """A competing session, used up lines; of others IB's own words are shown."""
        line = Line(instrument=SPY)
        line.take(notice(code))
        found = judged(line, live_only=False)
        assert (found.verdict, found.exit_code) == (Verdict.FAIL, ExitCode.MARKET_DATA)
        assert words in found.remedy

    def test_only_live_prices_are_live(self) -> None:
        """Frozen and delayed data fail where only live is accepted."""
        assert judged(priced(1), live_only=True).verdict is Verdict.OK
        assert judged(priced(2), live_only=True).exit_code is ExitCode.MARKET_DATA
        assert judged(priced(3), live_only=True).exit_code is ExitCode.MARKET_DATA
        assert judged(priced(3), live_only=False).verdict is Verdict.WARN

    def test_silence_is_a_warning(self) -> None:
        """At night no price comes, and nothing is wrong."""
        silent = judged(Line(instrument=SPY, data_type=1), live_only=True)
        assert silent.verdict is Verdict.WARN
        assert "live is announced" in silent.text

    def test_live_data_with_a_part_missing_is_a_warning(self) -> None:
        """10090: the rest flows."""
        line = priced(1)
        line.take(notice(10090))
        assert judged(line, live_only=True).verdict is Verdict.WARN


def notice(code: int) -> NoticeReceived:
    return NoticeReceived(epoch=1, ts_recv_ns=0, req_id=1, code=code, text="as IB says", ts_event_ns=None)


def priced(data_type: int) -> Line:
    line = Line(instrument=SPY, data_type=data_type)
    line.take(PriceTick(epoch=1, ts_recv_ns=0, req_id=1, field=1, price=500.0))
    return line


def test_the_standby_is_looked_at_too(tmp_path: Path) -> None:
    """Its checks carry its name; while the first one works, one that refuses still fails the doctor."""
    with running_gateway(Simulated()) as first, running_gateway(Simulated()) as second:
        more = (
            f'[gateways.second]\nport = {second.port}\nusername = "other"\n'
            '[environments.development]\nstandby = "second"\n'
        )
        both, port = doctor(tmp_path, first.port, more), second.port
        second.call(lambda gateway: gateway.disconnect_all())
    assert both.exit_code == ExitCode.OK
    assert f"second: gateway   127.0.0.1:{port} speaks" in both.stdout
    assert "second: market data  SPY: live" in both.stdout
    with running_gateway(Simulated()) as first:
        one = doctor(tmp_path, first.port, more)
    assert one.exit_code == ExitCode.GATEWAY_REFUSED
    assert f"second: gateway   127.0.0.1:{port} refuses connections" in one.stdout
