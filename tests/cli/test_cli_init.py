"""From nothing to a configuration: what is looked at, what is taken, what is written."""

from __future__ import annotations

import re
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from ibkr_adapter.cli import first_file, main, search
from ibkr_adapter.cli.search import LIVE_PORTS, PAPER_PORTS, Sighting
from ibkr_adapter.config import AccountKind, Config, Gateway, defaults, reading
from ibkr_adapter.errors import ConfigurationError, ExitCode
from ibkr_adapter.lease import Lease
from tws_simulator.gateway import Gateway as Simulated
from tws_simulator.gateway import GatewayThread, running_gateway

pytestmark = pytest.mark.wire


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to be in, with state and locks of its own. The usual ports are left alone: somebody may be there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def simulated() -> Iterator[GatewayThread]:
    with running_gateway(Simulated(maintain_orders=False)) as running:
        yield running


def init(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, ["init", *arguments], input=answer)


def works(result: Result) -> bool:
    """All is well, but perhaps for the page's usual port, which is left to whoever has it."""
    failures = [line for line in result.stdout.splitlines() if line.startswith("FAIL")]
    return result.exit_code in (ExitCode.OK, ExitCode.ADDRESS_IN_USE) and all(" page " in line for line in failures)


def loaded(path: Path) -> Config:
    return reading.load(path)


class TestSearch:
    def test_nobody_anywhere_is_10_and_says_what_to_switch_on(self, home: Path) -> None:
        """Each port, each switch, and nothing is written."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = str(listener.getsockname()[1])
        result = init("--yes", "--port", port)
        assert result.exit_code == ExitCode.GATEWAY_REFUSED
        assert "refuses connections: nothing listens there" in result.stdout
        assert 'tick "Enable ActiveX and Socket Clients"' in result.stdout
        assert 'untick "Maintain and resubmit orders when connection is restored"' in result.stdout
        assert not list(home.glob("*.toml"))

    def test_the_usual_ports_are_paper_ports(self) -> None:
        """TWS, IB Gateway, IB Gateway in its container; none is one for live accounts."""
        assert PAPER_PORTS == (7497, 4002, 4004)
        assert not LIVE_PORTS & set(PAPER_PORTS)
        assert {7496, 4001, 4003} == LIVE_PORTS

    def test_a_gateway_that_does_not_trust_us_is_named_and_not_used(self, home: Path) -> None:
        """The trouble of a port at which there is somebody is the one to mend."""
        with running_gateway(Simulated(clients_max=1)) as full, ExitStack() as held:
            held.enter_context(socket.create_connection(("127.0.0.1", full.port)))
            while not full.call(lambda gateway: len(gateway.core.state.sessions)):
                pass
            result = init("--yes", "--port", str(full.port))
        assert result.exit_code == ExitCode.GATEWAY_CLOSED
        assert "closes them before a word" in result.stdout
        assert "Trusted IPs" in result.stderr

    def test_of_several_the_first_in_order_is_taken_and_said(self, home: Path, simulated: GatewayThread) -> None:
        """The order of the ports, which is told."""
        with running_gateway(Simulated()) as other:
            ports = [str(other.port), str(simulated.port)]
            result = init("--yes", *[word for port in ports for word in ("--port", port)])
        assert f"2 can be used. Taken is the first in the order {', '.join(ports)}" in result.stdout
        assert loaded(home / "ibkr-adapter.toml").gateway.port == other.port

    def test_a_live_account_behind_a_paper_port_is_refused(self, home: Path) -> None:
        """With the account, the reason, and nothing written."""
        with running_gateway(Simulated(scenario="another-account")) as live:
            result = init("--yes", "--port", str(live.port))
        assert result.exit_code == ExitCode.ACCOUNT_MISMATCH
        assert "U7654321 is a live account behind a port for paper" in result.stdout
        assert not list(home.glob("*.toml"))

    def test_a_client_id_that_a_service_here_holds_is_not_used(self, home: Path, simulated: GatewayThread) -> None:
        """Not even for a look; another can be named."""
        with Lease([f"127.0.0.1:{simulated.port}"], 1):
            refused = init("--yes", "--port", str(simulated.port))
            other = init("--yes", "--port", str(simulated.port), "--client-id", "12")
        assert refused.exit_code == ExitCode.ALREADY_RUNNING
        assert works(other)
        assert loaded(home / "ibkr-adapter.toml").client_id == 12

    def test_accounts_are_held_against_their_port(self) -> None:
        """Paper behind a live port, and several live accounts, are refused as well."""
        paper = Sighting(gateway=Gateway(port=7496), accounts=("DU1",))
        with pytest.raises(search.AccountMismatch, match="paper account behind a port for live"):
            search._judge(paper)
        with pytest.raises(search.AccountMismatch, match="2 live accounts"):
            search._judge(replace(paper, accounts=("U1", "U2")))
        search._judge(replace(paper, accounts=("U1",)))


class TestFile:
    def test_the_file_works_and_the_doctor_says_so(self, home: Path, simulated: GatewayThread) -> None:
        """One command from a running gateway to READY but for the start."""
        result = init("--yes", "--port", str(simulated.port))
        assert works(result)
        assert f"Using 127.0.0.1:{simulated.port} as client 1." in result.stdout
        assert "ok    market data" in result.stdout
        last = result.stdout.splitlines()[-1]
        assert last == "Next: ibkr-adapter run --config ibkr-adapter.toml" or result.exit_code
        config = loaded(home / "ibkr-adapter.toml")
        assert config.active.account == simulated.gateway.account
        assert not config.trading.enabled

    def test_its_owner_alone_reads_it(self, home: Path, simulated: GatewayThread) -> None:
        """And nothing else is left behind."""
        init("--yes", "--port", str(simulated.port), "--output", "desk.toml")
        assert stat.S_IMODE((home / "desk.toml").stat().st_mode) == 0o600
        assert not list(home.glob(".desk.toml*"))

    def test_it_asks_before_it_writes(self, home: Path, simulated: GatewayThread) -> None:
        """No is no, and so is no answer at all."""
        port = str(simulated.port)
        assert init("--port", port, answer="n\n").exit_code == 1
        assert init("--port", port, answer="").exit_code == 1
        assert not list(home.glob("*.toml"))
        assert works(init("--port", port, answer="y\n"))

    def test_a_file_that_exists_is_kept_unless_forced(self, home: Path, simulated: GatewayThread) -> None:
        """Nothing is looked for in vain either."""
        file = home / "ibkr-adapter.toml"
        file.write_text("mine")
        kept = init("--yes", "--port", str(simulated.port))
        assert kept.exit_code == ExitCode.CONFIGURATION
        assert "--force" in kept.stderr
        assert file.read_text() == "mine"
        assert works(init("--yes", "--force", "--port", str(simulated.port)))
        assert loaded(file).gateway.port == simulated.port

    def test_one_that_appears_meanwhile_is_kept_too(self, tmp_path: Path) -> None:
        """The last look and the write are one step."""
        file = tmp_path / "desk.toml"
        file.write_text("mine")
        with pytest.raises(ConfigurationError, match="exists already"):
            first_file.write(file, "ours", replace=False)
        assert (file.read_text(), list(tmp_path.iterdir())) == ("mine", [file])

    def test_the_doctor_s_verdict_is_the_end_of_it(self, home: Path) -> None:
        """The file is written, and what stands in the way is named with its code."""
        (home / "state").write_text("a file, where a directory should be")
        with running_gateway(Simulated()) as simulated:
            result = init("--yes", "--port", str(simulated.port))
        assert "FAIL  data directory" in result.stdout
        assert result.exit_code == ExitCode.STORE
        assert (home / "ibkr-adapter.toml").exists()


def sighting(port: int, *accounts: str, host: str = "127.0.0.1") -> Sighting:
    return Sighting(gateway=Gateway(host=host, port=port), server_version=226, accounts=accounts)


def parsed(found: Sighting, client_id: int = 1) -> Config:
    return reading.parse(first_file.text(found, client_id), "x")


class TestText:
    @pytest.mark.parametrize("port", PAPER_PORTS)
    def test_what_was_found_is_all_that_is_set(self, port: int) -> None:
        """Address and account; the rest is commented out and stays what it was."""
        config = parsed(sighting(port, "DU1234567"))
        assert config.given == {"gateways.primary.port", "environments.development.account"}
        assert (config.gateway.port, config.active.account) == (port, "DU1234567")

    @pytest.mark.parametrize(
        "found", [sighting(4002, "DU1234567"), sighting(7496, "U1234567"), sighting(4003, "U1234567")]
    )
    def test_every_marked_line_is_a_default(self, found: Sighting) -> None:
        """Without its mark it means the same."""
        text = first_file.text(found, 1)
        unmarked = re.sub(r"^#(?=[a-z\[])", "", text, flags=re.MULTILINE)
        assert text.count("\n#") > 30
        with_defaults = reading.parse(unmarked, "x")
        assert replace(with_defaults, given=frozenset()) == replace(reading.parse(text, "x"), given=frozenset())

    def test_every_key_of_the_template_is_there(self) -> None:
        """With its explanation."""
        keys = re.findall(r"^(?:# )?([a-z_]+) = ", defaults.DEFAULT_TEMPLATE, re.MULTILINE)
        text = first_file.text(sighting(7497, "DU1234567"), 1)
        assert re.findall(r"^(?:#|# )?([a-z_]+) = ", text, re.MULTILINE) == keys

    def test_several_paper_accounts_are_not_pinned_to_one(self) -> None:
        """Any paper account is accepted then."""
        assert parsed(sighting(4002, "DU1", "DU2")).active.account == ""

    def test_a_live_gateway_makes_a_production_file(self) -> None:
        """Only where its port was named; with trading off and without any limit."""
        config = parsed(sighting(4003, "U1234567"))
        assert (config.environment, config.active.account_kind) == ("production", AccountKind.LIVE)
        assert config.gateway.kind is AccountKind.LIVE
        assert config.active.market_data == "live-only"
        assert len(config.trading.limits.missing) == 4
        assert parsed(sighting(7496, "U1234567")).gateway.kind is None

    def test_another_machine_is_named_as_one_to_speak_plainly_to(self) -> None:
        """The user named it; the file says what that means."""
        config = parsed(sighting(4002, "DU1234567", host="10.0.0.9"), client_id=7)
        assert config.allow_plaintext == ("10.0.0.9",)
        assert (config.gateway.host, config.client_id) == ("10.0.0.9", 7)
