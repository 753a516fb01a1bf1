"""The switch for trading and its limits: a missing one refuses."""

from __future__ import annotations

from msgspec.structs import replace

from ibkr_adapter.config.defaults import PAPER_LIMITS
from ibkr_adapter.config.model import AccountKind, Capability, Component, Environment, Trading
from ibkr_adapter.errors import ConfigurationError


def trading_of(trading: Trading, environment: Environment, component: Component, warnings: list[str]) -> Trading:
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
