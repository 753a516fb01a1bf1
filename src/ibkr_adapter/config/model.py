"""What a configuration is: frozen tables, and the small questions that are asked of them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from msgspec import Struct

from ibkr_adapter.config.secrets import Reference
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.windows import DEFAULT_ZONE, Window


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

    ``standby``: the gateway to fail over to; empty: none. A gateway that has lost IB for ``upstream_recycle_s`` is
    connected to anew, and after ``upstream_failover_s`` its standby is used instead; unset: never.
    ``packages``: releases of the official client allowed here; empty allows every supported one.
    """

    account_kind: AccountKind = AccountKind.PAPER
    account: str = ""
    gateway: str = "primary"
    standby: str = ""
    upstream_recycle_s: int | None = None
    upstream_failover_s: int | None = None
    market_data: MarketData = MarketData.LIVE_OR_DELAYED
    packages: tuple[str, ...] = ()


class Tls(Section, frozen=True, kw_only=True):
    """How a gateway's connection is encrypted; paths are absolute.

    ``ca``: the authorities to trust, or those of the system. ``certificate`` and ``key`` are ours, for a peer that asks
    for them; ``key_password`` opens the key where it is locked. ``server_name``: the name in the peer's certificate,
    where it is not the host. ``fingerprint``: SHA-256 of the one certificate that is accepted, besides all else.
    """

    ca: str = ""
    system_ca: bool = False
    certificate: str = ""
    key: str = ""
    key_password: Reference = Reference()
    server_name: str = ""
    fingerprint: str = ""


class Gateway(Section, frozen=True, kw_only=True):
    """``kind`` is needed only where the port is none of IB's defaults and the account is live.

    ``username`` names the login behind the gateway, so that a standby is known to have its own: a label, no credential.
    ``trading``: whether orders may go there; left out, they may at an environment's own gateway and not at a standby.
    ``windows`` are meant in ``time_zone``.
    """

    host: str = "127.0.0.1"
    port: int
    kind: AccountKind | None = None
    username: str = ""
    trading: bool | None = None
    time_zone: str = DEFAULT_ZONE
    windows: tuple[Window, ...] = ()
    tls: Tls | None = None

    @property
    def address(self) -> str:
        return address_of(self.host, self.port)


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


class MarketDataSettings(Section, frozen=True, kw_only=True):
    """``generic_ticks`` as IB writes them."""

    generic_ticks: str = "233"


class Pacing(Section, frozen=True, kw_only=True):
    """Messages a second, in any tenth of a second, and the login's market-data lines, depths, tick-by-tick.

    ``messages_reserved`` come on top of ``messages_max`` and are for cancels alone.
    """

    messages_max: int = 45
    messages_reserved: int = 5
    messages_burst: int = 5
    lines: int = 100
    depth: int = 3
    tick_by_tick: int = 5


class Http(Section, frozen=True, kw_only=True):
    """``hosts``: names under which a browser may reach the page, besides the loopback ones and the address itself.

    ``token``: what allows changes; where it is not given one is made at each start.
    """

    listen: str = "127.0.0.1:8080"
    hosts: tuple[str, ...] = ()
    token: Reference = Reference()

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
    """``url`` may hold a password, though ``password`` is its place: print ``shown_url`` instead."""

    url: str = ""
    password: Reference = Reference()
    prefix: str = ""

    @property
    def shown_url(self) -> str:
        return redact_url(self.url)

    def __repr__(self) -> str:
        return f"Redis(url={self.shown_url!r}, password={str(self.password)!r}, prefix={self.prefix!r})"

    def __rich_repr__(self) -> Any:
        yield "url", self.shown_url
        yield "password", str(self.password)
        yield "prefix", self.prefix


class VaultAuth(StrEnum):
    APPROLE = "approle"
    TOKEN = "token"  # noqa: S105 - the name of a method


class Vault(Section, frozen=True, kw_only=True):
    """``mount`` of the KV engine, version 2. ``ttl_s``: how long a value is used after it was last read."""

    url: str = ""
    auth: VaultAuth = VaultAuth.APPROLE
    role_id: Reference = Reference()
    secret_id: Reference = Reference()
    token: Reference = Reference()
    mount: str = "secret"
    namespace: str = ""
    ca: str = ""
    timeout_s: Decimal = Decimal(5)
    ttl_s: int = 3_600


class Ha(Section, frozen=True, kw_only=True):
    """Two or more machines that share a client id, one of which has it at a time, by a lease in Redis.

    ``lease_ttl_s``: within this time of a machine's death another has taken over. ``name``: what the others call us;
    empty: the host's name.
    """

    enabled: bool = False
    lease_ttl_s: Decimal = Decimal(15)
    name: str = ""


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
    pacing: Pacing
    instruments: tuple[Instrument, ...]
    http: Http
    store: Store
    journal: Journal
    redis: Redis
    ha: Ha = Ha()
    vault: Vault
    message_codes: str
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
    def usable_gateways(self) -> tuple[str, ...]:
        """Names: the environment's own gateway, then its standby, if it has one."""
        return tuple(name for name in (self.active.gateway, self.active.standby) if name)

    @property
    def usable_addresses(self) -> list[str]:
        return [self.gateways[name].address for name in self.usable_gateways]

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


def address_of(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
