"""What kind of gateway is simulated: every option, what it means, and which values it may have.

    Options(seed=7, pacing="reject")
    Options(pacing="rejcet")         # BadOption: pacing: one of "pace", "reject", "off" is expected, not "rejcet", ...

`docs/reference/simulator-options.md` is written from the words below.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Final, Literal, TypedDict, get_args, get_origin, get_type_hints

from tws_simulator.api.limits.message_rate import Pacing
from tws_simulator.api.notices.market_data import LIVE_REFUSAL_CODES
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION, OLDEST_SERVER_VERSION
from tws_simulator.world.instruments.universe import everything

LINES_MIN: Final = 100
LIST_MAX: Final = 1_000


class BadOption(ValueError):
    """Names the option, what is allowed, and what may have been meant."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}: {what}")
        self.name = name
        self.what = what


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """All are checked; a list may be given as any iterable of texts."""

    # The gateway

    seed: int = 0
    """Equal seeds give equal markets and accounts."""

    server_version: int = NEWEST_SERVER_VERSION
    """The newest version to agree to: up to 200 all messages are text, from 213 on all are protobuf."""

    clients_max: int = 32
    """How many clients may be connected; another one's connection is closed without a word."""

    read_only: bool = False
    """Orders are refused with 321, as by a gateway whose API is read-only."""

    maintain_connection: bool = True
    """A request with fields that cannot be read is dropped with 320, as since release 10.28; False closes the
    connection as well."""

    maintain_orders: bool = True
    """What reqConfig says of "maintain and resubmit orders when connection is restored", which a new installation has
    switched on. It only says so: the simulated exchange treats orders of an outage alike."""

    master_client_id: int | None = None
    """The client that is told of everybody's orders and fills."""

    # Accounts

    accounts: int = 1
    """How many accounts the login has."""

    account_interval_s: float = 180.0
    """How often an account summary that was asked for tells its changes; a real gateway takes three minutes."""

    # The market

    always_open: bool = True
    """False keeps the hours of US stocks: closed at night, on weekends and holidays."""

    symbols: tuple[str, ...] = ()
    """The stocks and funds that trade; the usual eleven when empty. What does not trade has a quote that stands."""

    entitled: bool = True
    """False is a user without any live market data: delayed prices are shown to who asks for them."""

    not_entitled: tuple[str, ...] = ()
    """Symbols without live data, where the user has it for all others."""

    live_refusal_code: int = 10089
    """The code with which live data is refused; gateways differ."""

    # Quotas

    pacing: Pacing = "pace"
    """What happens to a client that sends more messages a second than half its lines: they wait ("pace"), or are
    refused with 100 and at the third time end the connection ("reject"). "off" is no setting of IB: all are served."""

    lines_max: int = 100
    """Market data lines of all clients together; 101 above."""

    depths_max: int = 3
    """Instruments that show depth at a time; 309 above."""

    tick_by_tick_max: int = 5
    """Tick-by-tick subscriptions at a time; 10190 above."""

    tick_by_tick_pause_s: float = 15.0
    """How long nobody may ask for the same kind of ticks of the same instrument again; 10190 before."""

    historical_pacing: bool = True
    """Historical requests that come too often are refused with 162."""

    # Quirks

    accounts_after_ids: bool = False
    """nextValidId is sent before managedAccounts, an order that some gateways use."""

    double_summaries: bool = False
    """Every account summary is told twice."""

    shifting_depth: bool = False
    """Depth is told in rows that move when one is inserted or deleted, instead of rows that are updated in place."""

    late_ticks: int = 4
    """How many ticks a cancelled line or depth still tells."""

    empty_snapshots: bool = False
    """A snapshot ends without a tick."""

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, checked(field.name, getattr(self, field.name)))

    @property
    def messages_per_second(self) -> int:
        """Source: TWS API, "Pacing limitations": market data lines divided by two; no user has fewer than 100 lines."""
        return max(LINES_MIN, self.lines_max) // 2


class OptionsGiven(TypedDict, total=False):
    """The same as keyword arguments, for editors and type checkers."""

    seed: int
    server_version: int
    clients_max: int
    read_only: bool
    maintain_connection: bool
    maintain_orders: bool
    master_client_id: int | None
    accounts: int
    account_interval_s: float
    always_open: bool
    symbols: Iterable[str]
    entitled: bool
    not_entitled: Iterable[str]
    live_refusal_code: int
    pacing: Pacing
    lines_max: int
    depths_max: int
    tick_by_tick_max: int
    tick_by_tick_pause_s: float
    historical_pacing: bool
    accounts_after_ids: bool
    double_summaries: bool
    shifting_depth: bool
    late_ticks: int
    empty_snapshots: bool


_HINTS: Final[Mapping[str, Any]] = get_type_hints(Options)
OPTION_NAMES: Final = tuple(_HINTS)
BOUNDS: Final[Mapping[str, tuple[int, int]]] = {
    "server_version": (OLDEST_SERVER_VERSION, NEWEST_SERVER_VERSION),
    "clients_max": (1, 10_000),
    "master_client_id": (0, 2**31 - 1),
    "accounts": (1, 50),
    "account_interval_s": (0, 86_400),
    "lines_max": (0, 1_000_000),
    "depths_max": (0, 1_000_000),
    "tick_by_tick_max": (0, 1_000_000),
    "tick_by_tick_pause_s": (0, 86_400),
    "late_ticks": (0, 1_000),
}
"""Least and most, of the options that are numbers; a seed may be any."""


def options_of(given: Mapping[str, Any]) -> Options:
    """BadOption also for a name that is none."""
    for name in given:
        if name not in _HINTS:
            raise BadOption(name, f"no option is called so{_nearest(name, OPTION_NAMES)}")
    return Options(**given)


def checked(name: str, value: Any) -> Any:
    """The value as the option keeps it; a whole number serves as a real one, any iterable as a list."""
    hint = _HINTS[name]
    if get_origin(hint) is Literal:
        return _one_of(name, value, get_args(hint))
    if get_origin(hint) is tuple:
        return _symbols(name, value)
    if value is None and type(None) in get_args(hint):
        return None
    if hint is bool:
        if not isinstance(value, bool):
            raise BadOption(name, f"true or false is expected, not {_shown(value)}")
        return value
    if name == "live_refusal_code":
        return _one_of(name, value, sorted(LIVE_REFUSAL_CODES))
    return _number(name, value, is_whole=hint is not float)


def _number(name: str, value: Any, *, is_whole: bool) -> int | float:
    kind = "a whole number" if is_whole else "a number"
    least, most = BOUNDS.get(name, (None, None))
    range_ = "" if least is None else f" from {least} to {most}"
    is_number = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
    if not is_number or (least is not None and most is not None and not least <= value <= most):
        raise BadOption(name, f"{kind}{range_} is expected, not {_shown(value)}")
    return int(value) if is_whole else float(value)


def _one_of(name: str, value: Any, allowed: Iterable[Any]) -> Any:
    for each in allowed:
        if type(value) is type(each) and value == each:
            return each
    near = _nearest(value, [each for each in allowed if isinstance(each, str)]) if isinstance(value, str) else ""
    raise BadOption(name, f"one of {', '.join(map(_shown, allowed))} is expected, not {_shown(value)}{near}")


def _symbols(name: str, value: Any) -> tuple[str, ...]:
    """A lone text is refused: read letter by letter, it would be a list as well. A set has no order to be equal in."""
    is_list = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)
    given = tuple(value) if is_list else ()
    if not is_list or len(given) > LIST_MAX or not all(isinstance(each, str) for each in given):
        raise BadOption(name, f'a list of at most {LIST_MAX} symbols is expected, as ["SPY"], not {_shown(value)}')
    stocks_only = name == "symbols"
    known = {listing.symbol for listing in everything() if listing.sec_type == "STK" or not stocks_only}
    for symbol in given:
        if symbol not in known:
            what = "stock or fund" if stocks_only else "instrument"
            raise BadOption(name, f"no {what} is called {_shown(symbol)}{_nearest(symbol, known)}")
    return tuple(sorted(given)) if isinstance(value, Set) else given


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f', did you mean "{near[0]}"?' if near else ""


def _shown(value: Any) -> str:
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
