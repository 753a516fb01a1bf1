"""Every callback of the surface reaches the stock official client, with equal values in every encoding.

One walk asks a gateway for everything it serves, at each server version that the installed release can agree to. What
it is told is compared with what the newest text version tells, callback by callback, in order.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import pytest
from ibapi.wrapper import EWrapper

from tests.tws_simulator.official.official_client import NEWEST
from tests.tws_simulator.official.surface_calls import Told
from tests.tws_simulator.official.surface_walk import MONDAY_OPEN_NS, SINCE, is_known, walk

pytestmark = pytest.mark.wire

REFERENCE = 200
"""The newest version that is all text."""
TEXT_VERSIONS = (151, 176, 178, 193, 200)
MIXED_VERSIONS = (201, 203, 205, 206, 207, 208, 210, 212)
PROTOBUF_VERSIONS = (213, 226)
# A release between those takes its own newest.
VERSIONS = sorted({min(version, NEWEST) for version in (*TEXT_VERSIONS, *MIXED_VERSIONS, *PROTOBUF_VERSIONS)})

OUTSIDE: Final = {
    "bondContractDetails": "no bonds are listed",
    "deltaNeutralValidation": "no delta neutral orders",
    "displayGroupList": "display groups belong to a screen",
    "displayGroupUpdated": "display groups belong to a screen",
    "fundamentalData": "fundamental data, which newer releases removed",
    "historicalNews": "news",
    "historicalNewsEnd": "news",
    "newsArticle": "news",
    "receiveFA": "advisors' accounts",
    "replaceFAEnd": "advisors' accounts",
    "scannerData": "scanners",
    "scannerDataEnd": "scanners",
    "scannerParameters": "scanners",
    "tickEFP": "exchange for physical",
    "tickNews": "news",
    "updateNewsBulletin": "news",
    "verifyAndAuthCompleted": "verification of programs by IB",
    "verifyAndAuthMessageAPI": "verification of programs by IB",
    "verifyCompleted": "verification of programs by IB",
    "verifyMessageAPI": "verification of programs by IB",
    "wshEventData": "Wall Street Horizon's calendar",
    "wshMetaData": "Wall Street Horizon's calendar",
    "logAnswer": "not a callback: the official client's own",
    "winError": "not a callback: the official client's own",
}


class Absent:
    """In place of a value that is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()
ANY: Final = object()


@dataclass(frozen=True)
class Difference:
    """A fact of the encodings: where a field, at these versions, is not what the reference has."""

    field: str
    reason: str
    first: int = 0
    last: int = 999
    told: Any = ANY
    reference: Any = ANY

    def explains(self, version: int, field: str, told: Any, reference: Any) -> bool:
        return (
            self.holds(version)
            and field == self.field
            and (self.told is ANY or told == self.told)
            and (self.reference is ANY or reference == self.reference)
        )

    def holds(self, version: int) -> bool:
        return self.first <= version <= self.last


_RENAMED: Final = "text has the venue as primary exchange"
_NO_PLACE: Final = "text has no place for it in this message"
_NO_VALUE: Final = "text always writes something; protobuf leaves out what is not set"
_FIRST_OPEN_ORDERS, _FIRST_COMPLETED_ORDERS, _FIRST_PORTFOLIO = 203, 204, 207  # as protobuf


def _since(version: int, *fields: str) -> list[Difference]:
    """Text carries these from that version on."""
    return [Difference(field, f"exists from {version} on", last=version - 1, told=ABSENT) for field in fields]


def _protobuf_only(first: int, callback: str, *fields: str) -> list[Difference]:
    return [Difference(f"{callback}.{field}", _NO_PLACE, first=first, reference=ABSENT) for field in fields]


def _text_only(first: int, callback: str, **values: Any) -> list[Difference]:
    """What text writes where nothing is set; two underscores for a point."""
    return [
        Difference(f"{callback}.{field.replace('__', '.')}", _NO_VALUE, first=first, told=ABSENT, reference=value)
        for field, value in values.items()
    ]


_DETAILS: Final = "contractDetails.contractDetails"
_SAMPLE: Final = "symbolSamples.contractDescriptions[].contract"

DIFFERENCES: Final = (
    # What older text does not carry
    *_since(152, f"{_DETAILS}.stockType"),
    Difference("tickOptionComputation.tickAttrib", "exists from 156 on", last=155, told=None),
    Difference("error.reqId", "replaceFA carries its id from 157 on", last=156, told=-1, reference=955),
    *_since(163, f"{_DETAILS}.minSize"),
    *_since(164, f"{_DETAILS}.sizeIncrement", f"{_DETAILS}.suggestedSizeIncrement"),
    *_since(170, "openOrder.order.minCompeteSize", "openOrder.order.competeAgainstBestOffset"),
    *_since(170, "completedOrder.order.minCompeteSize", "completedOrder.order.competeAgainstBestOffset"),
    *(
        Difference(field, "two spaces and no time zone before 174", last=173)
        for field in (
            *("historicalData.bar.date", "historicalDataEnd.start", "historicalDataEnd.end"),
            "execDetails.execution.time",
        )
    ),
    *_since(176, f"{_SAMPLE}.description", f"{_SAMPLE}.issuerId"),
    *_since(182, f"{_DETAILS}.contract.lastTradeDate"),
    Difference("error.errorTime", "text tells the time of an error from 194 on", last=193, told=0),
    *_since(195, "openOrder.orderState.marginCurrency"),
    *_since(198, "openOrder.order.submitter", "completedOrder.order.submitter", "execDetails.execution.submitter"),
    # What only protobuf carries
    *_protobuf_only(
        _FIRST_OPEN_ORDERS, "openOrder",
        "order.filledQuantity", "order.shareholder", "order.routeMarketableToBbo", "order.seekPriceImprovement",
        "order.autoCancelDate", "order.whatIfType", "order.parentPermId",
        "orderState.completedTime", "orderState.completedStatus",
    ),
    *_protobuf_only(
        _FIRST_COMPLETED_ORDERS, "completedOrder",
        "order.orderId", "order.parentId", "order.adjustedOrderType", "order.usePriceMgmtAlgo",
        "order.seekPriceImprovement", "order.blockOrder", "order.triggerPrice", "order.adjustedStopPrice",
        "order.adjustedStopLimitPrice", "orderState.commissionAndFees", "orderState.commissionAndFeesCurrency",
    ),
    # What only text writes
    *_text_only(
        _FIRST_OPEN_ORDERS, "openOrder",
        contract__right="?", order__auxPrice=0.0, order__cashQty=0.0, order__deltaNeutralOpenClose="?",
    ),
    *_text_only(
        _FIRST_COMPLETED_ORDERS, "completedOrder", contract__right="?", order__auxPrice=0.0, order__cashQty=0.0
    ),
    *_text_only(_FIRST_PORTFOLIO, "updatePortfolio", contract__right="0"),
    # What is named otherwise
    *(
        Difference(f"updatePortfolio.contract.{field}", _RENAMED, first=_FIRST_PORTFOLIO)
        for field in ("primaryExchange", "exchange")
    ),
)  # fmt: skip


@cache
def recorded(version: int) -> list[Told]:
    return walk(version)


def _differences(told: Any, reference: Any, field: str) -> Iterator[tuple[str, Any, Any]]:
    """(field, told, reference); items of lists are not numbered."""
    if isinstance(told, dict) and isinstance(reference, dict):
        for name in {**reference, **told}:
            yield from _differences(told.get(name, ABSENT), reference.get(name, ABSENT), f"{field}.{name}")
    elif isinstance(told, list) and isinstance(reference, list) and len(told) == len(reference):
        for ours, theirs in zip(told, reference, strict=True):
            yield from _differences(ours, theirs, f"{field}[]")
    elif told != reference:
        yield field, told, reference


def _found(version: int) -> list[tuple[str, Any, Any]]:
    """Where the two tell differently. Callbacks that one of the versions does not know are left out."""
    known = min(version, REFERENCE)
    told, reference = ([call for call in recorded(each) if is_known(call, known)] for each in (version, REFERENCE))
    assert [name for name, _ in told] == [name for name, _ in reference]
    return [
        difference
        for (name, ours), (_, theirs) in zip(told, reference, strict=True)
        for difference in _differences(ours, theirs, name)
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_callback_of_the_surface_is_told(version: int) -> None:
    """All callbacks the release has, but those of families that are not simulated."""
    of_release = {name for name, _ in inspect.getmembers(EWrapper, inspect.isfunction) if not name.startswith("_")}
    surface = {name for name in of_release if not name.endswith("ProtoBuf") or name in SINCE} - set(OUTSIDE)
    expected = {name for name in surface if SINCE.get(name, 0) <= version}
    assert {name for name, _ in recorded(version)} == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_values_are_equal_in_every_encoding(version: int) -> None:
    """Each argument of each callback, field by field, but for the differences that are listed, which all show."""
    found = _found(version)
    unexplained = [each for each in found if not any(known.explains(version, *each) for known in DIFFERENCES)]
    assert not unexplained[:5]
    shown = [known for known in DIFFERENCES if any(known.explains(version, *each) for each in found)]
    assert [known for known in DIFFERENCES if known.holds(version)] == shown


@pytest.mark.parametrize("version", VERSIONS)
def test_errors_have_all_five_arguments(version: int) -> None:
    """A time in milliseconds, those of orders in whole seconds; no reject in JSON, for nothing here has one."""
    errors = [arguments for name, arguments in recorded(version) if name == "error"]
    assert all(len(arguments) == 5 for arguments in errors)
    assert {arguments["advancedOrderRejectJson"] for arguments in errors} == {""}
    times = {arguments["errorCode"]: arguments["errorTime"] for arguments in reversed(errors)}
    if version < 194:
        assert set(times.values()) == {0}
    else:
        assert times[2104] == MONDAY_OPEN_NS // 1_000_000
        assert {times[code] % 1000 for code in (201, 202, 399, 10167)} == {0}


def test_all_kinds_of_market_data_are_told() -> None:
    """Live, frozen, delayed, and delayed and frozen."""
    kinds = {arguments["marketDataType"] for name, arguments in recorded(REFERENCE) if name == "marketDataType"}
    assert kinds == {1, 2, 3, 4}


def test_a_walk_is_told_the_same_again() -> None:
    """Equal seeds, equal answers."""
    assert walk(REFERENCE) == recorded(REFERENCE)
