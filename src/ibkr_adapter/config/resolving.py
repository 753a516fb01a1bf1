"""Defaults, and the rules that keep a paper configuration away from a live account."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from ibkr_adapter.accounts import account_kind
from ibkr_adapter.config.components import as_component, check_component, check_ha, components_of
from ibkr_adapter.config.defaults import DEFAULT_ENVIRONMENTS, MAIN, PRODUCTION, SIMULATED
from ibkr_adapter.config.gateways import check_account_kind, check_hosts, check_standby, gateways_of
from ibkr_adapter.config.market_data import instruments_of, market_data_of
from ibkr_adapter.config.model import AccountKind, Config, Environment, Http, Journal, Redis, Store
from ibkr_adapter.config.pacing import pacing_of
from ibkr_adapter.config.places import path_of, state_home
from ibkr_adapter.config.references import LITERAL_REMEDY, anchored, check_vault_named
from ibkr_adapter.config.trading import trading_of
from ibkr_adapter.config.typing import HOST, File, did_you_mean, join, typed
from ibkr_adapter.config.vault import vault_of
from ibkr_adapter.errors import ConfigurationError

_ACCOUNT = re.compile(r"[A-Z]{1,4}[0-9]{4,12}")
_PREFIX = re.compile(r"[A-Za-z0-9:_.-]{0,40}")


def resolve(document: dict[str, Any], origin: str, base: Path, *, demo: bool = False, component: str = "") -> Config:
    """``component``: run as this one instead of the file's own, with places and a port of its own."""
    if component:
        document = as_component(document, component)
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
    gateways = gateways_of(file, base)
    components = components_of(file)
    _known("component", file.component, components)
    active = environments[file.environment]
    _known(f"environments.{file.environment}.gateway", active.gateway, gateways)
    if active.standby:
        _known(f"environments.{file.environment}.standby", active.standby, gateways)
    check_hosts(file, gateways)
    check_standby(file.environment, active, gateways)
    for name in filter(None, (active.gateway, active.standby)):
        check_account_kind(file.environment, active, name, gateways[name], warnings)
    check_component(file.component, components[file.component], active)
    trading = trading_of(file.trading, active, components[file.component], warnings)
    instruments = instruments_of(file.instruments)
    data_dir = _data_dir(file, base)
    vault = anchored(file.vault, "vault", base, warnings)
    config = Config(
        environment=file.environment,
        component=file.component,
        data_dir=str(data_dir),
        environments=environments,
        gateways={name: anchored(g, join("gateways", name), base, warnings) for name, g in gateways.items()},
        components=components,
        allow_plaintext=file.allow_plaintext,
        trading=trading,
        market_data=market_data_of(file.market_data, warnings),
        pacing=pacing_of(file.pacing, len(instruments), warnings),
        instruments=instruments,
        http=_http(anchored(_listening(file, document), "http", base, warnings)),
        store=Store(path=str(_path("store.path", file.store.path, base, data_dir / "store.sqlite"))),
        journal=Journal(directory=str(_path("journal.directory", file.journal.directory, base, data_dir / "journal"))),
        redis=_redis(anchored(file.redis, "redis", base, warnings), warnings),
        vault=vault_of(vault, base, file.allow_plaintext),
        message_codes=str(path_of("message_codes", file.message_codes, base)) if file.message_codes else "",
        ha=file.ha,
        log=file.log,
        origin=origin,
        given=frozenset(_given(document)),
        warnings=tuple(dict.fromkeys(warnings)),
    )
    check_vault_named(config)
    check_ha(config.ha, config.redis)
    return config


def _listening(file: File, document: Mapping[str, Any]) -> Http:
    """One file may serve several components: only the first has the usual port, the others any free one."""
    if file.component == MAIN or "listen" in document.get("http", {}):
        return file.http
    return replace(file.http, listen="127.0.0.1:0")


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


def _http(http: Http) -> Http:
    host, separator, port = http.listen.rpartition(":")
    usable = separator and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not usable or not HOST.fullmatch(bare) or (":" in bare) != bracketed:
        raise ConfigurationError("http.listen", "not an address and port", remedy='for example "127.0.0.1:8080"')
    for name in http.hosts:
        if not HOST.fullmatch(name):
            raise ConfigurationError("http.hosts", f"{name[:60]!a} is no host name", remedy="without port or path")
    return http


def _redis(redis: Redis, warnings: list[str]) -> Redis:
    if redis.url:
        try:
            parts = urlsplit(redis.url)
            usable = parts.scheme in ("redis", "rediss", "unix") and bool(parts.hostname or parts.path)
            _ = parts.port
        except ValueError:
            usable = False
        if not usable or not redis.url.isprintable():
            raise ConfigurationError("redis.url", "not a Redis address", remedy='as "redis://localhost:6379/0"')
        if parts.password and redis.password:
            raise ConfigurationError("redis.password", "redis.url holds one too", remedy="take it out of redis.url")
        if parts.password:
            warnings.append(f"redis.url: holds a password: put it into redis.password; there {LITERAL_REMEDY}")
    if not _PREFIX.fullmatch(redis.prefix):
        raise ConfigurationError("redis.prefix", "not usable in a key", remedy="letters, digits, : _ . -, at most 40")
    return redis


def _data_dir(file: File, base: Path) -> Path:
    name = file.environment if file.component == MAIN else f"{file.environment}-{file.component}"
    return _path("data_dir", file.data_dir, base, state_home() / name)


def _path(key: str, given: str, base: Path, default: Path) -> Path:
    return path_of(key, given, base) if given else default


def _given(document: Mapping[str, Any], path: str = "") -> list[str]:
    found: list[str] = []
    for key, value in document.items():
        where = join(path, key)
        found += _given(value, where) if isinstance(value, dict) else [where]
    return found
