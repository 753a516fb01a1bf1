"""Defaults, and the rules that keep a paper configuration away from a live account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from ibkr_adapter.accounts import account_kind
from ibkr_adapter.config.defaults import (
    DEFAULT_COMPONENTS,
    DEFAULT_ENVIRONMENTS,
    DEFAULT_PORTS,
    DEFAULT_SYMBOLS,
    INSTRUMENTS_MAX,
    KNOWN_PORTS,
    PAPER_LIMITS,
    PRIMARY_EXCHANGES,
    PRODUCTION,
    READ_ONLY,
    SIMULATED,
)
from ibkr_adapter.config.model import (
    AccountKind,
    Capability,
    Component,
    Config,
    Environment,
    Gateway,
    Http,
    Journal,
    MarketDataSettings,
    Redis,
    Store,
    Trading,
    is_loopback,
)
from ibkr_adapter.config.places import state_home
from ibkr_adapter.config.typing import File, InstrumentTable, did_you_mean, join, typed
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.instruments import Instrument, venue

_ACCOUNT = re.compile(r"[A-Z]{1,4}[0-9]{4,12}")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9 .-]{0,11}")
_EXCHANGE = re.compile(r"[A-Z0-9.]{1,16}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PREFIX = re.compile(r"[A-Za-z0-9:_.-]{0,40}")


def resolve(document: dict[str, Any], origin: str, base: Path, *, demo: bool = False) -> Config:
    file = typed(File, document, "")
    warnings: list[str] = []
    environments = _environments(file)
    _known("environment", file.environment, environments)
    if file.environment == SIMULATED and not demo:
        raise ConfigurationError(
            "environment",
            "simulated accepts only the simulator that the demo starts itself",
            remedy='run `ibkr-adapter demo`, or use "development" with the port of your own simulator',
        )
    gateways = _gateways(file)
    components = _components(file)
    _known("component", file.component, components)
    active = environments[file.environment]
    _known(f"environments.{file.environment}.gateway", active.gateway, gateways)
    _check_hosts(file, gateways)
    _check_account_kind(file.environment, active, gateways[active.gateway], warnings)
    _check_component(file.component, components[file.component], active)
    trading = _trading(file.trading, active, components[file.component], warnings)
    data_dir = _data_dir(file, base)
    return Config(
        environment=file.environment,
        component=file.component,
        data_dir=str(data_dir),
        environments=environments,
        gateways=gateways,
        components=components,
        allow_plaintext=file.allow_plaintext,
        trading=trading,
        market_data=_market_data(file.market_data, warnings),
        instruments=_instruments(file.instruments),
        http=_http(file.http),
        store=Store(path=str(_path("store.path", file.store.path, base, data_dir / "store.sqlite"))),
        journal=Journal(directory=str(_path("journal.directory", file.journal.directory, base, data_dir / "journal"))),
        redis=_redis(file.redis),
        log=file.log,
        origin=origin,
        given=frozenset(_given(document)),
        warnings=tuple(warnings),
    )


def _known(path: str, name: str, table: Mapping[str, object]) -> None:
    if name not in table:
        raise ConfigurationError(path, f"there is no {name[:60]!a}", remedy=did_you_mean(name, table))


def _environments(file: File) -> dict[str, Environment]:
    result = dict(DEFAULT_ENVIRONMENTS)
    for name, table in file.environments.items():
        path = join("environments", name)
        if name not in result:
            raise ConfigurationError(path, "unknown environment", remedy=did_you_mean(name, result))
        result[name] = environment = typed(Environment, table, path, result[name])
        account, kind = environment.account, environment.account_kind
        if account and not _ACCOUNT.fullmatch(account):
            raise ConfigurationError(
                f"{path}.account", "not a full account number", remedy="write it as IB does, e.g. DU1234567"
            )
        if account and account_kind(account) != kind:
            raise ConfigurationError(
                f"{path}.account",
                f"{account} is {account_kind(account)} but account_kind is {kind}",
                remedy="paper accounts begin with D, live ones with U, F or I",
            )
        for version in environment.packages:
            if not re.fullmatch(r"[0-9]+(\.[0-9]+){1,3}", version):
                raise ConfigurationError(f"{path}.packages", f"{version[:20]!a} is no version", remedy="as 10.50.2")
        if kind is AccountKind.LIVE and name != PRODUCTION:
            raise ConfigurationError(
                f"{path}.account_kind", f"live is not accepted in {name}", remedy='use environment "production"'
            )
    return result


def _gateways(file: File) -> dict[str, Gateway]:
    result: dict[str, Gateway] = {}
    for name, table in file.gateways.items():
        path = join("gateways", name)
        if not _NAME.fullmatch(name):
            raise ConfigurationError(path, "a gateway's name is letters, digits, _ and -", remedy="rename it")
        gateway = typed(Gateway, table, path)
        if not 1 <= gateway.port <= 65_535:
            raise ConfigurationError(f"{path}.port", "not a port", remedy="7497 or 4002 for paper, 7496 or 4001 live")
        if not _HOST.fullmatch(gateway.host):
            raise ConfigurationError(f"{path}.host", "not a host name or address", remedy='for example "127.0.0.1"')
        result[name] = gateway
    port = DEFAULT_PORTS.get(file.environment)
    if not result and port is not None:
        result["primary"] = Gateway(port=port)
    if not result:
        raise ConfigurationError(
            "gateways", f"{file.environment} has no default gateway", remedy="add [gateways.primary] with its port"
        )
    return result


def _components(file: File) -> dict[str, Component]:
    result = dict(DEFAULT_COMPONENTS)
    for name, table in file.components.items():
        path = join("components", name)
        if not _NAME.fullmatch(name):
            raise ConfigurationError(path, "a component's name is letters, digits, _ and -", remedy="rename it")
        result[name] = component = typed(Component, table, path, result.get(name))
        if name in READ_ONLY and component.can(Capability.ORDERS):
            raise ConfigurationError(
                f"{path}.capabilities", f"{name} is read-only", remedy="send orders through ibkr_adapter"
            )
    holders: dict[int, str] = {}
    for name, component in result.items():
        path = f"components.{name}.client_id"
        if component.client_id == 0:
            raise ConfigurationError(path, "0 is never used: it takes over orders made by hand", remedy="1 or higher")
        if not 1 <= component.client_id <= 2**31 - 1:
            raise ConfigurationError(path, "not a client id", remedy="1 to 2147483647")
        if component.client_id in holders:
            raise ConfigurationError(
                path,
                f"{component.client_id} already belongs to {holders[component.client_id]}",
                remedy="give each component an id of its own",
            )
        holders[component.client_id] = name
    return result


def _check_hosts(file: File, gateways: Mapping[str, Gateway]) -> None:
    for name, gateway in gateways.items():
        if not is_loopback(gateway.host) and gateway.host not in file.allow_plaintext:
            raise ConfigurationError(
                f"gateways.{name}.host",
                f"{gateway.host} is not this machine and IB's protocol is not encrypted",
                remedy=f'use a tunnel to 127.0.0.1, or set allow_plaintext = ["{gateway.host}"]',
            )


def _check_account_kind(name: str, environment: Environment, gateway: Gateway, warnings: list[str]) -> None:
    """Live needs environment, full account number and live port to agree; paper never reaches a live port."""
    by_port = KNOWN_PORTS.get(gateway.port)
    where, kind = f"gateways.{environment.gateway}", environment.account_kind
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
    elif name == PRODUCTION:
        warnings.append("environments.production.account_kind: production runs on a paper account")


def _check_component(name: str, component: Component, environment: Environment) -> None:
    if component.paper_only and environment.account_kind is AccountKind.LIVE:
        raise ConfigurationError("component", f"{name} connects to paper accounts only", remedy="use a paper account")


def _trading(trading: Trading, environment: Environment, component: Component, warnings: list[str]) -> Trading:
    if not 0 < trading.command_ttl_s <= 60:
        raise ConfigurationError("trading.command_ttl_s", "must be above 0 and at most 60 seconds", remedy="2 is usual")
    limits = trading.limits
    for limit in limits.__struct_fields__:
        value = getattr(limits, limit)
        if value is not None and value <= 0:
            raise ConfigurationError(
                f"trading.limits.{limit}", "must be above 0", remedy="to send no orders set trading.enabled = false"
            )
    if environment.account_kind is AccountKind.PAPER:
        limits = replace(limits, **{name: getattr(PAPER_LIMITS, name) for name in limits.missing})
    if trading.enabled and limits.missing:
        warnings.append(f"trading.limits: every order will be refused, not set: {', '.join(limits.missing)}")
    if trading.enabled and not component.can(Capability.ORDERS):
        warnings.append("trading.enabled: this component has no capability for orders, none can be sent")
    return replace(trading, limits=limits)


def _market_data(settings: MarketDataSettings, warnings: list[str]) -> MarketDataSettings:
    parts = [part.strip() for part in settings.generic_ticks.split(",")] if settings.generic_ticks.strip() else []
    for part in parts:
        if not re.fullmatch(r"[0-9]{1,4}", part):
            raise ConfigurationError(
                "market_data.generic_ticks", f"{part[:20]!a} is no tick number", remedy='for example "233,236"'
            )
    if "258" in parts:
        warnings.append(
            "market_data.generic_ticks: 258 asks for fundamental ratios, not for the time of the last trade, which"
            " comes without asking; left out"
        )
    kept = [part for part in dict.fromkeys(parts) if part != "258"]
    return replace(settings, generic_ticks=",".join(kept))


def _instruments(tables: list[Any]) -> tuple[Instrument, ...]:
    if not tables:
        return tuple(Instrument(symbol=s, primary_exchange=PRIMARY_EXCHANGES[s]) for s in DEFAULT_SYMBOLS)
    if len(tables) > INSTRUMENTS_MAX:
        raise ConfigurationError(
            "instruments", f"{len(tables)} are more than {INSTRUMENTS_MAX}", remedy="IB allows that many lines"
        )
    result: dict[str, Instrument] = {}
    for index, table in enumerate(tables):
        path = f"instruments[{index}]"
        row = typed(InstrumentTable, table, path)
        if not _SYMBOL.fullmatch(row.symbol):
            raise ConfigurationError(f"{path}.symbol", f"{row.symbol[:20]!a} is no symbol", remedy="as SPY, BRK B")
        exchange = row.primary_exchange or PRIMARY_EXCHANGES.get(row.symbol, "")
        if exchange and not _EXCHANGE.fullmatch(exchange):
            raise ConfigurationError(f"{path}.primary_exchange", "not an exchange", remedy="as ARCA, NASDAQ, NYSE")
        if row.symbol in result:
            raise ConfigurationError(f"{path}.symbol", f"{row.symbol} is listed twice", remedy="remove one")
        result[row.symbol] = Instrument(symbol=row.symbol, primary_exchange=venue(exchange))
    return tuple(result.values())


def _http(http: Http) -> Http:
    host, separator, port = http.listen.rpartition(":")
    usable = separator and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not usable or not _HOST.fullmatch(bare) or (":" in bare) != bracketed:
        raise ConfigurationError("http.listen", "not an address and port", remedy='for example "127.0.0.1:8080"')
    for name in http.hosts:
        if not _HOST.fullmatch(name):
            raise ConfigurationError("http.hosts", f"{name[:60]!a} is no host name", remedy="without port or path")
    return http


def _redis(redis: Redis) -> Redis:
    if redis.url:
        try:
            parts = urlsplit(redis.url)
            usable = parts.scheme in ("redis", "rediss", "unix") and bool(parts.hostname or parts.path)
            _ = parts.port
        except ValueError:
            usable = False
        if not usable or not redis.url.isprintable():
            raise ConfigurationError("redis.url", "not a Redis address", remedy='as "redis://localhost:6379/0"')
    if not _PREFIX.fullmatch(redis.prefix):
        raise ConfigurationError("redis.prefix", "not usable in a key", remedy="letters, digits, : _ . -, at most 40")
    return redis


def _data_dir(file: File, base: Path) -> Path:
    return _path("data_dir", file.data_dir, base, state_home() / file.environment)


def _path(key: str, given: str, base: Path, default: Path) -> Path:
    if not given:
        return default
    if not given.isprintable() or len(given) > 1_000:
        raise ConfigurationError(key, "not a path", remedy="remove control characters")
    try:
        return base / Path(given).expanduser()
    except RuntimeError:
        raise ConfigurationError(key, "there is no such home directory", remedy="write the path in full") from None


def _given(document: Mapping[str, Any], path: str = "") -> list[str]:
    found: list[str] = []
    for key, value in document.items():
        where = join(path, key)
        found += _given(value, where) if isinstance(value, dict) else [where]
    return found
