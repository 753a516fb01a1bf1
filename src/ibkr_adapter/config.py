"""One TOML file becomes one frozen ``Config``; whatever cannot be used is a ``ConfigurationError`` that names its key.

Three steps, each a function below: *read* (``tomllib``, sizes bounded), *type* (every key known, every value of its
kind), *resolve* (defaults, and the rules that keep a paper configuration away from a live account). Nothing is guessed
where money is concerned: live wants environment, full account number, live port and every limit said in words.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field
from msgspec.structs import fields, replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.instruments import Instrument, venue

# --- What a configuration is ------------------------------------------------------------------------------------


class AccountKind(StrEnum):
    """IB tells them apart by prefix: every paper account begins with D."""

    PAPER = "paper"
    LIVE = "live"


class MarketData(StrEnum):
    LIVE_OR_DELAYED = "live-or-delayed"
    LIVE_ONLY = "live-only"


class Capability(StrEnum):
    MARKET_DATA = "market_data"
    ACCOUNT = "account"
    ORDERS = "orders"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Section(Struct, frozen=True, kw_only=True):
    """Base of all tables of the file."""


class Environment(Section, frozen=True, kw_only=True):
    """``account``: full number; required for live, and for paper the only one accepted where given.

    ``packages``: releases of the official client allowed here; empty allows every supported one.
    """

    account_kind: AccountKind = AccountKind.PAPER
    account: str = ""
    gateway: str = "primary"
    market_data: MarketData = MarketData.LIVE_OR_DELAYED
    packages: tuple[str, ...] = ()


class Gateway(Section, frozen=True, kw_only=True):
    """``kind`` is needed only where the port is none of IB's defaults and the account is live."""

    host: str = "127.0.0.1"
    port: int
    kind: AccountKind | None = None

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Component(Section, frozen=True, kw_only=True):
    """One row of the client-id table. The capabilities are all this component can ever do."""

    client_id: int
    purpose: str = ""
    capabilities: tuple[Capability, ...] = (Capability.MARKET_DATA, Capability.ACCOUNT)
    paper_only: bool = False

    def can(self, capability: Capability) -> bool:
        return capability in self.capabilities


class Limits(Section, frozen=True, kw_only=True):
    """A limit that is ``None`` refuses every order."""

    order_quantity_shares: Decimal | None = None
    order_notional_usd: Decimal | None = None
    open_orders: int | None = None
    price_collar_percent: Decimal | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) is None)


class Trading(Section, frozen=True, kw_only=True):
    enabled: bool = False
    command_ttl_s: Decimal = Decimal(2)
    limits: Limits = Limits()

    @property
    def command_ttl_ns(self) -> int:
        return int(self.command_ttl_s * SECOND)


class MarketDataSettings(Section, frozen=True, kw_only=True):
    """``generic_ticks`` as IB writes them."""

    generic_ticks: str = "233"


class Http(Section, frozen=True, kw_only=True):
    """``hosts``: names under which a browser may reach the page, besides the loopback ones and the address itself."""

    listen: str = "127.0.0.1:8080"
    hosts: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


class Store(Section, frozen=True, kw_only=True):
    path: str = ""


class Journal(Section, frozen=True, kw_only=True):
    directory: str = ""


class Redis(Section, frozen=True, kw_only=True):
    """``url`` may hold a password: print ``shown_url`` instead."""

    url: str = ""
    prefix: str = ""

    @property
    def shown_url(self) -> str:
        return redact_url(self.url)

    def __repr__(self) -> str:
        return f"Redis(url={self.shown_url!r}, prefix={self.prefix!r})"

    def __rich_repr__(self) -> Any:
        yield "url", self.shown_url
        yield "prefix", self.prefix


class Log(Section, frozen=True, kw_only=True):
    level: LogLevel = LogLevel.INFO


class Config(Section, frozen=True, kw_only=True):
    """Everything resolved: no key is missing, every path is absolute, every rule below has been checked.

    ``given`` holds the dotted keys that the file set itself; ``warnings`` what is accepted but should be known.
    """

    environment: str
    component: str
    data_dir: str
    environments: dict[str, Environment]
    gateways: dict[str, Gateway]
    components: dict[str, Component]
    allow_plaintext: tuple[str, ...]
    trading: Trading
    market_data: MarketDataSettings
    instruments: tuple[Instrument, ...]
    http: Http
    store: Store
    journal: Journal
    redis: Redis
    log: Log
    origin: str
    given: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    @property
    def active(self) -> Environment:
        return self.environments[self.environment]

    @property
    def gateway(self) -> Gateway:
        return self.gateways[self.active.gateway]

    @property
    def identity(self) -> Component:
        """The component we run as: client id and capabilities."""
        return self.components[self.component]

    @property
    def client_id(self) -> int:
        return self.identity.client_id

    @property
    def data_path(self) -> Path:
        return Path(self.data_dir)

    @property
    def state_file(self) -> Path:
        """Where a running service says how to reach it."""
        return self.data_path / "service.json"

    def show(self) -> str:
        """The whole configuration as in force, TOML again; what the file did not say is marked ``# default``."""
        return _show(self)


# --- Tables of defaults -----------------------------------------------------------------------------------------

SIMULATED: Final = "simulated"
PRODUCTION: Final = "production"
FILE_BYTES_MAX: Final = 1_000_000
INSTRUMENTS_MAX: Final = 100
"""IB's ordinary allowance of market-data lines."""

KNOWN_PORTS: Final = {
    7496: AccountKind.LIVE,
    4001: AccountKind.LIVE,
    7497: AccountKind.PAPER,
    4002: AccountKind.PAPER,
}
"""TWS and IB Gateway as installed. Source: TWS API, errors 502."""

DEFAULT_ENVIRONMENTS: Final = {
    SIMULATED: Environment(),
    "development": Environment(),
    "staging": Environment(),
    PRODUCTION: Environment(account_kind=AccountKind.LIVE, market_data=MarketData.LIVE_ONLY),
}

_DEFAULT_PORTS: Final = {"development": 7497, "staging": 4002}

DEFAULT_COMPONENTS: Final = {
    "ibkr_adapter": Component(
        client_id=1, purpose="primary market data and order routing", capabilities=tuple(Capability)
    ),
    "risk_manager": Component(
        client_id=2, purpose="account summary and margin, read-only", capabilities=(Capability.ACCOUNT,)
    ),
    "execution_replay": Component(
        client_id=3,
        purpose="analytics without orders, paper accounts only",
        capabilities=(Capability.MARKET_DATA, Capability.ACCOUNT),
        paper_only=True,
    ),
    "emergency_console": Component(
        client_id=99, purpose="a person, during incidents only", capabilities=(Capability.ACCOUNT, Capability.ORDERS)
    ),
}
"""The client-id table of the desk (specification §3)."""

_READ_ONLY: Final = frozenset({"risk_manager", "execution_replay"})

PAPER_LIMITS: Final = Limits(
    order_quantity_shares=Decimal(1_000),
    order_notional_usd=Decimal(250_000),
    open_orders=20,
    price_collar_percent=Decimal(5),
)
"""Paper environments ship limits; a live one never does."""

PRIMARY_EXCHANGES: Final = {"SPY": "ARCA", "IWM": "ARCA"} | dict.fromkeys(
    ("QQQ", "AAPL", "MSFT", "GOOGL", "GOOG", "AMZN", "NVDA", "META", "TSLA"), "NASDAQ"
)

DEFAULT_SYMBOLS: Final = ("SPY", "QQQ", "IWM", "AAPL", "MSFT", "GOOGL", "AMZN", "NVDA", "META", "TSLA")

DEFAULT_TEMPLATE: Final = """\
# ibkr-adapter configuration. Every line shows a default: what you leave out is as written here.

environment = "development"     # development, staging or production; "simulated" belongs to `ibkr-adapter demo`
component = "ibkr_adapter"      # who we are, from the table of components below
# data_dir = "~/.local/state/ibkr-adapter/development"   # XDG_STATE_HOME is respected
allow_plaintext = []            # hosts beyond loopback to which IB's unencrypted protocol may be spoken

[environments.development]
account_kind = "paper"          # paper or live; live is accepted in production only
account = ""                    # the only account accepted; required for live, in full
gateway = "primary"             # one of the gateways below
market_data = "live-or-delayed" # or "live-only", the default of production
packages = []                   # releases of the official client allowed here, e.g. ["10.50.2"]; empty: all supported

[gateways.primary]
host = "127.0.0.1"
port = 7497                     # 7497 TWS paper, 7496 TWS live, 4002 Gateway paper, 4001 Gateway live
# kind = "live"                 # only for a live gateway behind another port

[components.ibkr_adapter]
client_id = 1                   # 0 is never used, no id twice
purpose = "primary market data and order routing"
capabilities = ["market_data", "account", "orders"]

[trading]
enabled = false                 # nothing is sent to the market until this is true
command_ttl_s = 2               # an order older than this is refused rather than sent late

[trading.limits]                # a missing limit refuses every order; live has no defaults
order_quantity_shares = 1000
order_notional_usd = 250000
open_orders = 20
price_collar_percent = 5        # furthest a limit price may stand from the market

[market_data]
generic_ticks = "233"           # 233 trades and volume, 236 shortable

# [[instruments]]               # default: SPY QQQ IWM AAPL MSFT GOOGL AMZN NVDA META TSLA
# symbol = "SPY"
# primary_exchange = "ARCA"

[http]
listen = "127.0.0.1:8080"       # port 0 takes any free one
hosts = []                      # further names under which a browser may reach the page

[store]
path = ""                       # SQLite file; default: <data_dir>/store.sqlite

[journal]
directory = ""                  # default: <data_dir>/journal

[redis]
url = ""                        # e.g. "redis://localhost:6379/0"; empty: no Redis
prefix = ""                     # before every key, so that environments can share a server

[log]
level = "info"                  # debug, info, warning, error
"""

# --- Reading ----------------------------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> Config:
    """The configuration in a file."""
    file = Path(path).expanduser()
    try:
        with file.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
        text = raw.decode("utf-8")
    except FileNotFoundError:
        raise ConfigurationError(
            "", f"there is no file {str(path)!r}", remedy="`ibkr-adapter config template` prints one to start from"
        ) from None
    except OSError as error:
        raise ConfigurationError("", f"cannot read {str(path)!r}: {error.strerror}", remedy="check the path") from None
    except (UnicodeDecodeError, ValueError):
        raise ConfigurationError("", f"{str(path)!r} is not UTF-8 text", remedy="save it as UTF-8") from None
    return parse(text, str(path), base=file.resolve().parent)


def parse(text: str, origin: str, *, base: Path | None = None) -> Config:
    """The configuration in a text. ``origin`` names it in messages; relative paths count from ``base``."""
    if len(text) > FILE_BYTES_MAX:
        raise ConfigurationError("", f"{origin}: more than {FILE_BYTES_MAX} bytes", remedy="this is no configuration")
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError, ArithmeticError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error) or "a number out of range"
        raise ConfigurationError("", f"{origin}: not TOML: {reason}", remedy="see https://toml.io") from None
    return _resolve(document, origin, base or Path.cwd())


def simulated(
    port: int,
    account: str,
    data_dir: str | os.PathLike[str],
    listen: str = "127.0.0.1:8080",
    instruments: tuple[Instrument, ...] = (),
) -> Config:
    """The configuration of the demo: that port and that account only, trading on, paper limits."""
    name, directory = "simulator", Path(data_dir).resolve()
    document: dict[str, Any] = {
        "environment": SIMULATED,
        "data_dir": str(directory),
        "environments": {SIMULATED: {"account": account, "gateway": name}},
        "gateways": {name: {"port": port, "kind": "paper"}},
        "trading": {"enabled": True},
        "http": {"listen": listen},
    }
    config = _resolve(document, "demo", directory, demo=True)
    return replace(config, instruments=instruments) if instruments else config


# --- Typing -----------------------------------------------------------------------------------------------------

_T = TypeVar("_T", bound=Section)


class _InstrumentTable(Section, frozen=True, kw_only=True):
    symbol: str
    primary_exchange: str = ""


class _File(Section, frozen=True, kw_only=True):
    """The top level; tables that are named by the user are typed one by one."""

    environment: str = "development"
    component: str = "ibkr_adapter"
    data_dir: str = ""
    allow_plaintext: tuple[str, ...] = ()
    environments: dict[str, Any] = field(default_factory=dict)
    gateways: dict[str, Any] = field(default_factory=dict)
    components: dict[str, Any] = field(default_factory=dict)
    trading: Trading = Trading()
    market_data: MarketDataSettings = MarketDataSettings()
    instruments: list[Any] = field(default_factory=list)
    http: Http = Http()
    store: Store = Store()
    journal: Journal = Journal()
    redis: Redis = Redis()
    log: Log = Log()


def _typed(kind: type[_T], value: object, path: str, base: _T | None = None) -> _T:
    """``value`` as a ``kind``; keys it leaves out are those of ``base``, or the kind's own defaults."""
    if not isinstance(value, dict):
        raise ConfigurationError(path, "expected a table", remedy=f"write it as [{path}]")
    known = {f.name: f for f in fields(kind)}
    for key in value:
        if key not in known:
            raise ConfigurationError(_join(path, key), "unknown key", remedy=_did_you_mean(key, known))
    typed: dict[str, Any] = {}
    for name, spec in known.items():
        if name in value:
            where = _join(path, name)
            nested = isinstance(spec.type, type) and issubclass(spec.type, Section)
            typed[name] = _typed(spec.type, value[name], where) if nested else _leaf(spec.type, value[name], where)
        elif base is None and spec.required:
            raise ConfigurationError(_join(path, name), "missing", remedy=f"add {name} = … under [{path}]")
    return replace(base, **typed) if base is not None else kind(**typed)


def _leaf(kind: Any, value: object, path: str) -> Any:
    """One value of its kind; no text is ever read as a number nor the reverse."""
    if kind in (Decimal, Decimal | None) and type(value) is int:
        value = Decimal(value)
    try:
        converted = msgspec.convert(value, kind, strict=True, builtin_types=(Decimal,))
    except (msgspec.ValidationError, ArithmeticError) as error:
        message = _WORDS.sub(lambda word: _IN_PLAIN_WORDS[word[0]], str(error).split(" - at ")[0])
        choices = [str(choice) for choice in kind] if isinstance(kind, type) and issubclass(kind, StrEnum) else []
        remedy = f"one of {', '.join(choices)}" if choices else ""
        raise ConfigurationError(path, message[:1].lower() + message[1:].replace("`", ""), remedy=remedy) from None
    if isinstance(converted, Decimal) and not (converted.is_finite() and -9 < converted.adjusted() < 15):
        raise ConfigurationError(path, "not a number to compare with", remedy="give an ordinary, finite number")
    return converted


_IN_PLAIN_WORDS = {
    "`decimal | null`": "number",
    "`int | null`": "whole number",
    "`str | null`": "text",
    "`decimal`": "number",
    "`int`": "whole number",
    "`str`": "text",
    "`bool`": "true or false",
    "`array`": "list",
    "`object`": "table",
}
_WORDS = re.compile("|".join(map(re.escape, _IN_PLAIN_WORDS)))


def _join(path: str, key: str) -> str:
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,60}", key)
    shown = key if plain else ascii(key[:60])
    return f"{path}.{shown}" if path else shown


def _did_you_mean(key: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(key[:60], list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


# --- Resolving --------------------------------------------------------------------------------------------------

_ACCOUNT = re.compile(r"[A-Z]{1,4}[0-9]{4,12}")
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9 .-]{0,11}")
_EXCHANGE = re.compile(r"[A-Z0-9.]{1,16}")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")
_PREFIX = re.compile(r"[A-Za-z0-9:_.-]{0,40}")


def _resolve(document: dict[str, Any], origin: str, base: Path, *, demo: bool = False) -> Config:
    file = _typed(_File, document, "")
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
        raise ConfigurationError(path, f"there is no {name[:60]!a}", remedy=_did_you_mean(name, table))


def _environments(file: _File) -> dict[str, Environment]:
    result = dict(DEFAULT_ENVIRONMENTS)
    for name, table in file.environments.items():
        path = _join("environments", name)
        if name not in result:
            raise ConfigurationError(path, "unknown environment", remedy=_did_you_mean(name, result))
        result[name] = environment = _typed(Environment, table, path, result[name])
        account, kind = environment.account, environment.account_kind
        if account and not _ACCOUNT.fullmatch(account):
            raise ConfigurationError(
                f"{path}.account", "not a full account number", remedy="write it as IB does, e.g. DU1234567"
            )
        if account and account_kind_of(account) is not kind:
            raise ConfigurationError(
                f"{path}.account",
                f"{account} is a {account_kind_of(account)} account but account_kind is {kind}",
                remedy="paper accounts begin with D, live ones do not",
            )
        for version in environment.packages:
            if not re.fullmatch(r"[0-9]+(\.[0-9]+){1,3}", version):
                raise ConfigurationError(f"{path}.packages", f"{version[:20]!a} is no version", remedy="as 10.50.2")
        if kind is AccountKind.LIVE and name != PRODUCTION:
            raise ConfigurationError(
                f"{path}.account_kind", f"live is not accepted in {name}", remedy='use environment "production"'
            )
    return result


def _gateways(file: _File) -> dict[str, Gateway]:
    result: dict[str, Gateway] = {}
    for name, table in file.gateways.items():
        path = _join("gateways", name)
        if not _NAME.fullmatch(name):
            raise ConfigurationError(path, "a gateway's name is letters, digits, _ and -", remedy="rename it")
        gateway = _typed(Gateway, table, path)
        if not 1 <= gateway.port <= 65_535:
            raise ConfigurationError(f"{path}.port", "not a port", remedy="7497 or 4002 for paper, 7496 or 4001 live")
        if not _HOST.fullmatch(gateway.host):
            raise ConfigurationError(f"{path}.host", "not a host name or address", remedy='for example "127.0.0.1"')
        result[name] = gateway
    port = _DEFAULT_PORTS.get(file.environment)
    if not result and port is not None:
        result["primary"] = Gateway(port=port)
    if not result:
        raise ConfigurationError(
            "gateways", f"{file.environment} has no default gateway", remedy="add [gateways.primary] with its port"
        )
    return result


def _components(file: _File) -> dict[str, Component]:
    result = dict(DEFAULT_COMPONENTS)
    for name, table in file.components.items():
        path = _join("components", name)
        if not _NAME.fullmatch(name):
            raise ConfigurationError(path, "a component's name is letters, digits, _ and -", remedy="rename it")
        result[name] = component = _typed(Component, table, path, result.get(name))
        if name in _READ_ONLY and component.can(Capability.ORDERS):
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


def _check_hosts(file: _File, gateways: Mapping[str, Gateway]) -> None:
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
        row = _typed(_InstrumentTable, table, path)
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


def _data_dir(file: _File, base: Path) -> Path:
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if state.startswith("/") else Path.home() / ".local" / "state"
    return _path("data_dir", file.data_dir, base, home / "ibkr-adapter" / file.environment)


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
        where = _join(path, key)
        found += _given(value, where) if isinstance(value, dict) else [where]
    return found


# --- Small questions others ask too -----------------------------------------------------------------------------


def account_kind_of(account: str) -> AccountKind:
    """By prefix: D is paper, everything else is to be treated as money."""
    return AccountKind.PAPER if account.startswith("D") else AccountKind.LIVE


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def redact_url(url: str) -> str:
    """The address without what stands before the @, and without parameters."""
    if not url:
        return ""
    scheme, _, rest = url.partition("://")
    rest = rest.partition("?")[0]
    user, at, host = rest.rpartition("@")
    return f"{scheme}://{'***' if user else ''}{at}{host}"


# --- Showing ----------------------------------------------------------------------------------------------------


def _show(config: Config) -> str:
    lines = [f"# {config.origin}, as in force; secrets are not shown"]
    lines += [f"# warning: {warning}" for warning in config.warnings]
    for name in ("environment", "component", "data_dir", "allow_plaintext"):
        lines.append(_line(config, "", name, getattr(config, name)))
    name = config.environment
    _show_table(lines, config, f"environments.{name}", config.active)
    for name, gateway in config.gateways.items():
        _show_table(lines, config, f"gateways.{name}", gateway)
    for name, component in config.components.items():
        _show_table(lines, config, f"components.{name}", component)
    for name in ("trading", "market_data", "http", "store", "journal", "redis", "log"):
        _show_table(lines, config, name, getattr(config, name))
    for instrument in config.instruments:
        origin = "" if "instruments" in config.given else "  # default"
        lines += ["", f"[[instruments]]{origin}", f"symbol = {_value(instrument.symbol)}"]
        if instrument.primary_exchange:
            lines.append(f"primary_exchange = {_value(instrument.primary_exchange)}")
    return "\n".join(lines) + "\n"


def _show_table(lines: list[str], config: Config, path: str, section: Section) -> None:
    lines += ["", f"[{path}]"]
    nested: list[tuple[str, Section]] = []
    for name in section.__struct_fields__:
        value = getattr(section, name)
        if isinstance(value, Section):
            nested.append((f"{path}.{name}", value))
        elif isinstance(section, Redis) and name == "url":
            lines.append(_line(config, path, name, section.shown_url))
        else:
            lines.append(_line(config, path, name, value))
    for inner, value in nested:
        _show_table(lines, config, inner, value)


def _line(config: Config, path: str, name: str, value: object) -> str:
    if value is None:
        meaning = "every order is refused" if path == "trading.limits" else "by port"
        return f"# {name} is not set: {meaning}"
    mark = "" if _join(path, name) in config.given else "  # default"
    return f"{name} = {_value(value)}{mark}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, str):
        return msgspec.json.encode(str(value)).decode()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
