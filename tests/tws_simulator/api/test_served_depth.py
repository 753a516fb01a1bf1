"""Market depth, as a client is told it: rows as changes of two lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, codes, gateway_core, names, of
from tws_simulator.api.core import GatewayCore
from tws_simulator.api.streams import book
from tws_simulator.api.streams import depth_rows as depth
from tws_simulator.api.streams.depth import KIND, DepthStream
from tws_simulator.wire.row import Message

ISLAND = {**AAPL, "exchange": "ISLAND"}
ARCA = {**AAPL, "exchange": "ARCA"}
SPY = {**AAPL, "conId": 756733, "symbol": "SPY"}
QQQ = {**AAPL, "conId": 320227571, "symbol": "QQQ"}
IWM = {**AAPL, "conId": 9579970, "symbol": "IWM"}


class Reader:
    """A client that applies each row to its lists, and looks at them after each."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.sides: dict[int, list[tuple[float, int, str]]] = {depth.BID: [], depth.ASK: []}

    def read(self, messages: list[Message]) -> None:
        for each in messages:
            if each.name == "error" and each["errorCode"] == 317:
                self.sides = {depth.BID: [], depth.ASK: []}
            elif each.name.startswith("updateMktDepth"):
                self.apply(each["marketDepthData"])
                self.expect_order()

    def apply(self, row: dict[str, Any]) -> None:
        side = self.sides[row["side"]]
        at, held = row["position"], (row["price"], int(row["size"]), row.get("marketMaker", ""))
        match row["operation"]:
            case depth.INSERT:
                assert 0 <= at <= len(side)
                side.insert(at, held)
            case depth.UPDATE:
                side[at] = held
            case depth.DELETE:
                del side[at]

    def expect_order(self) -> None:
        bids, asks = ([row[0] for row in self.sides[side]] for side in (depth.BID, depth.ASK))
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert not bids or not asks or bids[0] < asks[0]
        assert max(len(bids), len(asks)) <= self.rows


def _expected(core: GatewayCore, rows: int) -> dict[int, list[tuple[float, int, str]]]:
    bids, asks = book.sides(core.state.world, AAPL["conId"], rows)
    return {depth.BID: bids, depth.ASK: asks}


def _depth(messages: list[Message], req_id: int) -> list[Message]:
    return [each for each in messages if each.name.startswith("updateMktDepth") and each["reqId"] == req_id]


@pytest.mark.parametrize("shifting", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 20])
def test_a_reader_always_holds_the_true_book(rows: int, shifting: bool) -> None:
    """After each step of a minute; and after each single row it is sorted, uncrossed and no longer than asked for."""
    core = gateway_core(shifting_depth=shifting)
    client, reader = ScriptedClient(core), Reader(rows)
    reader.read(client.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=rows, isSmartDepth=True))
    assert reader.sides == _expected(core, rows)
    assert len(reader.sides[depth.BID]) == rows
    for _ in range(240):
        core.advance(core.state.now_ns + SECOND // 4)
        reader.read(client.replies())
        assert reader.sides == _expected(core, rows)


def test_an_order_that_rests_behind_the_quote_is_in_the_book() -> None:
    """Its size appears at its price, though no quote changed, and goes with it."""
    core = gateway_core()
    client, reader = ScriptedClient(core), Reader(10)
    reader.read(client.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=10, isSmartDepth=True))
    price = round(core.state.world.quote(AAPL["conId"]).bid - 0.03, 2)
    size = 12_300
    order = {"action": "BUY", "totalQuantity": Decimal(size), "orderType": "LMT", "lmtPrice": price, "tif": "DAY"}
    order["transmit"] = True
    reader.read(client.ask("placeOrder", orderId=1, contract=AAPL, order=order))
    shown = []
    for step in range(40):
        if step == 20:
            reader.read(client.ask("cancelOrder", orderId=1))
        core.advance(core.state.now_ns + SECOND // 50)
        reader.read(client.replies())
        assert reader.sides == _expected(core, 10)
        shown.append(any(row[0] == price and row[1] >= size for row in reader.sides[depth.BID]))
    assert shown[19]
    assert not shown[-1]


PRICES = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from(["NASDAQ", "ARCA"])), unique=True, min_size=0, max_size=8
)


def _sides(bids: list[tuple[int, str]], asks: list[tuple[int, str]]) -> tuple[book.Side, book.Side]:
    return (
        [(float(tick), 100 + tick, venue) for tick, venue in sorted(bids, reverse=True)],
        [(float(tick + 30), 100, venue) for tick, venue in sorted(asks)],
    )


@given(PRICES, PRICES, PRICES, PRICES, st.integers(-25, 25), st.booleans())
def test_steps_lead_from_any_book_to_any_other_in_good_order(
    old_bids: list[tuple[int, str]],
    old_asks: list[tuple[int, str]],
    new_bids: list[tuple[int, str]],
    new_asks: list[tuple[int, str]],
    shift: int,
    shifting: bool,
) -> None:
    """However far prices jump, past the other side's old ones too; and without a change there is no row."""
    old = _sides(old_bids, old_asks)
    new = tuple([(price + shift, size, venue) for price, size, venue in side] for side in _sides(new_bids, new_asks))
    reader = Reader(8)
    told = depth.steps(old, (new[0], new[1]), shifting=shifting)
    for step in (*depth.steps(([], []), old, shifting=shifting), *told):
        price, size, venue = step.row or (0.0, 0, "")
        where = {"position": step.position, "operation": step.operation, "side": step.side}
        reader.apply({**where, "price": price, "size": size, "marketMaker": venue})
        reader.expect_order()
    assert (reader.sides[depth.BID], reader.sides[depth.ASK]) == new
    assert list(depth.steps((new[0], new[1]), (new[0], new[1]), shifting=shifting)) == []


def test_shifting_rows_are_as_few_as_the_change() -> None:
    """A new price in the middle is one insertion, where rows that stay in place are all overwritten behind it."""
    old: book.Side = [(10.0, 1, "ARCA"), (9.0, 1, "ARCA"), (8.0, 1, "ARCA")]
    new: book.Side = [(10.0, 1, "ARCA"), (9.5, 2, "BATS"), (9.0, 1, "ARCA"), (8.0, 1, "ARCA")]
    inserted = [depth.Operation(1, depth.INSERT, depth.BID, new[1])]
    assert list(depth.steps((old, []), (new, []), shifting=True)) == inserted
    assert [step.operation for step in depth.steps((old, []), (new, []))] == [depth.UPDATE, depth.UPDATE, depth.INSERT]
    gone = [depth.Operation(1, depth.DELETE, depth.BID, None)]
    assert list(depth.steps((new, []), (old, []), shifting=True)) == gone


def test_a_row_that_takes_the_place_of_another_is_one_row() -> None:
    """An update, not a deletion and an insertion."""
    old: book.Side = [(10.0, 1, "ARCA"), (9.0, 1, "ARCA"), (8.0, 1, "ARCA")]
    new: book.Side = [(10.0, 1, "ARCA"), (9.5, 2, "BATS"), (8.0, 1, "ARCA")]
    assert list(depth.steps((old, []), (new, []))) == [depth.Operation(1, depth.UPDATE, depth.BID, new[1])]


def test_smart_depth_names_its_venues_and_inserts_row_by_row() -> None:
    """2152 as a notice, then rows at positions 0, 1, 2 on alternating sides, each with its venue."""
    told = ScriptedClient(gateway_core()).ask("reqMktDepth", reqId=1, contract=AAPL, numRows=3, isSmartDepth=True)
    assert codes(told) == [(1, 2152)]
    assert told[0]["errorMsg"].startswith("Exchanges - Depth: IEX; BATS; ARCA; ISLAND; BEX; NYSE; Top: ")
    rows = [each["marketDepthData"] for each in of(told, "updateMktDepthL2")]
    assert [(row["position"], row["side"]) for row in rows] == [(0, 1), (0, 0), (1, 1), (1, 0), (2, 1), (2, 0)]
    assert {(row["operation"], row["isSmartDepth"]) for row in rows} == {(0, True)}
    assert all(row["marketMaker"] and row["size"] > 0 for row in rows)


def test_the_book_of_one_venue_is_plain() -> None:
    """12 without a venue; NASDAQ's rows name a market maker, under either of its names."""
    client = ScriptedClient(gateway_core())
    plain = client.ask("reqMktDepth", reqId=1, contract=ARCA, numRows=4)
    assert set(names(plain)) == {"updateMktDepth"}
    named = client.ask("reqMktDepth", reqId=2, contract=ISLAND, numRows=4)
    assert set(names(named)) == {"updateMktDepthL2"}
    row = named[0]["marketDepthData"]
    assert (row["marketMaker"], row["isSmartDepth"]) == ("NSDQ", False)
    assert len(plain) == len(named) == 8


def test_smart_without_the_flag_is_not_supported() -> None:
    """10092, and no subscription."""
    client = ScriptedClient(gateway_core())
    assert codes(client.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=5)) == [(1, 10092)]
    assert codes(client.ask("cancelMktDepth", reqId=1)) == [(1, 310)]


def test_three_instruments_may_show_depth_over_all_clients() -> None:
    """309 for a fourth; another book of one that is shown is no new one; a cancel makes room."""
    core = gateway_core()
    one, two = ScriptedClient(core, 1), ScriptedClient(core, 2)
    one.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=5, isSmartDepth=True)
    one.ask("reqMktDepth", reqId=2, contract=SPY, numRows=5, isSmartDepth=True)
    two.ask("reqMktDepth", reqId=1, contract=QQQ, numRows=5, isSmartDepth=True)
    refused = two.ask("reqMktDepth", reqId=2, contract=IWM, numRows=5, isSmartDepth=True)
    assert codes(refused) == [(2, 309)]
    assert refused[0]["errorMsg"] == "Max number (3) of market depth requests has been reached"
    assert codes(two.ask("reqMktDepth", reqId=3, contract=ARCA, numRows=5)) == []
    one.ask("cancelMktDepth", reqId=2, isSmartDepth=True)
    assert codes(two.ask("reqMktDepth", reqId=2, contract=IWM, numRows=5, isSmartDepth=True)) == [(2, 2152)]


def test_rows_that_were_on_their_way_come_after_a_cancel() -> None:
    """A few updates of the book, before the answer to anything later; then nothing, and 310 for another cancel."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=5, isSmartDepth=True)
    late = client.ask("cancelMktDepth", reqId=1, isSmartDepth=True)
    assert [each["marketDepthData"]["operation"] for each in late] == [depth.UPDATE] * 4
    core.advance(core.state.now_ns + 10 * SECOND)
    assert client.replies() == []
    assert codes(client.ask("cancelMktDepth", reqId=1, isSmartDepth=True)) == [(1, 310)]


@pytest.mark.parametrize(("contract", "smart"), [(AAPL, True), (ARCA, False)])
def test_a_cancel_with_the_other_flag_finds_nothing(contract: dict[str, Any], smart: bool) -> None:
    """310, and the rows go on."""
    client = ScriptedClient(gateway_core())
    client.ask("reqMktDepth", reqId=1, contract=contract, numRows=5, isSmartDepth=smart)
    assert codes(client.ask("cancelMktDepth", reqId=1, isSmartDepth=not smart)) == [(1, 310)]
    client.until(lambda each: each.name.startswith("updateMktDepth"))


def test_after_a_reset_the_reader_starts_from_nothing() -> None:
    """317, then the whole book as insertions; the subscription goes on."""
    core = gateway_core()
    client, reader = ScriptedClient(core), Reader(5)
    reader.read(client.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=5, isSmartDepth=True))
    stream = client.session.streams[KIND, 1]
    assert isinstance(stream, DepthStream)
    stream.reset()
    core.advance(core.state.now_ns + SECOND)
    told = client.replies()
    assert codes(told) == [(1, 317)]
    assert [each["marketDepthData"]["operation"] for each in _depth(told, 1)] == [depth.INSERT] * 10
    reader.read(told)
    for _ in range(20):
        core.advance(core.state.now_ns + SECOND)
        reader.read(client.replies())
        assert reader.sides == _expected(core, 5)


def test_a_halt_ends_the_subscription() -> None:
    """316, nothing more, and the id is free."""
    core = gateway_core()
    client = ScriptedClient(core)
    client.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=5, isSmartDepth=True)
    stream = client.session.streams[KIND, 1]
    assert isinstance(stream, DepthStream)
    stream.halt()
    core.advance(core.state.now_ns + 10 * SECOND)
    told = client.replies()
    assert codes(told) == [(1, 316)]
    assert len(told) == 1
    assert codes(client.ask("reqMktDepth", reqId=1, contract=AAPL, numRows=5, isSmartDepth=True)) == [(1, 2152)]


def test_depth_needs_a_subscription_and_a_free_id() -> None:
    """354 for a symbol without live data, 102 for an id in use, 200 for what does not exist."""
    client = ScriptedClient(gateway_core(not_entitled=frozenset({"SPY"})))
    assert codes(client.ask("reqMktDepth", reqId=1, contract=SPY, numRows=5, isSmartDepth=True)) == [(1, 354)]
    client.ask("reqMktDepth", reqId=1, contract=ARCA, numRows=5)
    assert codes(client.ask("reqMktDepth", reqId=1, contract=ARCA, numRows=5)) == [(1, 102)]
    unknown = {**AAPL, "conId": 0, "symbol": "NOSUCH"}
    assert codes(client.ask("reqMktDepth", reqId=2, contract=unknown, numRows=5, isSmartDepth=True)) == [(2, 200)]


def test_the_best_row_is_the_quote() -> None:
    """Of the book of all venues."""
    core = gateway_core()
    told = ScriptedClient(core).ask("reqMktDepth", reqId=1, contract=AAPL, numRows=1, isSmartDepth=True)
    quote = core.state.world.quote(AAPL["conId"])
    bid, ask = (each["marketDepthData"] for each in of(told, "updateMktDepthL2"))
    assert (bid["price"], bid["size"]) == (quote.bid, Decimal(quote.bid_size))
    assert (ask["price"], ask["size"]) == (quote.ask, Decimal(quote.ask_size))
