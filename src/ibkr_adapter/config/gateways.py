"""Gateways of a file: where they listen, and that no paper configuration reaches a live one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ibkr_adapter.config.defaults import DEFAULT_PORTS, KNOWN_PORTS, PRODUCTION
from ibkr_adapter.config.model import AccountKind, Environment, Gateway, is_loopback
from ibkr_adapter.config.restarts import check_time_zone, windows_of
from ibkr_adapter.config.tls import tls_of
from ibkr_adapter.config.typing import HOST, NAME, File, join, typed
from ibkr_adapter.errors import ConfigurationError

UPSTREAM_S_MIN = 60
UPSTREAM_S_MAX = 86_400


def gateways_of(file: File, base: Path) -> dict[str, Gateway]:
    result: dict[str, Gateway] = {}
    for name, table in file.gateways.items():
        path = join("gateways", name)
        if not NAME.fullmatch(name):
            raise ConfigurationError(path, "a gateway's name is letters, digits, _ and -", remedy="rename it")
        gateway = _gateway(table, path, file.environment, base)
        if not 1 <= gateway.port <= 65_535:
            raise ConfigurationError(f"{path}.port", "not a port", remedy="7497 or 4002 for paper, 7496 or 4001 live")
        if not HOST.fullmatch(gateway.host):
            raise ConfigurationError(f"{path}.host", "not a host name or address", remedy='for example "127.0.0.1"')
        result[name] = gateway
    port = DEFAULT_PORTS.get(file.environment)
    if not result and port is not None:
        result["primary"] = _gateway({"port": port}, "gateways.primary", file.environment, base)
    if not result:
        raise ConfigurationError(
            "gateways", f"{file.environment} has no default gateway", remedy="add [gateways.primary] with its port"
        )
    return result


def _gateway(table: Any, path: str, environment: str, base: Path) -> Gateway:
    nested = ("windows", "tls")
    plain = {key: value for key, value in table.items() if key not in nested} if isinstance(table, dict) else table
    gateway = typed(Gateway, plain, path)
    check_time_zone(gateway.time_zone, f"{path}.time_zone")
    return replace(
        gateway,
        windows=windows_of(table.get("windows"), f"{path}.windows", environment),
        tls=tls_of(table["tls"], f"{path}.tls", base) if "tls" in table else None,
    )


def check_hosts(file: File, gateways: Mapping[str, Gateway]) -> None:
    for name, gateway in gateways.items():
        if gateway.tls is None and not is_loopback(gateway.host) and gateway.host not in file.allow_plaintext:
            raise ConfigurationError(
                f"gateways.{name}.host",
                f"{gateway.host} is not this machine and IB's protocol is not encrypted",
                remedy=f'add [gateways.{name}.tls] to reach a tunnel, or set allow_plaintext = ["{gateway.host}"]',
            )


def check_standby(name: str, environment: Environment, gateways: Mapping[str, Gateway]) -> None:
    """Failover needs a second login: IB ends the first session of a username when a second one begins."""
    where, standby = f"environments.{name}.standby", environment.standby
    for key in ("upstream_recycle_s", "upstream_failover_s"):
        seconds = getattr(environment, key)
        if seconds is not None and not UPSTREAM_S_MIN <= seconds <= UPSTREAM_S_MAX:
            raise ConfigurationError(
                f"environments.{name}.{key}",
                f"{seconds} s is not between {UPSTREAM_S_MIN} s and a day",
                remedy="a gateway mostly restores its own connection to IB within a minute",
            )
    if not standby:
        if environment.upstream_failover_s is not None:
            raise ConfigurationError(
                f"environments.{name}.upstream_failover_s", "there is no standby", remedy=f"set {where}, or remove it"
            )
        return
    own, other = gateways[environment.gateway], gateways[standby]
    if standby == environment.gateway or own.address == other.address:
        raise ConfigurationError(where, f"{standby} is the environment's own gateway", remedy="name another one")
    for gateway, login in ((environment.gateway, own.username), (standby, other.username)):
        if not login:
            raise ConfigurationError(
                f"gateways.{gateway}.username",
                f"missing, and {standby} is a standby: IB ends the first session of a username when a second begins",
                remedy="name the login of each of the two gateways (a label, not a password), or remove the standby",
            )
    if own.username.casefold() == other.username.casefold():
        raise ConfigurationError(
            f"gateways.{standby}.username",
            f"{environment.gateway} and {standby} share one username: logging in to one ends the other's session",
            remedy="give the standby a username of its own, or remove the standby",
        )


def check_account_kind(
    name: str, environment: Environment, gateway_name: str, gateway: Gateway, warnings: list[str]
) -> None:
    """Live needs environment, full account number and live port to agree; paper never reaches a live port."""
    by_port = KNOWN_PORTS.get(gateway.port)
    where, kind = f"gateways.{gateway_name}", environment.account_kind
    if by_port is not None and gateway.kind not in (None, by_port):
        raise ConfigurationError(f"{where}.kind", f"port {gateway.port} is IB's {by_port} port", remedy="remove kind")
    stated = by_port or gateway.kind
    if stated is not None and stated is not kind:
        raise ConfigurationError(
            f"{where}.port",
            f"{gateway.port} is a {stated} port but environments.{name}.account_kind is {kind}",
            remedy=f"{kind} listens on {' or '.join(str(p) for p, k in KNOWN_PORTS.items() if k is kind)}",
        )
    if kind is AccountKind.LIVE:
        if stated is None:
            raise ConfigurationError(
                f"{where}.port", f"{gateway.port} is not known as a live port", remedy=f'set {where}.kind = "live"'
            )
        if not environment.account:
            raise ConfigurationError(
                f"environments.{name}.account", "live needs the full account number", remedy="for example U1234567"
            )
    elif name == PRODUCTION and gateway_name == environment.gateway:
        warnings.append("environments.production.account_kind: production runs on a paper account")
