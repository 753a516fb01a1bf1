"""The service in its own process with its secrets in a stub of Vault, and the desk's rows over IB's message codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ibkr_adapter.errors import ExitCode
from tests.processes.desk import PATIENCE_S, Desk, tradable
from tests.redis_server import RedisServer
from tests.vault_stub import ROLE_ID, SECRET_ID, VaultStub, running_stub
from tws_simulator.faults.reading import read_scenario
from tws_simulator.gateway import Gateway, GatewayThread, running_gateway

pytestmark = pytest.mark.wire

CLI = [sys.executable, "-m", "ibkr_adapter"]
PASSWORD = "redis-canary-90c4d1/%+"
TOKEN = "console-canary-27b8e6-0123456789"
CANARIES = (PASSWORD, TOKEN, SECRET_ID, "hvs.login-canary")


@pytest.fixture
def stub() -> Iterator[VaultStub]:
    with running_stub({"desk": {"redis": PASSWORD, "token": TOKEN}}) as stub:
        yield stub


@pytest.fixture
def simulator() -> Iterator[GatewayThread]:
    table = {
        "name": "an-unknown-code",
        "step": [{"when": {"served": "reqMktData"}, "do": "tell", "code": 99999, "text": "of a later release"}],
    }
    with running_gateway(Gateway(seed=7, maintain_orders=False, scenario=read_scenario(table))) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ROLE_ID", ROLE_ID)
    (tmp_path / "secret_id").write_text(f"{SECRET_ID}\n")


def configuration(directory: Path, simulator: GatewayThread, vault_url: str, redis_url: str = "") -> Path:
    file = directory / "desk.toml"
    redis = f'[redis]\nurl = "{redis_url}"\npassword = "vault:desk#redis"' if redis_url else ""
    file.write_text(
        f"""
data_dir = "data"
message_codes = "codes.toml"
[environments.development]
account = "{simulator.account}"
[gateways.primary]
port = {simulator.port}
windows = []
[http]
listen = "127.0.0.1:0"
token = "vault:desk#token"
[trading]
enabled = true
[log]
level = "debug"
[vault]
url = "{vault_url}"
role_id = "env:ROLE_ID"
secret_id = "file:secret_id"
timeout_s = 2
{redis}
"""
    )
    (directory / "codes.toml").write_text('[[codes]]\ncode = 2104\ntext = "our words for it"')
    return file


class Running:
    """A service whose log goes to a file beside its data."""

    def __init__(self, file: Path) -> None:
        self.data = file.parent / "data"
        self.log = file.parent / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*CLI, "run", "--config", str(file)], stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self.process.stdout.readline()
        self.desk = Desk(self.process, self.data)
        state = json.loads((self.data / "service.json").read_text())
        self.state: dict[str, Any] = state
        self.desk.url, self.desk.token = state["url"], TOKEN

    def command(self, *arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        variables = os.environ | {"IBKR_ADAPTER_TOKEN": token}
        command = [*CLI, *arguments, "--state", str(self.data)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, env=variables)


def refused(file: Path) -> tuple[int, str]:
    answer = subprocess.run([*CLI, "run", "--config", str(file)], capture_output=True, text=True, timeout=PATIENCE_S)
    assert not [canary for canary in CANARIES if canary in answer.stderr + answer.stdout]
    return answer.returncode, answer.stderr


@pytest.mark.fault("E14")
def test_no_secret_is_anywhere_but_in_memory(
    tmp_path: Path, stub: VaultStub, simulator: GatewayThread, redis_server: RedisServer
) -> None:
    """E14: Redis is reached with its password, the API takes its token, and no file, line or answer holds either."""
    redis_server.client().config_set("requirepass", PASSWORD)
    running = Running(configuration(tmp_path, simulator, stub.url, redis_server.url))
    desk = running.desk
    desk.wait_for(lambda seen: tradable(seen) and all(sink["up"] for sink in seen["sinks"]))
    order = {"symbol": "SPY", "action": "BUY", "quantity": 1, "order_type": "MKT", "idempotency_key": "a"}
    assert "error" not in desk.ask("POST", "/v1/orders", order)
    pages = [
        httpx.get(f"{desk.url}{path}", timeout=PATIENCE_S).text
        for path in ("/", "/page.js", "/metrics", "/v1/snapshot", "/v1/orders", "/v1/message-codes", "/readyz")
    ]
    refusal = httpx.post(f"{desk.url}/v1/orders", headers={"authorization": f"Bearer x{TOKEN}"}, json=order).text
    shown = subprocess.run([*CLI, "config", "show", str(tmp_path / "desk.toml")], capture_output=True, text=True).stdout
    assert 'token = "vault:desk#token"' in shown
    assert running.state["token"] == ""
    assert running.state["token_from"] == "vault:desk#token"
    status = running.command("status")
    limits = Path(f"/proc/{running.process.pid}/limits").read_text()
    assert desk.stop() == 0
    files = [path.read_bytes() for path in (*running.data.rglob("*"), running.log) if path.is_file()]
    assert len(files) > 4
    everything = b"\n".join(files) + "\n".join([*pages, refusal, shown, status.stdout, status.stderr]).encode()
    assert not [canary for canary in CANARIES if canary.encode() in everything]
    assert any(line.split()[4:6] == ["0", "0"] for line in limits.splitlines() if line.startswith("Max core file"))


def test_a_wrong_password_of_redis_is_said_without_it(
    tmp_path: Path, stub: VaultStub, simulator: GatewayThread, redis_server: RedisServer
) -> None:
    """The sink is down with Redis's reason, and comes up when Vault and Redis agree: no restart is needed."""
    redis_server.client().config_set("requirepass", "something else")
    running = Running(configuration(tmp_path, simulator, stub.url, redis_server.url))
    seen = running.desk.wait_for(lambda seen: any(not sink["up"] and sink["detail"] for sink in seen["sinks"]))
    assert PASSWORD not in json.dumps(seen)
    assert running.desk.stop() == 0
    assert PASSWORD not in running.log.read_text()


@pytest.mark.fault("E14")
@pytest.mark.parametrize(("mode", "words"), [("sealed", "is sealed"), ("slow", "does not answer"), ("html", "not as")])
def test_without_its_secrets_the_service_does_not_start(
    tmp_path: Path, stub: VaultStub, simulator: GatewayThread, mode: str, words: str
) -> None:
    """E14: exit code 5, one line with the key and the remedy; nothing was started."""
    stub.mode = mode
    code, said = refused(configuration(tmp_path, simulator, stub.url))
    assert code == ExitCode.SECRET
    assert said.count("error: ") == 1
    assert said.splitlines()[-1].startswith("error: vault: ")
    assert words in said
    assert not (tmp_path / "data").exists()


def test_a_bad_table_of_codes_is_no_start(tmp_path: Path, stub: VaultStub, simulator: GatewayThread) -> None:
    """Exit code 3, the code, the key and the choices."""
    file = configuration(tmp_path, simulator, stub.url)
    (tmp_path / "codes.toml").write_text('[[codes]]\ncode = 1100\neffect = "panic"')
    code, said = refused(file)
    assert code == ExitCode.CONFIGURATION
    assert "message_codes: code 1100.effect: there is no effect 'panic' (one of inform, " in said


def test_codes_are_read_again_while_it_runs(tmp_path: Path, stub: VaultStub, simulator: GatewayThread) -> None:
    """By the command and by SIGHUP; a bad file changes nothing and is told; an unknown code harms nobody."""
    running = Running(configuration(tmp_path, simulator, stub.url))
    codes = tmp_path / "codes.toml"
    seen = running.desk.wait_for(
        lambda seen: tradable(seen) and any(notice["code"] == 99999 for notice in seen["notices"])
    )
    assert seen["counters"]["notices_unknown"] >= 1
    assert "our words for it" in running.command("codes", "2104").stdout
    assert "99999 is not in the table" in running.command("codes", "99999").stderr

    codes.write_text('[[codes]]\ncode = 99999\neffect = "inform"\ntext = "known now"')
    reloaded = running.command("codes", "reload")
    assert reloaded.returncode == ExitCode.OK, reloaded.stderr
    assert "99999 added" in reloaded.stdout
    assert "the desk" in running.command("codes", "show", "--overridden").stdout
    assert running.command("codes", "reload", token="wrong").returncode != ExitCode.OK

    codes.write_text('[[codes]]\ncode = 99999\neffect = "panic"')
    running.process.send_signal(signal.SIGHUP)
    alerted = running.desk.wait_for(
        lambda seen: any(alert["key"] == "message_codes/refused" and alert["raised"] for alert in seen["alerts"])
    )
    assert tradable(alerted)
    assert "known now" in running.command("codes", "99999").stdout
    bad = running.command("codes", "reload")
    assert bad.returncode == ExitCode.CONFIGURATION
    assert "code 99999.effect" in bad.stderr

    codes.write_text("")
    running.process.send_signal(signal.SIGHUP)
    running.desk.wait_for(lambda seen: "known now" not in httpx.get(f"{running.desk.url}/v1/message-codes").text)
    assert running.desk.stop() == 0
    said = running.log.read_text()
    assert all(event in said for event in ("message_codes_refused", "message_codes_reloaded"))
