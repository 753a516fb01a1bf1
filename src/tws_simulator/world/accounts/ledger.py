"""The simulated account's books: cash, positions and profit, exact, with a record of everything that was received."""

from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from decimal import Decimal
from typing import Final

from tws_simulator.world.accounts import margin
from tws_simulator.world.accounts.holding import Holding, Trade
from tws_simulator.world.accounts.margin import Margins, SummaryRow
from tws_simulator.world.accounts.opening import OPENING_CASH_USD
from tws_simulator.world.accounts.records import ZERO, Commission, Execution, Placement, PlacementKind, Pnl, Position

RECORDS_MAX: Final = 1_000_000  # of executions and of placements each: an oracle that forgets would be none


class LedgerFull(Exception):
    """As many records as the ledger may keep are kept."""

    def __init__(self, account: str, records_max: int) -> None:
        super().__init__(f"the books of {account} keep {records_max} records and no more: restart the simulator")


class Ledger:
    """Cash, positions and commissions always add up to where the account started.

    cash = opening cash - sum of (signed shares x price x multiplier) - commissions, and
    cash + cost of positions = opening cash + opening cost + realised profit; both to the last digit.
    Where a partial close splits a cost unevenly, the rounding (1e-8) stays in the position.

    ``executions`` and ``placements`` only ever grow. An execution that was corrected stays among them and counts no
    more: see ``standing``. ``bookings`` counts whatever changed a position.
    """

    account: str
    cash_usd: Decimal
    bookings: int
    executions: list[Execution]
    commissions: dict[str, Commission]
    placements: list[Placement]

    def __init__(
        self,
        account: str,
        cash_usd: Decimal = OPENING_CASH_USD,
        positions: Iterable[Position] = (),
        records_max: int = RECORDS_MAX,
    ) -> None:
        self.account = account
        self._records_max = records_max
        self.cash_usd = cash_usd
        self.bookings = 0
        self.executions = []
        self.commissions = {}
        self.placements = []
        self._corrected: set[str] = set()
        self._holdings = {position.con_id: Holding(position) for position in positions}
        self._day_equity_usd = cash_usd + sum((holding.cost_usd for holding in self._holdings.values()), ZERO)

    def copy(self) -> "Ledger":
        """The books as they are: what is booked later is in one of the two only."""
        twin = copy(self)
        twin.executions, twin.placements = list(self.executions), list(self.placements)
        twin.commissions, twin._corrected = dict(self.commissions), set(self._corrected)
        twin._holdings = deepcopy(self._holdings)
        return twin

    def apply(self, execution: Execution, commission_usd: Decimal) -> Commission:
        """Book one fill and answer with its commission report; an exec_id can be booked once."""
        self._check_room(execution)
        trade = _trade(execution, commission_usd)
        self._pay(trade)
        return self._report(execution, commission_usd, self._holding(execution).trade(execution.exec_id, trade))

    def correct(self, wrong: Execution, corrected: Execution) -> Commission:
        """Book another execution in place of one that was booked, as if it had been so from the start.

        The commission stays what it was; where no shares are left, nothing is owed. What was realised by later fills is
        counted again, and their reports stay as they were told. One of an earlier day is undone by today's prices.
        """
        assert wrong.exec_id in self.commissions, f"{wrong.exec_id} was never booked"
        assert wrong.exec_id not in self._corrected, f"{wrong.exec_id} does not count any more"
        self._check_room(corrected)
        before_usd = self.commissions[wrong.exec_id].commission_usd
        commission_usd = before_usd if corrected.shares else ZERO
        undone, trade = _undone(_trade(wrong, before_usd)), _trade(corrected, commission_usd)
        self._pay(undone)
        self._pay(trade)
        self._corrected.add(wrong.exec_id)
        holding = self._holding(corrected)
        try:
            realized_usd = holding.trade_instead(wrong.exec_id, corrected.exec_id, trade)
        except KeyError:
            holding.trade(f"{wrong.exec_id} undone", undone)
            realized_usd = holding.trade(corrected.exec_id, trade)
        return self._report(corrected, commission_usd, realized_usd)

    def transfer(self, moved: Execution) -> None:
        """Change position and cash as this execution would, which nobody is told of and no list shows."""
        trade = _trade(moved, ZERO)
        self._pay(trade)
        self._holding(moved).trade(moved.exec_id, trade)
        self.bookings += 1

    def standing(self, since: int = 0) -> list[Execution]:
        """Those that count, oldest first: a corrected one is left out, its correction comes in its own turn.

        ``since`` is how many of ``executions`` to leave out.
        """
        return [execution for execution in self.executions[since:] if execution.exec_id not in self._corrected]

    def record(self, placement: Placement) -> None:
        """Remember a placeOrder message; every one, refused ones and repeats included."""
        if len(self.placements) >= self._records_max:
            raise LedgerFull(self.account, self._records_max)
        self.placements.append(placement)

    def placements_by_ref(self, kind: PlacementKind | None = None) -> dict[str, int]:
        """How often each order_ref was received (of one kind, or of any)."""
        return Counter(placement.order_ref for placement in self.placements if kind in (None, placement.kind))

    def placements_by_id(self, kind: PlacementKind | None = None) -> dict[tuple[int, int], int]:
        """How often each (client_id, order_id) was received (of one kind, or of any)."""
        return Counter(
            (placement.client_id, placement.order_id) for placement in self.placements if kind in (None, placement.kind)
        )

    def position(self, con_id: int) -> Position | None:
        """None for an instrument that was not held today."""
        holding = self._holdings.get(con_id)
        return holding.position() if holding else None

    def positions(self) -> list[Position]:
        """By symbol; one that was closed today stays, with 0 shares, until the day ends, as at IB."""
        return sorted((holding.position() for holding in self._holdings.values()), key=lambda position: position.symbol)

    def margins(
        self, marks: Mapping[int, Decimal], con_id: int = 0, shares: Decimal = ZERO, multiplier: int = 1
    ) -> Margins:
        """As things are, or as they would be with ``shares`` more (or, negative, fewer) of one instrument."""
        return margin.margins(self.cash_usd, self._holdings.values(), marks, con_id, shares * multiplier)

    def summary(self, marks: Mapping[int, Decimal]) -> list[SummaryRow]:
        """Every account summary tag, sorted; one moment's rows agree with each other."""
        return margin.summary(self.margins(marks), cash_usd=self.cash_usd, day_equity_usd=self._day_equity_usd)

    def pnl(self, marks: Mapping[int, Decimal]) -> Pnl:
        """Of the whole account; ``shares`` is 0."""
        each = [holding.pnl(marks) for holding in self._holdings.values()]
        realized = [pnl.realized_usd for pnl in each if pnl.realized_usd is not None]
        return Pnl(
            daily_usd=sum((pnl.daily_usd for pnl in each), ZERO),
            unrealized_usd=sum((pnl.unrealized_usd for pnl in each), ZERO),
            realized_usd=sum(realized, ZERO) if realized else None,
            value_usd=sum((pnl.value_usd for pnl in each), ZERO),
            shares=ZERO,
        )

    def pnl_single(self, con_id: int, marks: Mapping[int, Decimal]) -> Pnl | None:
        """Of one position; None for an instrument that was not held today."""
        holding = self._holdings.get(con_id)
        return holding.pnl(marks) if holding else None

    def start_day(self, marks: Mapping[int, Decimal]) -> None:
        """Daily profit counts from here; positions that were closed are forgotten."""
        self._day_equity_usd = self.margins(marks).equity_usd
        self._holdings = {con_id: holding for con_id, holding in self._holdings.items() if holding.shares}
        for holding in self._holdings.values():
            holding.start_day(marks)

    def __repr__(self) -> str:
        held = " ".join(f"{position.symbol} {position.shares}" for position in self.positions() if position.shares)
        return f"<Ledger {self.account} cash {self.cash_usd:.2f} USD {held or 'flat'} fills {len(self.executions)}>"

    def _check_room(self, execution: Execution) -> None:
        assert execution.exec_id not in self.commissions, f"{execution.exec_id} booked twice"
        if len(self.executions) >= self._records_max:
            raise LedgerFull(self.account, self._records_max)

    def _pay(self, trade: Trade) -> None:
        self.cash_usd -= trade.signed * trade.price_usd + trade.commission_usd

    def _holding(self, execution: Execution) -> Holding:
        holding = self._holdings.get(execution.con_id)
        if holding is None:
            empty = Position(
                con_id=execution.con_id,
                symbol=execution.symbol,
                shares=ZERO,
                cost_usd=ZERO,
                multiplier=execution.multiplier,
            )
            holding = self._holdings[execution.con_id] = Holding(empty)
        return holding

    def _report(self, execution: Execution, commission_usd: Decimal, realized_usd: Decimal | None) -> Commission:
        report = Commission(
            exec_id=execution.exec_id,
            commission_usd=commission_usd,
            currency="USD",
            realized_pnl_usd=realized_usd,
        )
        self.bookings += 1
        self.executions.append(execution)
        self.commissions[execution.exec_id] = report
        return report


def _trade(execution: Execution, commission_usd: Decimal) -> Trade:
    signed = execution.shares if execution.side == "BOT" else -execution.shares
    return Trade(signed, execution.price * execution.multiplier, commission_usd)


def _undone(trade: Trade) -> Trade:
    return Trade(-trade.signed, trade.price_usd, -trade.commission_usd)
