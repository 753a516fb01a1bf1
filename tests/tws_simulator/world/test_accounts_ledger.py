"""The simulated account's books."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tws_simulator.world.accounts.ledger import Ledger, LedgerFull
from tws_simulator.world.accounts.opening import OPENING_CASH_USD, account_for, opening_positions
from tws_simulator.world.accounts.records import Execution, Placement, PlacementKind, Position

SPY, AAPL = 756733, 265598
SYMBOLS = {SPY: "SPY", AAPL: "AAPL"}


def execution(number: int, con_id: int, side: str, shares: str, price: str) -> Execution:
    return Execution(
        exec_id=f"0000e0d5.{number:08x}.01.01",
        perm_id=1,
        client_id=1,
        order_id=1,
        order_ref="",
        account="DU1234567",
        con_id=con_id,
        symbol=SYMBOLS[con_id],
        exchange="ARCA",
        side=side,
        shares=Decimal(shares),
        price=Decimal(price),
        cum_qty=Decimal(shares),
        avg_price=Decimal(price),
        liquidity=2,
        ts_ns=number,
    )


def placement(order_id: int, order_ref: str, kind: PlacementKind) -> Placement:
    return Placement(
        ts_ns=0,
        client_id=7,
        order_id=order_id,
        order_ref=order_ref,
        con_id=SPY,
        action="BUY",
        order_type="MKT",
        quantity=Decimal(1),
        limit_price=None,
        kind=kind,
    )


fills = st.lists(
    st.tuples(
        st.sampled_from([SPY, AAPL]),
        st.sampled_from(["BOT", "SLD"]),
        st.integers(1, 1000),
        st.decimals("0.01", "900", places=2),
        st.decimals("0", "5", places=4),
    ),
    max_size=30,
)
marks = st.fixed_dictionaries({con_id: st.decimals("0.01", "900", places=2) for con_id in SYMBOLS})


@given(fills, marks)
def test_the_books_always_balance(trades, marks):
    """Cash, cost and profit agree to the last digit after any trades, at any prices.

    cash = start - flows - commissions; cash + cost = start + realised; equity = start + daily profit;
    daily = realised + unrealised.
    """
    ledger = Ledger("DU1234567", positions=opening_positions())
    start_cash, start_cost = ledger.cash_usd, sum(position.cost_usd for position in ledger.positions())
    for number, (con_id, side, shares, price, commission) in enumerate(trades):
        ledger.apply(execution(number, con_id, side, str(shares), str(price)), commission)

    signed = [(each, each.shares if each.side == "BOT" else -each.shares) for each in ledger.executions]
    flows = sum(shares * each.price for each, shares in signed)
    costs = sum(report.commission_usd for report in ledger.commissions.values())
    realized = sum(report.realized_pnl_usd or 0 for report in ledger.commissions.values())
    assert ledger.cash_usd == start_cash - flows - costs
    assert ledger.cash_usd + sum(each.cost_usd for each in ledger.positions()) == start_cash + start_cost + realized

    pnl = ledger.pnl(marks)
    assert ledger.margins(marks).equity_usd == start_cash + start_cost + pnl.daily_usd
    assert (pnl.realized_usd or 0) == realized
    assert pnl.daily_usd == realized + pnl.unrealized_usd
    each = [ledger.pnl_single(position.con_id, marks) for position in ledger.positions()]
    assert sum(one.daily_usd for one in each if one) == pnl.daily_usd
    for con_id in SYMBOLS:
        held = sum(shares for trade, shares in signed if trade.con_id == con_id) + (100 if con_id == SPY else 0)
        position = ledger.position(con_id)
        assert (position.shares if position else 0) == held
        assert position is None or position.shares or position.cost_usd == 0


def test_opening_trades_realise_nothing():
    """No realised profit is reported for a fill that closes nothing, long or short."""
    ledger = Ledger("DU1234567")
    assert ledger.apply(execution(1, SPY, "BOT", "10", "600"), Decimal("0.35")).realized_pnl_usd is None
    assert ledger.apply(execution(2, SPY, "BOT", "10", "601"), Decimal("0.35")).realized_pnl_usd is None
    assert ledger.apply(execution(3, AAPL, "SLD", "10", "200"), Decimal("0.35")).realized_pnl_usd is None
    assert ledger.pnl({}).realized_usd is None


def test_average_cost_includes_commissions():
    """As at IB, cost per share is what was paid for it, commission included."""
    ledger = Ledger("DU1234567")
    ledger.apply(execution(1, SPY, "BOT", "100", "600"), Decimal("1.00"))
    position = ledger.position(SPY)
    assert position is not None
    assert position.average_cost_usd == Decimal("600.01")


def test_closing_realises_the_difference_after_both_commissions():
    """Buy 100 at 600, sell 40 at 610, a dollar each time: 400 less a dollar less 40 % of the other."""
    ledger = Ledger("DU1234567")
    ledger.apply(execution(1, SPY, "BOT", "100", "600"), Decimal(1))
    report = ledger.apply(execution(2, SPY, "SLD", "40", "610"), Decimal(1))
    assert report.realized_pnl_usd == Decimal("398.60")


def test_a_trade_through_zero_closes_and_opens():
    """Selling 30 with 10 long closes 10 and leaves 20 short; the commission is split by shares."""
    ledger = Ledger("DU1234567")
    ledger.apply(execution(1, AAPL, "BOT", "10", "200"), Decimal(0))
    report = ledger.apply(execution(2, AAPL, "SLD", "30", "210"), Decimal(3))
    position = ledger.position(AAPL)
    assert position is not None
    assert report.realized_pnl_usd == Decimal(99)
    assert (position.shares, position.average_cost_usd) == (Decimal(-20), Decimal("209.9"))


def test_a_closed_position_is_shown_until_the_day_ends():
    """As captured: 0 shares at cost 0 after a round trip, gone the next day."""
    ledger = Ledger("DU1234567")
    ledger.apply(execution(1, AAPL, "BOT", "3", "200"), Decimal("0.35"))
    ledger.apply(execution(2, AAPL, "SLD", "3", "201"), Decimal("0.35"))
    assert [(each.symbol, each.shares, each.average_cost_usd) for each in ledger.positions()] == [("AAPL", 0, 0)]
    ledger.start_day({AAPL: Decimal(200)})
    assert ledger.positions() == []
    assert ledger.pnl_single(AAPL, {}) is None


def test_daily_profit_starts_again_each_day():
    """A new day counts from its first valuation, and has realised nothing yet."""
    ledger = Ledger("DU1234567", positions=opening_positions())
    ledger.apply(execution(1, SPY, "SLD", "50", "650"), Decimal("0.35"))
    ledger.start_day({SPY: Decimal(660)})
    assert ledger.pnl({SPY: Decimal(660)}).daily_usd == 0
    pnl = ledger.pnl_single(SPY, {SPY: Decimal(661)})
    assert pnl is not None
    assert (pnl.daily_usd, pnl.realized_usd, pnl.shares, pnl.value_usd) == (50, None, 50, 33050)
    assert pnl.unrealized_usd == 50 * (661 - 640)


def test_an_execution_is_booked_once():
    """Booking the same exec_id again is a defect of the simulator, not a second fill."""
    ledger = Ledger("DU1234567")
    ledger.apply(execution(1, SPY, "BOT", "1", "600"), Decimal(0))
    with pytest.raises(AssertionError):
        ledger.apply(execution(1, SPY, "BOT", "1", "600"), Decimal(0))
    assert len(ledger.executions) == 1


def corrected(wrong: Execution, shares: str, price: str) -> Execution:
    return replace(wrong, exec_id=f"{wrong.exec_id[:-1]}2", shares=Decimal(shares), price=Decimal(price))


@given(fills, st.data(), marks)
def test_a_correction_leaves_the_books_as_if_it_had_been_so_from_the_start(trades, data, marks):
    """Cash, cost, positions and the day's profit are those of books that never saw the wrong execution."""
    number = data.draw(st.integers(0, len(trades) - 1)) if trades else None
    shares, price = data.draw(st.integers(0, 1000)), data.draw(st.decimals("0.01", "900", places=2))
    ledger, right = (Ledger("DU1234567", positions=opening_positions()) for _ in range(2))
    for each, (con_id, side, count, at, commission) in enumerate(trades):
        ledger.apply(execution(each, con_id, side, str(count), str(at)), commission)
        if each == number:
            right.apply(execution(each, con_id, side, str(shares), str(price)), commission if shares else Decimal(0))
        else:
            right.apply(execution(each, con_id, side, str(count), str(at)), commission)
    if number is not None:
        wrong = ledger.executions[number]
        report = ledger.correct(wrong, corrected(wrong, str(shares), str(price)))
        assert report.commission_usd == right.commissions[wrong.exec_id].commission_usd
    assert ledger.cash_usd == right.cash_usd
    assert ledger.positions() == right.positions()
    assert ledger.pnl(marks) == right.pnl(marks)


def test_a_correction_is_appended_and_what_it_corrects_counts_no_more():
    """Whoever asks for what came since misses nothing and is told nothing twice."""
    ledger = Ledger("DU1234567")
    for number in (1, 2):
        ledger.apply(execution(number, SPY, "BOT", "10", "600"), Decimal("0.35"))
    first, second = ledger.executions
    now = corrected(first, "4", "601")
    ledger.correct(first, now)
    assert ledger.executions == [first, second, now]
    assert ledger.standing() == [second, now]
    assert ledger.standing(since=2) == [now]
    assert ledger.bookings == 3
    with pytest.raises(AssertionError):
        ledger.correct(first, replace(now, exec_id="other"))


def test_an_execution_of_an_earlier_day_can_be_corrected():
    """Cash and shares follow; the profit of the day that is over stays what it was told to be."""
    ledger = Ledger("DU1234567")
    ledger.apply(execution(1, SPY, "BOT", "10", "600"), Decimal("0.35"))
    ledger.start_day({SPY: Decimal(600)})
    ledger.correct(ledger.executions[0], corrected(ledger.executions[0], "0", "600"))
    position = ledger.position(SPY)
    assert position is not None
    assert (position.shares, position.cost_usd, ledger.cash_usd) == (0, 0, OPENING_CASH_USD)


def test_a_transfer_changes_the_position_and_no_list():
    """Shares come at a price, and nobody is told why."""
    ledger = Ledger("DU1234567")
    ledger.transfer(execution(1, AAPL, "BOT", "100", "200"))
    position = ledger.position(AAPL)
    assert position is not None
    assert (position.shares, position.average_cost_usd) == (100, 200)
    assert (ledger.cash_usd, ledger.executions, ledger.bookings) == (OPENING_CASH_USD - 20_000, [], 1)


def test_account_summary_of_the_opening_state():
    """100 SPY and a million dollars, in IB's tags and form: strings with cents, a currency for money only."""
    ledger = Ledger("DU1234567", positions=opening_positions())
    rows = ledger.summary({SPY: Decimal("650.00")})
    assert [row.tag for row in rows] == sorted(row.tag for row in rows)
    assert {
        ("AccountType", "INDIVIDUAL", ""),
        ("NetLiquidation", "1065000.00", "USD"),
        ("TotalCashValue", "1000000.00", "USD"),
        ("GrossPositionValue", "65000.00", "USD"),
        ("InitMarginReq", "16250.00", "USD"),
        ("MaintMarginReq", "16250.00", "USD"),
        ("AvailableFunds", "1048750.00", "USD"),
        ("ExcessLiquidity", "1048750.00", "USD"),
        ("BuyingPower", "4195000.00", "USD"),
        ("PreviousDayEquityWithLoanValue", "1064000.00", "USD"),
        ("Cushion", "0.984742", ""),
    } <= {(row.tag, row.value, row.currency) for row in rows}


def test_a_position_without_a_mark_is_worth_its_cost():
    """An instrument that the market does not quote makes no profit and breaks nothing."""
    ledger = Ledger("DU1234567", positions=[Position(con_id=1, symbol="X", shares=Decimal(3), cost_usd=Decimal(10))])
    assert ledger.pnl({}).unrealized_usd == 0
    assert ledger.margins({}).equity_usd == Decimal(1_000_010)


def test_every_placement_is_counted():
    """The oracle of exactly-once tests: by reference, by id, and by what became of it."""
    ledger = Ledger("DU1234567")
    ledger.record(placement(1, "a", PlacementKind.NEW))
    ledger.record(placement(1, "a", PlacementKind.MODIFY))
    ledger.record(placement(2, "b", PlacementKind.REFUSED))
    assert ledger.placements_by_ref() == {"a": 2, "b": 1}
    assert ledger.placements_by_ref(PlacementKind.NEW) == {"a": 1}
    assert ledger.placements_by_id() == {(7, 1): 2, (7, 2): 1}
    assert ledger.placements_by_id(PlacementKind.REFUSED) == {(7, 2): 1}


def test_a_full_record_fails_loudly():
    """An oracle never forgets in silence: at its bound it refuses, and books nothing."""
    ledger = Ledger("DU1234567", records_max=1)
    ledger.record(placement(1, "a", PlacementKind.NEW))
    with pytest.raises(LedgerFull):
        ledger.record(placement(2, "b", PlacementKind.NEW))
    ledger.apply(execution(1, SPY, "BOT", "1", "600"), Decimal(0))
    with pytest.raises(LedgerFull, match="the books of DU1234567 keep 1 records and no more"):
        ledger.apply(execution(2, SPY, "BOT", "1", "600"), Decimal(0))
    assert ledger.cash_usd == Decimal(999_400)


def test_account_names():
    """A paper prefix and seven digits, fixed for a seed on every machine."""
    names = [account_for(seed) for seed in range(500)]
    assert all(name.startswith("DU") and len(name) == 9 and name[2:].isdigit() for name in names)
    assert len(set(names)) == 500
    assert account_for(42) == "DU5986886"


def test_an_operator_can_read_it():
    """The repr says whose money, how much, and what is held."""
    ledger = Ledger("DU1234567", positions=opening_positions())
    assert repr(ledger) == "<Ledger DU1234567 cash 1000000.00 USD SPY 100 fills 0>"
