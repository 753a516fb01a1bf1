"""What the core is told once, at the start."""

from __future__ import annotations

from typing import Self

from msgspec import Struct

from ibkr_adapter import __version__
from ibkr_adapter.clock import SECOND
from ibkr_adapter.config.defaults import SIMULATED
from ibkr_adapter.config.model import Capability, Config, Limits, MarketData, MarketDataSettings, Pacing
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.windows import DEFAULT_ZONE, Window


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """A gateway we may use. ``trading`` False: data and account only, no order is sent there.

    ``username`` is a label of the login behind it, no credential: two gateways never share one. ``windows``, meant in
    ``time_zone``, are the times at which it or IB is expected to be away.
    """

    name: str
    address: str
    trading: bool = True
    username: str = ""
    time_zone: str = DEFAULT_ZONE
    windows: tuple[Window, ...] = ()

    @classmethod
    def of(cls, config: Config, name: str) -> Self:
        gateway = config.gateways[name]
        own = name == config.active.gateway
        return cls(
            name=name,
            address=gateway.address,
            trading=own if gateway.trading is None else gateway.trading,
            username=gateway.username,
            time_zone=gateway.time_zone,
            windows=gateway.windows,
        )


class Settings(Struct, frozen=True, kw_only=True):
    """``gateways``: the environment's own first, then its standby, if it has one.

    ``accounts_expected``: exactly these where given; ``account_kind`` paper, live or simulated.

    ``capabilities`` are all this component can ever do; ``trading`` is the switch, and an order needs both.
    ``absence_apart_ns``: two lists prove an absence only this far apart, because a gateway has been seen to know its
    orders late after a restart.
    ``upstream_recycle_ns`` and ``upstream_failover_ns``: how long a gateway may be without IB before the session is
    made anew, or the standby used; ``None``: for ever.
    ``data_type`` 1 accepts live quotes only, 3 live where entitled and delayed, labelled, elsewhere.
    """

    environment: str
    component: str
    version: str
    gateways: tuple[GatewaySettings, ...]
    client_id: int
    account_kind: str
    accounts_expected: tuple[str, ...] = ()
    capabilities: frozenset[Capability] = frozenset()
    trading: bool = False
    lease_required: bool = False
    paper_only: bool = False
    limits: Limits = Limits()
    instruments: tuple[Instrument, ...] = ()
    generic_ticks: str = MarketDataSettings().generic_ticks
    data_type: int = 3
    account_tags: tuple[str, ...] = (
        "AccountType",
        "NetLiquidation",
        "TotalCashValue",
        "BuyingPower",
        "AvailableFunds",
        "ExcessLiquidity",
        "InitMarginReq",
        "MaintMarginReq",
        "GrossPositionValue",
    )
    pacing: Pacing = Pacing()
    backoff_first_ns: int = 1 * SECOND
    backoff_max_ns: int = 60 * SECOND
    identify_timeout_ns: int = 10 * SECOND
    download_timeout_ns: int = 15 * SECOND
    probe_every_ns: int = 5 * SECOND
    silent_after_ns: int = 15 * SECOND
    suspect_after_ns: int = 7 * SECOND
    upstream_recycle_ns: int | None = None
    upstream_failover_ns: int | None = None
    proof_every_ns: int = 2 * SECOND
    inquiry_every_ns: int = 10 * SECOND
    absence_apart_ns: int = 10 * SECOND

    @classmethod
    def of(cls, config: Config) -> Self:
        active, identity = config.active, config.identity
        return cls(
            environment=config.environment,
            component=config.component,
            version=__version__,
            gateways=tuple(GatewaySettings.of(config, name) for name in config.usable_gateways),
            client_id=config.client_id,
            account_kind=SIMULATED if config.environment == SIMULATED else active.account_kind.value,
            accounts_expected=(active.account,) if active.account else (),
            capabilities=frozenset(identity.capabilities),
            trading=config.trading.enabled,
            lease_required=config.ha.enabled,
            paper_only=identity.paper_only,
            limits=config.trading.limits,
            upstream_recycle_ns=_ns(active.upstream_recycle_s),
            upstream_failover_ns=_ns(active.upstream_failover_s),
            instruments=config.instruments,
            pacing=config.pacing,
            generic_ticks=config.market_data.generic_ticks,
            data_type=1 if active.market_data is MarketData.LIVE_ONLY else 3,
        )

    @property
    def market_data(self) -> bool:
        return Capability.MARKET_DATA in self.capabilities

    @property
    def account(self) -> bool:
        return Capability.ACCOUNT in self.capabilities

    @property
    def orders(self) -> bool:
        return Capability.ORDERS in self.capabilities


def _ns(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * SECOND
