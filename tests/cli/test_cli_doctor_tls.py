"""What the doctor says of a tunnel that is not as configured, and of the places of secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibkr_adapter.cli import main
from ibkr_adapter.errors import ExitCode
from tests.papers import Papers
from tests.redis_server import RedisServer
from tws_simulator.gateway import Gateway, running_gateway
from tws_simulator.tls import Tls

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(autouse=True)
def _locks_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def doctor(directory: Path, port: int, more: str) -> Result:
    file = directory / "desk.toml"
    file.write_text(
        f'data_dir = "data"\n[http]\nlisten = "127.0.0.1:0"\n[gateways.primary]\nport = {port}\n{more}\n'
        '[[instruments]]\nsymbol = "SPY"\n'
    )
    return CliRunner().invoke(main, ["doctor", "--config", str(file)])


def table(**entries: object) -> str:
    return "[gateways.primary.tls]\n" + "".join(f'{key} = "{value}"\n' for key, value in entries.items())


def test_a_tunnel_that_is_as_configured_is_fine(tmp_path: Path, papers: Papers) -> None:
    """Its files are looked at before, and the whole visit goes through it."""
    listener = Tls(papers.tunnel_certificate, papers.tunnel_key, client_ca=papers.ca)
    with running_gateway(Gateway(tls=listener)) as simulated:
        result = doctor(tmp_path, simulated.port, table(ca=papers.ca, certificate=papers.certificate, key=papers.key))
    assert result.exit_code == ExitCode.OK
    assert "ok    tls files         certificates and keys can be used" in result.stdout
    assert "ok    market data       SPY: live" in result.stdout


@pytest.mark.parametrize(
    ("ours", "remedy"),
    [
        ({"ca": "other_ca"}, "give the one that signed it with tls.ca"),
        ({"ca": "ca"}, "set tls.certificate and tls.key"),
    ],
)
def test_a_certificate_that_one_side_does_not_accept_is_19(
    tmp_path: Path, papers: Papers, ours: dict[str, str], remedy: str
) -> None:
    """Theirs by us, or ours by them."""
    listener = Tls(papers.tunnel_certificate, papers.tunnel_key, client_ca=papers.ca)
    with running_gateway(Gateway(tls=listener)) as simulated:
        result = doctor(tmp_path, simulated.port, table(**{key: getattr(papers, name) for key, name in ours.items()}))
    assert result.exit_code == ExitCode.GATEWAY_TLS
    assert remedy in result.stdout


def test_a_gateway_that_speaks_plainly_where_tls_is_configured_is_12(tmp_path: Path, papers: Papers) -> None:
    """It hangs up, for it cannot read our greeting; that the port may be its own is among the reasons."""
    with running_gateway(Gateway()) as simulated:
        result = doctor(tmp_path, simulated.port, table(ca=papers.ca))
    assert result.exit_code == ExitCode.GATEWAY_CLOSED
    assert "knows no TLS: take the tunnel's" in result.stdout


def test_a_tunnel_where_none_is_configured_is_told_as_one(tmp_path: Path, papers: Papers) -> None:
    """It answers our greeting with an alert; the table that is missing is named."""
    with running_gateway(Gateway(tls=Tls(papers.tunnel_certificate, papers.tunnel_key))) as simulated:
        result = doctor(tmp_path, simulated.port, "")
    assert result.exit_code in (ExitCode.GATEWAY_TLS, ExitCode.GATEWAY_CLOSED)
    assert "[gateways.primary.tls]" in result.stdout


def test_a_file_that_is_no_certificate_is_3_before_anything_is_asked(tmp_path: Path, papers: Papers) -> None:
    """The key of the configuration is named."""
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    result = doctor(tmp_path, 1, table(ca=empty))
    assert result.exit_code == ExitCode.CONFIGURATION
    assert "gateways.primary.tls.ca" in result.output


class TestSecrets:
    def test_a_secret_that_is_not_where_it_should_be_is_5(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Key and place are named."""
        monkeypatch.delenv("DESK_TOKEN", raising=False)
        result = doctor(tmp_path, 1, '[redis]\npassword = "env:DESK_TOKEN"\nurl = "redis://127.0.0.1:1/0"')
        assert result.exit_code == ExitCode.SECRET
        assert "DESK_TOKEN" in result.stdout

    def test_one_that_is_there_is_used_and_not_shown(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_server: RedisServer
    ) -> None:
        """For Redis, which then lets us in."""
        monkeypatch.setenv("DESK_REDIS", "s3cret-of-the-desk")
        redis_server.client().config_set("requirepass", "s3cret-of-the-desk")
        result = doctor(tmp_path, 1, f'[redis]\npassword = "env:DESK_REDIS"\nurl = "{redis_server.url}"')
        assert "ok    secrets           redis.password is where it is said to be" in result.stdout
        assert "ok    redis" in result.stdout
        assert "s3cret-of-the-desk" not in result.output
