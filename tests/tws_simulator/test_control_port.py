"""The control port over a real socket, and the command that talks to it."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from click.testing import CliRunner

from tests.tws_simulator.cli.test_simulator_cli import _announcement, simulator
from tests.tws_simulator.faults.played import MARKET
from tests.tws_simulator.scripted_client import AAPL, START_NS
from tws_simulator import Gateway, NotLoopback, running_gateway
from tws_simulator.cli import main
from tws_simulator.clocks import VirtualClock
from tws_simulator.control.port import ControlPort
from tws_simulator.gateway import GatewayThread
from tws_simulator.wire.codec import Codec, frame
from tws_simulator.wire.row import message

WAIT_S_MAX = 20.0
JSON = {"Content-Type": "application/json"}


@contextmanager
def controlled(**options: Any) -> Iterator[tuple[GatewayThread, int]]:
    gateway = Gateway(seed=7, tick_interval_s=0.01, symbols=("AAPL",), **options)
    with running_gateway(gateway) as thread:
        assert thread._loop is not None
        control = ControlPort(gateway)
        asyncio.run_coroutine_threadsafe(control.__aenter__(), thread._loop).result(WAIT_S_MAX)
        try:
            yield thread, control.port
        finally:
            leaving = control.__aexit__(None, None, None)
            asyncio.run_coroutine_threadsafe(leaving, thread._loop).result(WAIT_S_MAX)


def asked(port: int, method: str, path: str, body: Any = None, headers: dict[str, str] = JSON) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S_MAX)
    data = body if isinstance(body, str | bytes | None) else json.dumps(body)
    connection.request(method, path, data, headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def a_client(gateway: Gateway, client_id: int = 1) -> None:
    """In the gateway's own thread, without a socket: connected, and with a market order."""
    session = gateway.core.connect()
    assert session is not None
    codec = Codec(226)
    now_ns = gateway.core.state.now_ns
    gateway.core.receive(session, b"API\0" + frame(b"v100..226"), now_ns)
    for request in (
        message("startApi", clientId=client_id),
        message("placeOrder", orderId=1, contract=AAPL, order=MARKET),
        message("reqMktData", reqId=2, contract=AAPL),
    ):
        gateway.core.receive(session, frame(codec.encode_request(request)), now_ns)


def test_status_ledger_and_orders_tell_what_is_true() -> None:
    """Money and shares as text, to the last digit."""
    with controlled(clock=VirtualClock(START_NS)) as (gateway, port):
        gateway.call(a_client)
        assert asked(port, "POST", "/time", {"advance_s": 10})[0] == 200
        status = asked(port, "GET", "/status")[1]
        assert status["clients"][0]["client_id"] == 1
        assert status["clients"][0]["streams"] == {"quote": 1}
        assert status["requests"]["placeOrder"] == 1
        assert status["listening"] is True
        assert status["time_ns"] == START_NS + 10 * 10**9
        books = asked(port, "GET", "/ledger")[1]["accounts"][gateway.account]
        assert sum(int(each["shares"]) for each in books["executions"]) == 5
        assert {each["symbol"]: each["shares"] for each in books["positions"]}["AAPL"] == "5"
        assert books["placements_total"] == 1
        assert books["placements"][0]["kind"] == "new"
        later = asked(port, "GET", f"/ledger?since={books['executions_total']}")[1]["accounts"][gateway.account]
        assert later["executions"] == []
        orders = asked(port, "GET", "/orders")[1]
        assert [each["status"] for each in orders["completed"]] == ["Filled"]
        assert orders["open"] == []


def test_an_hour_passes_when_told_and_clients_are_told_meanwhile() -> None:
    """Nobody is dropped for what an hour brings: it comes as fast as it is read."""
    with controlled(clock=VirtualClock(START_NS), unread_bytes_max=600_000) as (gateway, port):
        with socket.create_connection(("127.0.0.1", gateway.port), WAIT_S_MAX) as client:
            codec = Codec(226)
            client.sendall(b"API\0" + frame(b"v100..226"))
            client.sendall(frame(codec.encode_request(message("startApi", clientId=1))))
            client.sendall(frame(codec.encode_request(message("reqMktData", reqId=2, contract=AAPL))))
            client.settimeout(0.01)
            read = _ReadsAll(client)
            read.start()
            assert asked(port, "POST", "/time", {"advance_s": 900}) == (200, {"time_ns": START_NS + 900 * 10**9})
            status = asked(port, "GET", "/status")[1]
            assert (status["dropped_clients"], len(status["clients"])) == (0, 1)
        read.join(WAIT_S_MAX)
        assert read.count > 10_000


class _ReadsAll(threading.Thread):
    """A client that reads until its socket is closed."""

    def __init__(self, client: socket.socket) -> None:
        super().__init__(daemon=True)
        self.count = 0
        self._client = client

    def run(self) -> None:
        while True:
            try:
                data = self._client.recv(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            self.count += len(data)


def test_a_scenario_is_played_and_stopped() -> None:
    """By its name, as a table, or as TOML; the status says which."""
    with controlled() as (_, port):
        assert "half-open" in [each["name"] for each in asked(port, "GET", "/scenarios")[1]]
        assert asked(port, "POST", "/scenario", {"name": "half-open"}) == (200, {"playing": "half-open"})
        table = {"name": "mine", "step": [{"do": "port_down"}]}
        assert asked(port, "POST", "/scenario", table) == (200, {"playing": "mine"})
        status = asked(port, "GET", "/status")[1]
        assert (status["scenario"], status["listening"]) == ("mine", False)
        assert (status["faults_done"], status["faults_skipped"]) == (1, 0)
        assert asked(port, "DELETE", "/scenario") == (200, {"stopped": "mine"})
        assert asked(port, "GET", "/status")[1]["listening"] is True
        toml = '[[scenario]]\nname = "written"\n[[scenario.step]]\ndo = "port_down"\n'
        assert asked(port, "POST", "/scenario", toml, {"Content-Type": "application/toml"})[1] == {"playing": "written"}


def test_one_action_is_done_at_once() -> None:
    """And a closed door opens again."""
    with controlled() as (gateway, port):
        assert asked(port, "POST", "/do", {"do": "port_down"}) == (200, {"did": "port_down"})
        assert gateway.call(lambda inside: inside.core.state.door.is_open) is False
        assert asked(port, "POST", "/do", {"do": "port_up"}) == (200, {"did": "port_up"})
        assert gateway.call(lambda inside: inside.core.state.door.is_open) is True


def test_faults_that_are_one_too_many_are_counted() -> None:
    """A step that armed a thousand filters arms no more, and the status tells."""
    table = {"name": "mine", "step": [{"when": {"at_s": 0, "times": 1005}, "do": "drop", "names": ["position"]}]}
    with controlled() as (_, port):
        asked(port, "POST", "/scenario", table)
        status = asked(port, "GET", "/status")[1]
        assert (status["faults_done"], status["faults_skipped"]) == (1000, 5)
        assert asked(port, "POST", "/do", {"do": "drop", "names": ["position"]})[0] == 400


REFUSED: dict[str, tuple[str, str, Any, dict[str, str], int, str]] = {
    "path": ("GET", "/secrets", None, {}, 404, "/status"),
    "method": ("POST", "/status", {}, JSON, 405, "/status knows GET"),
    "no-json": ("POST", "/do", "{", JSON, 400, "not JSON"),
    "deep": ("POST", "/do", "[" * 100_000, JSON, 400, "not JSON"),
    "no-type": ("POST", "/do", {"do": "reset"}, {}, 415, "application/json"),
    "action": ("POST", "/do", {"do": "rset"}, JSON, 400, 'did you mean "reset"'),
    "name": ("POST", "/scenario", {"name": "half-opne"}, JSON, 404, 'did you mean "half-open"'),
    "options": ("POST", "/scenario", {"name": "all-protobuf"}, JSON, 400, "started with server_version = 213"),
    "toml": ("POST", "/scenario", "x =", {"Content-Type": "application/toml"}, 400, "not TOML"),
    "time": ("POST", "/time", {"advance_s": 1}, JSON, 409, "`--clock manual`"),
    "since": ("GET", "/ledger?since=-1", None, {}, 400, "since"),
    "origin": ("GET", "/status", None, {"Origin": "http://127.0.0.1"}, 403, "browser"),
    "host": ("GET", "/status", None, {"Host": "rebound.example"}, 403, "Host"),
    "no-host": ("GET", "/status", None, {"Host": ""}, 403, "Host"),
    "long": ("POST", "/do", b"x" * 300_000, JSON, 413, "bytes"),
    "chunked": ("POST", "/do", None, {**JSON, "Transfer-Encoding": "chunked"}, 411, "Content-Length"),
    "head": ("GET", "/status", None, {"X": "x" * 20_000}, 431, "head"),
}


def test_what_is_wrong_is_said() -> None:
    """With a status of HTTP and one line; the gateway goes on."""
    with controlled() as (_, port):
        for name, (method, path, body, headers, status, told) in REFUSED.items():
            got, answer = asked(port, method, path, body, headers)
            assert (got, told in answer["error"]) == (status, True), (name, got, answer)
        assert asked(port, "GET", "/status", headers={})[0] == 200


def test_only_loopback_is_listened_on() -> None:
    """As the gateway itself."""
    with pytest.raises(NotLoopback):
        ControlPort(Gateway(), host="0.0.0.0")


def test_the_command_line_starts_a_scenario_and_does_actions(tmp_path: Any) -> None:
    """One JSON line each; what is wrong is said before anything is sent."""
    with simulator("--announce", "--control", "0", "--scenario", "daily-restart") as process:
        control = str(_announcement(process)["control"])
        runner = CliRunner()
        done = runner.invoke(main, ["do", "port_down", "for_s=30", "--control", control])
        assert (done.exit_code, json.loads(done.output)) == (0, {"did": "port_down"})
        status = asked(int(control), "GET", "/status")[1]
        assert (status["listening"], status["scenario"]) == (False, "daily-restart")
        done = runner.invoke(main, ["do", "play", "name=half-open", "--control", control])
        assert json.loads(done.output) == {"playing": "half-open"}
        done = runner.invoke(main, ["do", "stop", "--control", control])
        assert json.loads(done.output) == {"stopped": "half-open"}
        done = runner.invoke(main, ["do", "play", "name=all-protobuf", "--control", control])
        assert (done.exit_code, "server_version = 213" in done.output) == (2, True)


def test_time_passes_when_it_is_told_to() -> None:
    """From where it starts, and in pieces that are each soon answered."""
    with simulator(
        "--announce", "--control", "0", "--clock", "manual", "--start", "2026-11-23 09:29", "--symbols", "AAPL"
    ) as process:
        control = int(str(_announcement(process)["control"]))
        assert asked(control, "GET", "/status")[1]["time"].startswith("20261123 09:29:00")
        done = CliRunner().invoke(main, ["do", "advance", "seconds=90", "--control", str(control)])
        assert done.exit_code == 0, done.output
        assert asked(control, "GET", "/status")[1]["time"].startswith("20261123 09:30:30")


def test_the_gateway_has_the_options_that_are_set() -> None:
    """Those without a flag too, written as in TOML; they win over the flags."""
    with simulator(
        "--announce", "--control", "0", "--seed", "3", "--set", "seed=7", "--set", "clients_max=1"
    ) as process:
        announced = _announcement(process)
        assert announced["seed"] == 7
        with (
            socket.create_connection(("127.0.0.1", int(str(announced["port"]))), WAIT_S_MAX) as first,
            socket.create_connection(("127.0.0.1", int(str(announced["port"]))), WAIT_S_MAX) as second,
        ):
            first.sendall(b"API\0" + frame(b"v100..226"))
            assert first.recv(1)
            with suppress(ConnectionError):
                assert second.recv(1) == b""


def test_scenarios_are_listed_and_shown() -> None:
    """The TOML that is shown is the file's own."""
    runner = CliRunner()
    listed = runner.invoke(main, ["scenarios"]).output
    assert "daily-restart" in listed
    assert "half-open" not in runner.invoke(main, ["scenarios", "--row", "B22"]).output
    shown = runner.invoke(main, ["scenarios", "--show", "half-open"]).output
    assert shown.startswith('[[scenario]]\nname = "half-open"\n')
    wrong = runner.invoke(main, ["scenarios", "--show", "half-opne"])
    assert (wrong.exit_code, 'did you mean "half-open"' in wrong.output) == (2, True)


def test_mistakes_at_the_command_line_are_one_line(tmp_path: Any) -> None:
    """Of an action, of a scenario file, of a port at which nobody is."""
    runner = CliRunner()
    for arguments, code, told in (
        (["do", "rset"], 2, 'did you mean "reset"'),
        (["do", "reset", "client"], 2, "KEY=VALUE"),
        (["do", "reset", "client=x"], 2, "a whole number"),
        (["do", "reset", "--control", "1"], 30, "start with `tws-simulator run --control 1`"),
        (["do", "advance", "--control", "1"], 2, "advance needs seconds=NUMBER"),
        (["do", "advance", "seconds=-1"], 2, "advance needs seconds=NUMBER"),
        (["run", "--clock", "manual"], 2, "--clock manual needs --control"),
        (["run", "--clock", "manual", "--control", "0", "--speed", "2"], 2, "has no --speed"),
        (["run", "--set", "lines_max"], 2, "KEY=VALUE"),
        (["run", "--set", "lines_mux=3"], 2, 'lines_mux: no option is called so, did you mean "lines_max"'),
        (["run", "--set", "pacing=rejcet"], 2, 'did you mean "reject"'),
        (["run", "--scenario", str(tmp_path / "none.toml")], 2, "cannot read"),
        (["run", "--scenario", "half-opne"], 2, 'did you mean "half-open"'),
    ):
        ended = runner.invoke(main, arguments)
        assert (ended.exit_code, ended.output.count("\n"), told in ended.output) == (code, 1, True), ended.output
