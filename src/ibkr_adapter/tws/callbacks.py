"""The official wrapper: each callback copies, translates, and puts one event into the batch of the current read.

It knows no order, no quote and no state of the link. Callbacks that are not here belong to message families that are
not decoded at all (``decoding.py``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibkr_adapter import events
from ibkr_adapter.clock import SECOND
from ibkr_adapter.tws import translate
from ibkr_adapter.tws.mailbox import Bulk
from ibkr_adapter.tws.official import (
    UNSET_DECIMAL,
    UNSET_DOUBLE,
    CommissionAndFeesReport,
    Contract,
    ContractDetails,
    EWrapper,
    Execution,
    Order,
    OrderState,
    TickAttrib,
)
from ibkr_adapter.tws.translate import Malformed

_SIZE_FIELDS = {1: 0, 2: 3, 4: 5, 66: 69, 67: 70, 68: 71}
"""Which size the official decoder reports with a price: bid, ask, last, and the delayed three."""


class Callbacks(EWrapper):
    """Fills ``control`` and ``bulk``; whoever reads the socket sets ``now_ns`` before, and empties them after."""

    def __init__(self, epoch: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # partly typed upstream
        self.control: list[events.BrokerEvent] = []
        self.bulk: list[Bulk] = []
        self.now_ns = 0
        self._epoch = epoch
        self._put = self.control.append
        self._tick = self.bulk.append
        self._realized_pnl_known = True

    # --- Ticks ----------------------------------------------------------------------------------------------------
    # The bounds are written out: these four run for every message of a busy line.

    def tickPrice(self, reqId: int, tickType: int, price: float, attrib: TickAttrib) -> None:
        self._tick(
            events.PriceTick(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                req_id=reqId,
                field=tickType,
                price=price if -UNSET_DOUBLE < price < UNSET_DOUBLE and price != -1.0 else None,
            )
        )

    def tickSize(self, reqId: int, tickType: int, size: Decimal) -> None:
        if (size is UNSET_DECIMAL or not size) and self._came_with_a_price(reqId, tickType):
            if size is UNSET_DECIMAL:
                return  # the price came without a size, which says nothing about the size there was
            self._take_back_zero_price()
        self._tick(
            events.SizeTick(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                req_id=reqId,
                field=tickType,
                size=None if size is UNSET_DECIMAL else translate.size(size),
            )
        )

    def tickString(self, reqId: int, tickType: int, value: str) -> None:
        self._tick(events.TextTick(epoch=self._epoch, ts_recv_ns=self.now_ns, req_id=reqId, field=tickType, text=value))

    def tickGeneric(self, reqId: int, tickType: int, value: float) -> None:
        self._tick(
            events.ValueTick(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                req_id=reqId,
                field=tickType,
                value=value if -UNSET_DOUBLE < value < UNSET_DOUBLE else None,
            )
        )

    def _came_with_a_price(self, req_id: int, size_field: int) -> bool:
        """Whether the decoder makes this size of the same message as the price just before."""
        last = self.bulk[-1] if self.bulk else None
        return (
            isinstance(last, events.PriceTick) and last.req_id == req_id and _SIZE_FIELDS.get(last.field) == size_field
        )

    def _take_back_zero_price(self) -> None:
        """A price of 0 with size 0 is no price."""
        last = self.bulk[-1]
        if isinstance(last, events.PriceTick) and last.price == 0.0:
            self.bulk[-1] = events.PriceTick(
                epoch=last.epoch, ts_recv_ns=last.ts_recv_ns, req_id=last.req_id, field=last.field, price=None
            )

    def tickReqParams(self, tickerId: int, minTick: float, bboExchange: str, snapshotPermissions: int) -> None:
        self._put(
            events.TickParameters(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                req_id=tickerId,
                min_tick=translate.number(minTick),
                bbo_exchange=bboExchange,
                snapshot_permissions=translate.integer(snapshotPermissions),
            )
        )

    def marketDataType(self, reqId: int, marketDataType: int) -> None:
        # Among the ticks, because it says what kind of data those behind it are and those before it were.
        self.bulk.append(
            events.DataTypeReported(epoch=self._epoch, ts_recv_ns=self.now_ns, req_id=reqId, data_type=marketDataType)
        )

    # --- The session ----------------------------------------------------------------------------------------------

    def error(
        self, reqId: int, errorTime: int, errorCode: int, errorString: str, advancedOrderRejectJson: str = ""
    ) -> None:
        self._put(
            events.NoticeReceived(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                req_id=reqId,
                code=errorCode,
                text=errorString,
                ts_event_ns=translate.millis_ns(errorTime),
                advanced_reject=advancedOrderRejectJson,
            )
        )

    def nextValidId(self, orderId: int) -> None:
        self._put(events.NextValidId(epoch=self._epoch, ts_recv_ns=self.now_ns, order_id=orderId))

    def managedAccounts(self, accountsList: str) -> None:
        accounts = tuple(account for account in accountsList.split(",") if account)
        self._put(events.ManagedAccounts(epoch=self._epoch, ts_recv_ns=self.now_ns, accounts=accounts))

    def currentTime(self, time: int) -> None:
        self._put(events.BrokerTime(epoch=self._epoch, ts_recv_ns=self.now_ns, time_ns=time * SECOND))

    def configResponseProtoBuf(self, configResponseProto: Any) -> None:
        self._put(translate.gateway_configured(configResponseProto, epoch=self._epoch, now_ns=self.now_ns))

    # --- Contracts ------------------------------------------------------------------------------------------------

    def contractDetails(self, reqId: int, contractDetails: ContractDetails) -> None:
        self._put(translate.contract_described(reqId, contractDetails, epoch=self._epoch, now_ns=self.now_ns))

    def bondContractDetails(self, reqId: int, contractDetails: ContractDetails) -> None:
        self.contractDetails(reqId, contractDetails)

    def contractDetailsEnd(self, reqId: int) -> None:
        self._put(events.ContractsEnd(epoch=self._epoch, ts_recv_ns=self.now_ns, req_id=reqId))

    # --- Accounts -------------------------------------------------------------------------------------------------

    def accountSummary(self, reqId: int, account: str, tag: str, value: str, currency: str) -> None:
        self._put(
            events.AccountValue(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                req_id=reqId,
                account=account,
                tag=tag,
                value=value,
                currency=currency,
            )
        )

    def accountSummaryEnd(self, reqId: int) -> None:
        self._put(events.AccountSummaryEnd(epoch=self._epoch, ts_recv_ns=self.now_ns, req_id=reqId))

    def position(self, account: str, contract: Contract, position: Decimal, avgCost: float) -> None:
        self._put(
            events.PositionReported(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                account=account,
                instrument=translate.instrument(contract),
                quantity=translate.quantity(position, "the quantity of a position"),
                average_cost=translate.money(avgCost, "the average cost of a position"),
            )
        )

    def positionEnd(self) -> None:
        self._put(events.PositionsEnd(epoch=self._epoch, ts_recv_ns=self.now_ns))

    # --- Orders ---------------------------------------------------------------------------------------------------

    def openOrder(self, orderId: int, contract: Contract, order: Order, orderState: OrderState) -> None:
        self._put(translate.open_order(orderId, contract, order, orderState, epoch=self._epoch, now_ns=self.now_ns))

    def openOrderEnd(self) -> None:
        self._put(events.OpenOrdersEnd(epoch=self._epoch, ts_recv_ns=self.now_ns))

    def completedOrder(self, contract: Contract, order: Order, orderState: OrderState) -> None:
        self._put(translate.completed_order(contract, order, orderState, epoch=self._epoch, now_ns=self.now_ns))

    def completedOrdersEnd(self) -> None:
        self._put(events.CompletedOrdersEnd(epoch=self._epoch, ts_recv_ns=self.now_ns))

    def orderStatus(
        self,
        orderId: int,
        status: str,
        filled: Decimal,
        remaining: Decimal,
        avgFillPrice: float,
        permId: int,
        parentId: int,
        lastFillPrice: float,
        clientId: int,
        whyHeld: str,
        mktCapPrice: float,
    ) -> None:
        self._put(
            events.OrderStatusReported(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                order_id=translate.integer(orderId),
                client_id=translate.integer(clientId),
                perm_id=translate.integer(permId),
                status=status,
                filled=translate.quantity(filled, "the filled quantity of an order"),
                remaining=translate.quantity(remaining, "the remaining quantity of an order"),
                average_price=translate.money(avgFillPrice, "the average price of an order"),
                last_price=translate.money(lastFillPrice, "the last price of an order"),
                parent_id=translate.integer(parentId),
                why_held=whyHeld,
            )
        )

    # --- Executions -----------------------------------------------------------------------------------------------

    def execDetails(self, reqId: int, contract: Contract, execution: Execution) -> None:
        self._put(translate.execution(reqId, contract, execution, epoch=self._epoch, now_ns=self.now_ns))

    def execDetailsEnd(self, reqId: int) -> None:
        self._put(events.ExecutionsEnd(epoch=self._epoch, ts_recv_ns=self.now_ns, req_id=reqId))

    def commissionAndFeesReport(self, commissionAndFeesReport: CommissionAndFeesReport) -> None:
        report = commissionAndFeesReport
        realized_pnl = translate.number(report.realizedPNL) if self._realized_pnl_known else None
        self._realized_pnl_known = True
        self._put(
            events.CommissionReported(
                epoch=self._epoch,
                ts_recv_ns=self.now_ns,
                exec_id=report.execId,
                commission=translate.quantity(report.commissionAndFees, "a commission"),
                currency=report.currency,
                realized_pnl=realized_pnl,
            )
        )

    # --- What the decoder shows before it decodes protobuf --------------------------------------------------------

    def commissionAndFeesReportProtoBuf(self, commissionAndFeesReportProto: Any) -> None:
        """Remember whether the profit was given: the decoder makes an absent one 0, which reads as breaking even."""
        self._realized_pnl_known = commissionAndFeesReportProto.HasField("realizedPNL")

    def openOrderProtoBuf(self, openOrderProto: Any) -> None:
        _require(openOrderProto, "contract", "order", "orderState")

    def completedOrderProtoBuf(self, completedOrderProto: Any) -> None:
        _require(completedOrderProto, "contract", "order", "orderState")

    def executionDetailsProtoBuf(self, executionDetailsProto: Any) -> None:
        _require(executionDetailsProto, "contract", "execution")

    def positionProtoBuf(self, positionProto: Any) -> None:
        _require(positionProto, "contract")

    def contractDataProtoBuf(self, contractDataProto: Any) -> None:
        _require(contractDataProto, "contract", "contractDetails")


def _require(message: Any, *parts: str) -> None:
    """The official decoder says nothing at all of a message that lacks a part; we must not lose an order that way."""
    for part in parts:
        if not message.HasField(part):
            raise Malformed(f"{type(message).__name__} without {part}")


def _ignore(self: Callbacks, message: Any) -> None:
    """Instead of the inherited one, which spends two microseconds on a log line that is switched off."""


for _name in vars(EWrapper):
    if _name.endswith("ProtoBuf") and _name not in vars(Callbacks):
        setattr(Callbacks, _name, _ignore)
