"""The simulator behind TLS: the same gateway, and a word to whoever may not come in."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.papers import Papers
from tws_simulator.cli import main
from tws_simulator.cli.border import EXIT_USAGE
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway
from tws_simulator.tls import BadTls, Tls

PATIENCE_S = 20.0
OFFER = b"API\0" + struct.pack("!I", 9) + b"v100..226"


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture
def simulated(papers: Papers) -> Iterator[GatewayThread]:
    listener = Tls(papers.tunnel_certificate, papers.tunnel_key, client_ca=papers.ca)
    with running_gateway(Gateway(seed=7, tls=listener)) as running:
        yield running


def client(papers: Papers, *, with_certificate: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(papers.ca))
    if with_certificate:
        context.load_cert_chain(papers.certificate, papers.key)
    return context


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE_S)


def greeting(connection: socket.socket) -> bytes:
    connection.sendall(OFFER)
    (length,) = struct.unpack("!I", connection.recv(4))
    return connection.recv(length)


def test_a_client_that_shows_its_certificate_is_greeted(simulated: GatewayThread, papers: Papers) -> None:
    """Inside TLS it is the gateway that it is without; the end is announced."""
    with client(papers).wrap_socket(connect(simulated.port), server_hostname="127.0.0.1") as connection:
        assert greeting(connection).startswith(b"226\0")
        simulated.call(lambda gateway: gateway.server.core.state.sessions)
        connection.unwrap().close()


def test_a_client_without_certificate_is_told_what_is_missing(simulated: GatewayThread, papers: Papers) -> None:
    """By an alert, before the end; the gateway never hears of it."""
    context = client(papers, with_certificate=False)
    with (
        context.wrap_socket(connect(simulated.port), server_hostname="127.0.0.1") as connection,
        pytest.raises(ssl.SSLError, match="certificate required"),
    ):
        connection.recv(1)
    assert simulated.call(lambda gateway: len(gateway.core.state.sessions)) == 0


def test_a_client_that_speaks_in_clear_is_closed(simulated: GatewayThread) -> None:
    """What it says is no TLS, so there is nothing to answer."""
    with connect(simulated.port) as connection:
        connection.sendall(OFFER)
        assert connection.recv(1) == b""


def test_a_client_that_is_cut_gets_no_announced_end(simulated: GatewayThread, papers: Papers) -> None:
    """As by a gateway that dies behind a tunnel that dies with it."""
    context = client(papers)
    with context.wrap_socket(
        connect(simulated.port), server_hostname="127.0.0.1", suppress_ragged_eofs=False
    ) as connection:
        greeting(connection)
        simulated.call(lambda gateway: gateway.disconnect_all())
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            connection.recv(1)


def test_a_connection_that_never_shook_hands_ends_with_the_gateway(papers: Papers) -> None:
    """It would otherwise outlive it."""
    with running_gateway(Gateway(tls=Tls(papers.tunnel_certificate, papers.tunnel_key))) as running:
        silent = connect(running.port)
        shaken = ssl.create_default_context(cafile=str(papers.ca)).wrap_socket(
            connect(running.port), server_hostname="127.0.0.1"
        )
        greeting(shaken)  # so that the silent one before it was accepted
    with silent, shaken, contextlib.suppress(ConnectionResetError):
        assert silent.recv(1) == b""


def test_files_that_cannot_be_used_are_named(papers: Papers, tmp_path: Path) -> None:
    """By the option that they were given with."""
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    good = {"certificate": papers.tunnel_certificate, "key": papers.tunnel_key}
    for option, changes in (
        ("certificate", {"certificate": tmp_path / "missing.pem"}),
        ("key", {"key": papers.key}),
        ("key", {"key": broken}),
        ("client_ca", {"client_ca": broken}),
    ):
        with pytest.raises(BadTls) as caught:
            Tls(**{**good, **changes}).context()
        assert caught.value.option == option


@pytest.mark.parametrize("options", [["--tls-cert", "x"], ["--tls-key", "x"], ["--client-ca", "x"]])
def test_half_a_listener_is_wrong_usage(options: list[str]) -> None:
    """A certificate needs its key; whoever asks for client certificates needs both."""
    ended = CliRunner().invoke(main, ["run", "--port", "0", *options])
    assert ended.exit_code == EXIT_USAGE
    assert "--tls-cert and --tls-key go together" in ended.output


def test_a_file_that_cannot_be_used_is_wrong_usage(papers: Papers, tmp_path: Path) -> None:
    """With the option that has to change."""
    ended = CliRunner().invoke(
        main, ["run", "--port", "0", "--tls-cert", str(tmp_path / "no.pem"), "--tls-key", str(papers.tunnel_key)]
    )
    assert ended.exit_code == EXIT_USAGE
    assert "no.pem cannot be read (give another --tls-cert)" in ended.output


def test_the_command_line_listens_with_tls(papers: Papers) -> None:
    """And says so."""
    command = [sys.executable, "-m", "tws_simulator", "run", "--port", "0", "--announce"]
    files = ["--tls-cert", papers.tunnel_certificate, "--tls-key", papers.tunnel_key, "--client-ca", papers.ca]
    pipe = subprocess.PIPE
    with subprocess.Popen([*command, *map(str, files)], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = json.loads(process.stdout.readline())["port"]
        assert f"listening on 127.0.0.1:{port} with TLS, account" in process.stderr.readline()
        with client(papers).wrap_socket(connect(port), server_hostname="127.0.0.1") as connection:
            assert greeting(connection).startswith(b"226\0")
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
