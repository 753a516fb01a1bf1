"""A request body becomes a ``PlaceOrder``, or an ``InvalidRequest`` that names the field."""

from __future__ import annotations

import difflib
import re
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Action, OrderTerms, OrderType, PlaceOrder, TimeInForce
from ibkr_adapter.config import Config
from ibkr_adapter.errors import ExitCode, InvalidRequest
from ibkr_adapter.ids import new_key
from ibkr_adapter.instruments import Instrument

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_ACCOUNT = re.compile(r"[A-Z0-9]{0,16}")
EXPIRES_S_MAX: Final = 60


class UnknownSymbol(InvalidRequest):
    exit_code = ExitCode.UNKNOWN_SYMBOL


class OrderForm(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /v1/orders``. Without ``idempotency_key`` a repeat is a second order."""

    symbol: str
    action: Action
    quantity: Decimal
    order_type: OrderType = OrderType.LIMIT
    limit_price: Decimal | None = None
    tif: TimeInForce = TimeInForce.DAY
    idempotency_key: str = ""
    account: str = ""
    expires_in_s: float | None = None


_DECODER = msgspec.json.Decoder(OrderForm, strict=True)


def place_order(body: bytes, config: Config, actor: str, now_ns: int) -> PlaceOrder:
    """The command in ``body``; its keys are made here, its time is ``now_ns``."""
    form = _decode(body)
    _check(form)
    expires_s = form.expires_in_s if form.expires_in_s is not None else float(config.trading.command_ttl_s)
    return PlaceOrder(
        command_id=new_key(),
        actor=actor,
        ts_recv_ns=now_ns,
        idempotency_key=form.idempotency_key or new_key(),
        order_key=new_key(),
        terms=OrderTerms(
            instrument=_instrument(form.symbol, config),
            action=form.action.value,
            order_type=form.order_type.value,
            quantity=form.quantity,
            limit_price=form.limit_price,
            tif=form.tif.value,
            account=form.account,
        ),
        expires_at_ns=now_ns + int(expires_s * SECOND),
    )


def _decode(body: bytes) -> OrderForm:
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        named = re.search(r"(?:unknown|required) field `([^`]{1,40})`", message)
        name = path.strip("`").removeprefix("$.") or (named[1] if named else "body")
        raise InvalidRequest(name, message[:1].lower() + message[1:].replace("`", ""), remedy=_remedy(name)) from None
    except (msgspec.DecodeError, ValueError, ArithmeticError, RecursionError):
        raise InvalidRequest("body", "this is not JSON", remedy="send a JSON object, UTF-8") from None


def _remedy(name: str) -> str:
    choices = {"action": Action, "order_type": OrderType, "tif": TimeInForce}.get(name)
    if choices is not None:
        return f"one of {', '.join(choices)}"
    known = OrderForm.__struct_fields__
    if name in known:
        return ""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known)}"


def _check(form: OrderForm) -> None:
    if not (form.quantity.is_finite() and form.quantity > 0 and -8 <= form.quantity.adjusted() <= 9):
        raise InvalidRequest("quantity", "not a number of shares", remedy="above 0, the action says buy or sell")
    if form.order_type is OrderType.LIMIT and form.limit_price is None:
        raise InvalidRequest("limit_price", "missing", remedy="a limit order needs one; else order_type MKT")
    if form.order_type is OrderType.MARKET and form.limit_price is not None:
        raise InvalidRequest("limit_price", "a market order has none", remedy="remove it, or order_type LMT")
    price = form.limit_price
    if price is not None and not (price.is_finite() and price > 0 and -8 <= price.adjusted() <= 7):
        raise InvalidRequest("limit_price", "not a price", remedy="above 0, in dollars")
    if form.idempotency_key and not _KEY.fullmatch(form.idempotency_key):
        raise InvalidRequest("idempotency_key", "not usable", remedy="up to 64 letters, digits and . _ : -")
    if not _ACCOUNT.fullmatch(form.account):
        raise InvalidRequest("account", "not an account number", remedy="in full, as IB writes it, or leave it out")
    if form.expires_in_s is not None and not 0 < form.expires_in_s <= EXPIRES_S_MAX:
        raise InvalidRequest("expires_in_s", "out of range", remedy=f"above 0, at most {EXPIRES_S_MAX} seconds")


def _instrument(symbol: str, config: Config) -> Instrument:
    known = {instrument.key: instrument for instrument in config.instruments}
    if symbol in known:
        return known[symbol]
    close = difflib.get_close_matches(symbol.upper()[:20], known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}? " if close else ""
    raise UnknownSymbol("symbol", f"{symbol[:20]!a} is not configured", remedy=f"{hint}served here: {', '.join(known)}")
