"""The gateway's API settings, as clients of server version 219 read them and those of 221 change them.

Only what the simulator can honour may be changed; the defaults are those of a new installation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tws_simulator.wire.values import Values

_TEXT_MAX = 200


def _fresh(*, read_only: bool, maintain_connection: bool, maintain_orders: bool, rejects_above_rate: bool) -> Values:
    return {
        "lockAndExit": {"autoLogoffTime": "11:45", "autoLogoffPeriod": "PM", "autoLogoffType": "restart"},
        "api": {
            "precautions": {
                "bypassOrderPrecautions": False,
                "bypassBondWarning": False,
                "bypassNegativeYieldConfirmation": False,
                "bypassCalledBondWarning": False,
                "bypassSameActionPairTradeWarning": False,
                "bypassFlaggedAccountsWarning": False,
                "bypassPriceBasedVolatilityWarning": False,
                "bypassRedirectOrderWarning": False,
                "bypassNoOverfillProtection": False,
                "bypassRouteMarketableToBBO": False,
            },
            "settings": {
                "readOnlyApi": read_only,
                "totalQuantityForMutualFunds": False,
                "downloadOpenOrdersOnConnection": True,
                "includeVirtualFxPositions": False,
                "prepareDailyPnL": True,
                "sendStatusUpdatesForVolatilityOrders": False,
                "encodeApiMessages": "ASCII 7",
                "socketPort": 4002,
                "useNegativeAutoRange": True,
                "createApiMessageLogFile": False,
                "includeMarketDataInLogFile": False,
                "exposeTradingScheduleToApi": False,
                "splitInsuredDepositFromCashBalance": False,
                "sendZeroPositionsForTodayOnly": False,
                "letApiAccountRequestsSwitchSubscription": False,
                "useAccountGroupsWithAllocationMethods": False,
                "loggingLevel": "error",
                "bulkDataTimeout": 30,
                "componentExchSeparator": "",
                "showForexDataIn1_10Pips": True,
                "allowForexTradingIn1_10Pips": False,
                "roundAccountValuesToNearestWholeNumber": False,
                "sendMarketDataInLotsForUsStocks": False,
                "showAdvancedOrderRejectInUi": False,
                "rejectMessagesAboveMaxRate": rejects_above_rate,
                "maintainConnectionOnIncorrectFields": maintain_connection,
                "compatibilityModeNasdaqStocks": False,
                "sendInstrumentTimezone": "instrument timezone",
                "sendForexDataInCompatibilityMode": False,
                "maintainAndResubmitOrdersOnReconnect": maintain_orders,
                "historicalDataMaxSize": 6,
                "autoReportNettingEventContractTrades": True,
                "optionExerciseRequestType": "manual",
                "allowLocalhostOnly": True,
                "trustedIPs": ["127.0.0.1"],
            },
        },
        "orders": {
            "smartRouting": {"seekPriceImprovement": False, "preOpenReroute": False, "doNotRouteToDarkPools": False}
        },
    }


_GIVEN = frozenset({"api.settings.socketPort", "api.settings.readOnlyApi", "api.settings.allowLocalhostOnly"})
"""Facts about this process; a client cannot change them."""


class Configuration:
    """``values`` are nested parts as the wire names them."""

    def __init__(
        self,
        *,
        read_only: bool = False,
        maintain_connection: bool = True,
        maintain_orders: bool = True,
        rejects_above_rate: bool = False,
    ) -> None:
        self.values = _fresh(
            read_only=read_only,
            maintain_connection=maintain_connection,
            maintain_orders=maintain_orders,
            rejects_above_rate=rejects_above_rate,
        )

    @property
    def maintains_connection(self) -> bool:
        """On which a request had incorrect fields; a client may change it."""
        return bool(self._at("api.settings.maintainConnectionOnIncorrectFields"))

    def change(self, wanted: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """The fields that changed, and what stood against it; if anything did, nothing changes."""
        asked = list(_leaves({name: part for name, part in wanted.items() if name in self.values}))
        errors = [f"{name} cannot be changed" for name, value in asked if name in _GIVEN and value != self._at(name)]
        errors += [f"{name} is too long" for name, value in asked if isinstance(value, str) and len(value) > _TEXT_MAX]
        if errors:
            return [], errors
        changed = [(name, value) for name, value in asked if self._at(name) != value]
        for name, value in changed:
            self._put(name, value)
        return [name for name, _ in changed], []

    def _at(self, name: str) -> Any:
        part: Any = self.values
        for step in name.split("."):
            part = part.get(step) if isinstance(part, dict) else None
        return part

    def _put(self, name: str, value: Any) -> None:
        *path, last = name.split(".")
        part = self.values
        for step in path:
            part = part.setdefault(step, {})
        part[last] = value


def _leaves(part: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
