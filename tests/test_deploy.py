"""The compose file, read as data: nobody here starts a container. Each test is a promise of deploy/README.md."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ibkr_adapter.config import Source
from ibkr_adapter.config.reading import load
from ibkr_adapter.config.references import references

DEPLOY = Path(__file__).parents[1] / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]

API_PORTS = {4000, 4001, 4002, 4003, 4004, 7496, 7497, 7498, 7499}
"""Of gateway, TWS, and the image's relay; 5900 would be its screen."""

GATEWAY_VARIABLES = {
    *("TWS_USERID", "TWS_PASSWORD_FILE", "TRADING_MODE", "READ_ONLY_API", "TIME_ZONE", "TZ", "AUTO_RESTART_TIME"),
    *("AUTO_LOGOFF_TIME", "TWS_COLD_RESTART", "TWOFA_TIMEOUT_ACTION", "TWOFA_EXIT_INTERVAL", "TWOFA_DEVICE"),
    *("RELOGIN_AFTER_TWOFA_TIMEOUT", "EXISTING_SESSION_DETECTED_ACTION", "TWS_ACCEPT_INCOMING", "BYPASS_WARNING"),
    *("ALLOW_BLIND_TRADING", "TWS_MASTER_CLIENT_ID", "TWS_SETTINGS_PATH", "SAVE_TWS_SETTINGS", "CUSTOM_CONFIG"),
    *("JAVA_HEAP_SIZE", "SSH_TUNNEL"),
}
"""Names that the image's documentation knows, as far as a deployment like this may want them."""


def published(service: dict[str, Any]) -> list[str]:
    return [str(port) for port in service.get("ports", [])]


def test_the_gateway_lives_in_the_adapters_network_namespace() -> None:
    """And has no network, port or host name of its own, which that would forbid."""
    gateway = SERVICES["ib-gateway"]
    assert gateway["network_mode"] == "service:adapter"
    assert not {"ports", "networks", "hostname", "expose"} & set(gateway)
    assert gateway["depends_on"]["adapter"]["restart"] is True


def test_no_port_of_ib_is_published_and_the_page_on_loopback_alone() -> None:
    """One port of the whole file, and nothing in host mode."""
    ports = [port for service in SERVICES.values() for port in published(service)]
    assert ports == ["127.0.0.1:8080:8080"]
    assert not [port for port in ports if API_PORTS & {int(part) for part in re.findall(r"\d+", port)}]
    assert not [name for name, service in SERVICES.items() if service.get("network_mode") == "host"]
    assert SERVICES["ib-gateway"]["environment"]["SSH_TUNNEL"] == "yes"


def test_the_stores_have_no_way_out_and_are_not_reached_from_outside() -> None:
    """Redis and TimescaleDB are on an internal network only."""
    assert COMPOSE["networks"]["stores"]["internal"] is True
    for name in ("redis", "timescale"):
        assert SERVICES[name]["networks"] == ["stores"]
        assert published(SERVICES[name]) == []


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_is_pinned_by_a_tag_or_digest(name: str) -> None:
    """``latest`` is no tag; a variable has a default or must be given."""
    image = SERVICES[name]["image"]
    tag = image.partition("@")[2] or image.rpartition("/")[2].partition(":")[2]
    assert tag
    assert "latest" not in image
    for variable in re.findall(r"\$\{([^}]*)\}", image):
        assert re.fullmatch(r"[A-Z_]+(:-[\w.-]+|:\?.+)", variable)


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_restricted_and_bounded(name: str) -> None:
    """No capability, no new privileges, restarted, memory, processors, processes and logs limited, health checked."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    assert service["restart"] == "unless-stopped"
    assert {"mem_limit", "cpus", "pids_limit", "healthcheck"} <= set(service)
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert service.get("read_only") is True or name == "ib-gateway"
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


def test_secrets_come_as_files_and_nothing_holds_a_literal_one() -> None:
    """Every secret that is used is declared as a file, which git does not take; no variable carries one."""
    declared = COMPOSE["secrets"]
    assert all(set(secret) == {"file"} and secret["file"].startswith("./secrets/") for secret in declared.values())
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(declared)
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSW|TOKEN|SECRET", name):
                assert name.endswith("_FILE")
                assert value.removeprefix("/run/secrets/") in service["secrets"]
    text = (DEPLOY / "compose.yaml").read_text()
    assert not re.search(r"(?i)(requirepass|password|token)\s*[:=]\s*[\"']?[A-Za-z0-9+/]{6,}", text)
    assert (DEPLOY / "secrets" / ".gitignore").read_text().splitlines()[0] == "*"
    assert [path.name for path in (DEPLOY / "secrets").iterdir()] == [".gitignore"]


def test_the_gateways_settings_are_those_its_image_knows() -> None:
    """A name it does not know is silently without effect; the times are New York's, as the adapter's calendar."""
    settings = SERVICES["ib-gateway"]["environment"]
    assert set(settings) <= GATEWAY_VARIABLES
    assert settings["AUTO_RESTART_TIME"] == "04:45 AM"
    assert settings["TIME_ZONE"] == settings["TZ"] == "America/New_York"
    assert (settings["TWOFA_TIMEOUT_ACTION"], settings["RELOGIN_AFTER_TWOFA_TIMEOUT"]) == ("restart", "yes")
    assert settings["EXISTING_SESSION_DETECTED_ACTION"] == "primary"
    assert settings["TRADING_MODE"] == "${TRADING_MODE:-paper}"
    assert settings["READ_ONLY_API"] == "${READ_ONLY_API:-yes}"
    assert all(isinstance(value, str) for value in settings.values()), "YAML reads yes and no as truth values"


def test_the_adapter_starts_behind_its_stores_and_the_gateway_behind_the_adapter() -> None:
    """Whoever owns the namespace is first; stores are healthy before that."""
    assert {SERVICES["adapter"]["depends_on"][name]["condition"] for name in ("redis", "timescale")} == {
        "service_healthy"
    }
    assert set(SERVICES["ib-gateway"]["depends_on"]) == {"adapter"}


def test_redis_keeps_what_it_was_told_and_never_evicts() -> None:
    """Leases and order events stand in it: appended to disk, and refused rather than dropped when it is full."""
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "redis-data:/data" in SERVICES["redis"]["volumes"]


def test_the_adapters_configuration_fits_to_the_compose_file() -> None:
    """Our own loader takes it without a warning: gateway at loopback, paper, trading off, secrets from the mounts."""
    config = load(DEPLOY / "adapter.toml")
    assert config.warnings == ()
    assert (config.gateway.host, config.gateway.port) == ("127.0.0.1", 4002)
    assert not config.trading.enabled
    assert config.http.port == 8080
    assert config.redis.url == "redis://redis:6379/0"
    found = references(config)
    mounted = {f"/run/secrets/{name}" for name in SERVICES["adapter"]["secrets"]}
    assert {reference.place for reference in found.values()} == mounted
    assert {reference.source for reference in found.values()} == {Source.FILE}
    volumes = [volume.split(":")[1] for volume in SERVICES["adapter"]["volumes"]]
    assert config.data_dir in volumes
    assert "/etc/ibkr-adapter/adapter.toml" in volumes


def test_volumes_and_networks_that_are_used_are_declared() -> None:
    """And nothing is declared that nobody uses."""
    named = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith((".", "/"))
    }
    assert named == set(COMPOSE["volumes"])
    assert {network for s in SERVICES.values() for network in s.get("networks", [])} == set(COMPOSE["networks"])


def test_the_hour_of_the_restart_is_said_to_count_in_the_gateways_own_zone() -> None:
    """Whoever sets it reads so there, and finds the check that tells whether the calendar expects it."""
    (line,) = [line for line in (DEPLOY / "compose.yaml").read_text().splitlines() if "AUTO_RESTART_TIME:" in line]
    assert "jts.ini" in line
    assert "`doctor`" in line
    assert "*daily stop*" in (DEPLOY / "README.md").read_text()


class TestImage:
    TEXT = (DEPLOY / "Dockerfile").read_text()

    def test_dependencies_come_from_the_locks_by_their_hashes(self) -> None:
        """And nothing runs as root in the end."""
        assert "pip install --require-hashes -r /locks/runtime.lock -r /locks/deploy.lock" in self.TEXT
        assert re.findall(r"^USER (\S+)", self.TEXT, re.MULTILINE) == ["10001:10001"]
        assert re.findall(r"^FROM (\S+)", self.TEXT, re.MULTILINE) == ["python:${PYTHON_TAG}"] * 2
        assert "ARG PYTHON_TAG=3.11-slim" in self.TEXT

    def test_what_is_copied_exists(self) -> None:
        """Every path of a COPY from the checkout."""
        root = DEPLOY.parent
        for line in re.findall(r"^COPY (?!--from)(.+)$", self.TEXT, re.MULTILINE):
            *sources, _ = [part for part in line.split() if not part.startswith("--")]
            assert all((root / source).exists() for source in sources), line

    def test_the_lock_has_the_extras_and_agrees_with_the_other_one(self) -> None:
        """Redis and Vault are installed; a package that stands in both locks has one version."""

        def versions(name: str) -> dict[str, str]:
            text = (DEPLOY.parent / "requirements" / name).read_text()
            assert text.count("--hash=sha256:") >= text.count("==")
            return dict(re.findall(r"^([a-z0-9_.-]+)==(\S+)", text, re.MULTILINE | re.IGNORECASE))

        runtime, extras = versions("runtime.lock"), versions("deploy.lock")
        assert {"redis", "hiredis", "hvac"} <= set(extras)
        assert all(runtime[name] == extras[name] for name in set(runtime) & set(extras))
        wanted = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert set(wanted) <= {"redis", "vault"}, "an extra that the image does not have"


class TestSupervisor:
    """``supervise.sh`` keeps the container, and with it the gateway's network, while the adapter comes and goes."""

    @staticmethod
    def started(tmp_path: Path, program: str) -> subprocess.Popen[str]:
        (tmp_path / "program.py").write_text(program)
        command = [str(DEPLOY / "supervise.sh"), sys.executable, "-u", str(tmp_path / "program.py")]
        environment = os.environ | {"RESTART_S": "0"}
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, cwd=tmp_path
        )

    def test_it_starts_anew_what_ends_by_itself(self, tmp_path: Path) -> None:
        """As often as it ends; TERM then ends both, with the child's status."""
        program = """
import os, signal, sys
from pathlib import Path
lives = len(Path("lives").read_text()) if Path("lives").exists() else 0
Path("lives").write_text("x" * (lives + 1))
if lives < 2:
    sys.exit(7)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("lives", lives)
while True:
    signal.pause()
"""
        with self.started(tmp_path, program) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "lives 2\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 3

    def test_it_waits_longer_after_each_short_life_and_says_why(self, tmp_path: Path) -> None:
        """5 s, doubled up to a minute, and 5 s again after a life of a minute: no Vault is hammered all night."""
        commands = tmp_path / "commands"
        commands.mkdir()
        self.script(commands / "sleep", "echo $1 >> pauses; [ $(wc -l < pauses) -lt 7 ] || kill -TERM $PPID")
        self.script(commands / "date", "cat now 2>/dev/null || echo 0")
        self.script(tmp_path / "adapter", "[ -f pauses ] && [ $(wc -l < pauses) -eq 5 ] && echo 60 > now; exit 5")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RESTART_")}
        environment["PATH"] = f"{commands}:{environment['PATH']}"
        command = [str(DEPLOY / "supervise.sh"), str(tmp_path / "adapter")]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30)
        assert (tmp_path / "pauses").read_text().split() == ["5", "10", "20", "40", "60", "5", "10"]
        said = done.stderr.splitlines()
        assert "ended with 5: a secret cannot be read, as while Vault is sealed" in said[0]
        assert said[0].endswith("started anew in 5 s")

    @staticmethod
    def script(path: Path, text: str) -> None:
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def test_it_passes_a_hangup_on_and_stays(self, tmp_path: Path) -> None:
        """A question for the message codes reaches the adapter and restarts nothing."""
        program = """
import signal, sys
signal.signal(signal.SIGHUP, lambda *_: print("asked"))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("up")
while True:
    signal.pause()
"""
        with self.started(tmp_path, program) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"
            for _ in range(2):
                process.send_signal(signal.SIGHUP)
                assert process.stdout.readline() == "asked\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert process.stdout.read() == ""
