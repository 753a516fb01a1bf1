"""The way of a command to the wire, and the answer to whoever gave it.

    command -> permit -> intent appended -> on disk -> second look -> handed to the session -> frame sent

An intent is on disk before its first byte can leave. The second look happens when pacing releases the frame, which is
the last moment at which it can still be held back: what waited too long, or lost its session meanwhile, is refused and
not sent late. From then on the order may be at the broker, whatever else we hear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import CancelOrder, CommandOutcome, PlaceOrder, Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.link.link import Link
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.core.trading.ledger import Ledger, same_terms
from ibkr_adapter.core.trading.order import AWAITING_WORD, Order, OrderState
from ibkr_adapter.core.trading.permit import Permit
from ibkr_adapter.effects import Outbox, Send
from ibkr_adapter.events import CancelIntended, OrderIntended, OrderRefused
from ibkr_adapter.requests import SendCancel, SendOrder

CANCEL_LEAVES_WITHIN_NS = 10 * SECOND
"""A cancel never waits longer for its turn: one that has not left by then waits for a session."""

TOLD_MAX = 10
"""So many orders are named in one alert."""


@dataclass(slots=True)
class _Pending:
    """A placement between its intent and its frame. ``asked`` once it stands in the pacing queue.

    ``repeats``: commands with the same idempotency key that came meanwhile; they get the same answer.
    """

    seq: int
    command_id: str
    intent: OrderIntended
    asked: bool = False
    repeats: list[str] = field(default_factory=list)


class Placements:
    """Commands in, outcomes out. The same idempotency key never sends twice."""

    def __init__(self, settings: Settings, link: Link, permit: Permit, pacing: Pacing, ledger: Ledger) -> None:
        self._settings = settings
        self._link = link
        self._permit = permit
        self._pacing = pacing
        self._ledger = ledger
        self._pending: dict[int, _Pending] = {}
        self._cancels_unsent: set[str] = set()
        """Keys of orders whose cancel was accepted, and of which no session has told yet that it left."""

    # Commands.

    def place(self, command: PlaceOrder, now_ns: int, out: Outbox) -> None:
        if not command.terms.account and len(self._link.accounts) == 1:
            command = _with_account(command, self._link.accounts[0])
        if outcome := self._repeated(command):
            waiting = self._pending.get(outcome.order_id or 0)
            if waiting is not None and waiting.intent.order_key == outcome.order_key and outcome.accepted:
                waiting.repeats.append(command.command_id)  # the answer to both is still to come
            else:
                out.replies.append(outcome)
            return
        reasons = self._permit.placement(command, now_ns)
        reference = self._permit.reference_price(command)
        if reasons or reference is None:
            self._refuse(command, reasons, now_ns, out)
            return
        intent = OrderIntended(
            ts_recv_ns=now_ns,
            order_key=command.order_key,
            idempotency_key=command.idempotency_key,
            order_id=self._ledger.order_ids.take(),
            client_id=self._settings.client_id,
            gateway=self._link.gateway.name,
            epoch=self._link.epoch,
            actor=command.actor,
            terms=replace(command.terms, instrument=self._permit.resolved(command.terms.instrument)),
            reference_price=reference,
            expires_at_ns=command.expires_at_ns,
        )
        seq = self._ledger.record(intent, out)
        self._pending[intent.order_id] = _Pending(seq=seq, command_id=command.command_id, intent=intent)

    def cancel(self, command: CancelOrder, now_ns: int, out: Outbox) -> None:
        """Never waits for the disk, never expires; the record of it follows the frame."""
        order = self._ledger.orders.of(command.order_key)
        if reason := self._no_cancel(order, command.order_key):
            out.replies.append(CommandOutcome(command_id=command.command_id, accepted=False, reasons=(reason,)))
            return
        assert order is not None
        waiting = self._pending.get(order.order_id)
        self._ledger.record(
            CancelIntended(ts_recv_ns=now_ns, order_key=order.key, order_id=order.order_id, actor=command.actor), out
        )
        if waiting is not None:
            self._pacing.withdraw(order.order_id)
            self._drop(waiting, self._second_look(waiting, now_ns), now_ns, out)
        else:
            self._ask_cancel(order)
        undelivered = () if waiting is not None or self._link.delivers else (self._not_delivered(),)
        out.replies.append(_outcome(command.command_id, order, accepted=True, reasons=undelivered))

    def _not_delivered(self) -> Reason:
        return Reason(
            code="not_delivered",
            text=f"accepted, not delivered: the link to {self._link.gateway.name} may be dead",
            remedy="it goes again to the next session with this gateway; if that takes long, cancel it in TWS",
        )

    def _ask_cancel(self, order: Order) -> None:
        self._cancels_unsent.add(order.key)
        self._pacing.ask(SendCancel(order_id=order.order_id), epoch=self._link.epoch)

    def cancel_again(self) -> None:
        """A new session is ready: cancels that were accepted and have had no effect go out once more.

        They may have waited for their turn when the last session ended, or been cut off on the way; a cancel of what
        is cancelled already does no harm.
        """
        for order in self._ledger.orders.at_risk:
            if order.cancel_asked and self._ledger.orders.here(order):
                self._ask_cancel(order)

    def cancel_left(self, order: Order | None) -> None:
        """Its bytes are with the operating system of a peer that is not suspect, as far as we know."""
        if order is not None and self._link.delivers:
            self._cancels_unsent.discard(order.key)

    def conditions(self) -> Iterator[Condition]:
        """Orders that may still trade, and that nothing we send reaches."""
        at_risk = self._ledger.orders.at_risk
        self._cancels_unsent &= {order.key for order in at_risk}
        named = [_place(order) for order in at_risk if self._is_out_of_reach(order)]
        if named:
            more = f" and {len(named) - TOLD_MAX} more" if len(named) > TOLD_MAX else ""
            yield Condition(
                key="orders/unreachable",
                severity=AlertSeverity.CRITICAL,
                text=f"out of reach, and may still trade: {', '.join(named[:TOLD_MAX])}{more}",
                remedy="look at them in TWS of that gateway, and cancel there what must not trade",
                after_ns=CANCEL_LEAVES_WITHIN_NS,
            )

    def _is_out_of_reach(self, order: Order) -> bool:
        return not order.foreign and (order.key in self._cancels_unsent or not self._ledger.orders.here(order))

    # What happened since.

    def durable(self, seq: int) -> None:
        """Intents that are safe now may ask for their turn."""
        for pending in self._pending.values():
            if pending.seq <= seq and not pending.asked:
                pending.asked = True
                self._pacing.ask(_request(pending.intent), epoch=pending.intent.epoch)

    def confirm(self, send: Send, now_ns: int, out: Outbox) -> bool:
        """Pacing is about to release this frame: the second look. False holds it back for good."""
        if not isinstance(send.request, SendOrder):
            return True
        pending = self._pending.get(send.request.order_id)
        if pending is None:
            return False
        if reasons := self._second_look(pending, now_ns):
            self._drop(pending, reasons, now_ns, out)
            return False
        del self._pending[send.request.order_id]
        order = self._ledger.orders.of(pending.intent.order_key)
        assert order is not None
        order.handed_ns = now_ns
        self._answer(pending, order, (), out)
        return True

    def refuse_pending(self, reason: Reason, now_ns: int, out: Outbox) -> None:
        """The session or the journal is gone: nothing that still waits here will be sent."""
        for pending in list(self._pending.values()):
            self._drop(pending, (reason,), now_ns, out)

    def refuse_unsent(self, order: Order, reason: Reason, now_ns: int, out: Outbox) -> None:
        """It was handed over and never left: this refusal comes after the answer."""
        assert order.intent is not None
        self._refused(order.intent, (reason,), now_ns, out)

    def expire(self, now_ns: int, out: Outbox) -> None:
        """Refuse what waited for the disk longer than its command allows."""
        for pending in list(self._pending.values()):
            if now_ns >= pending.intent.expires_at_ns:
                self._pacing.withdraw(pending.intent.order_id)
                self._drop(pending, self._second_look(pending, now_ns), now_ns, out)
            else:
                out.wake_at(pending.intent.expires_at_ns)

    # Answers.

    def _refuse(self, command: PlaceOrder, reasons: tuple[Reason, ...], now_ns: int, out: Outbox) -> None:
        self._ledger.record(
            OrderRefused(
                ts_recv_ns=now_ns,
                order_key=command.order_key,
                idempotency_key=command.idempotency_key,
                actor=command.actor,
                terms=command.terms,
                reasons=reasons,
            ),
            out,
        )
        out.replies.append(
            CommandOutcome(
                command_id=command.command_id,
                accepted=False,
                order_key=command.order_key,
                state=OrderState.REFUSED.value,
                reasons=reasons,
            )
        )

    def _drop(self, pending: _Pending, reasons: tuple[Reason, ...], now_ns: int, out: Outbox) -> None:
        self._pending.pop(pending.intent.order_id, None)
        self._refused(pending.intent, reasons, now_ns, out)
        order = self._ledger.orders.of(pending.intent.order_key)
        assert order is not None
        self._answer(pending, order, reasons, out)

    def _answer(self, pending: _Pending, order: Order, reasons: tuple[Reason, ...], out: Outbox) -> None:
        outcome = _outcome(pending.command_id, order, accepted=not reasons, reasons=reasons)
        out.replies.append(outcome)
        out.replies.extend(replace(outcome, command_id=repeat, repeated=True) for repeat in pending.repeats)

    def _refused(self, intent: OrderIntended, reasons: tuple[Reason, ...], now_ns: int, out: Outbox) -> None:
        self._ledger.record(
            OrderRefused(
                ts_recv_ns=now_ns,
                order_key=intent.order_key,
                idempotency_key=intent.idempotency_key,
                actor=intent.actor,
                terms=intent.terms,
                reasons=reasons,
                order_id=intent.order_id,
            ),
            out,
        )

    def _second_look(self, pending: _Pending, now_ns: int) -> tuple[Reason, ...]:
        order = self._ledger.orders.of(pending.intent.order_key)
        assert order is not None
        return self._permit.sending(
            order, epoch=pending.intent.epoch, expires_at_ns=pending.intent.expires_at_ns, now_ns=now_ns
        )

    def _repeated(self, command: PlaceOrder) -> CommandOutcome | None:
        known = self._ledger.outcome_of(command.idempotency_key)
        if known is None:
            return None
        if not same_terms(known.terms, command.terms):
            return CommandOutcome(
                command_id=command.command_id,
                accepted=False,
                order_key=known.order_key,
                reasons=(
                    Reason(
                        code="idempotency",
                        text=f"idempotency_key: {command.idempotency_key} was used for another order",
                        remedy="a new order needs a new key",
                    ),
                ),
                repeated=True,
            )
        order = self._ledger.orders.of(known.order_key)
        return CommandOutcome(
            command_id=command.command_id,
            accepted=not known.reasons,
            order_key=known.order_key,
            order_id=order.order_id if order else None,
            state=order.state.value if order else OrderState.REFUSED.value,
            reasons=known.reasons,
            repeated=True,
        )

    def _no_cancel(self, order: Order | None, order_key: str) -> Reason | None:
        if order is None:
            return Reason(code="order", text=f"order_key: {order_key} is no order of ours", remedy="see orders list")
        if order.terminal and order.state not in AWAITING_WORD and not order.absent:
            return Reason(code="terminal", text=f"the order is {order.state.value} already", remedy="nothing to cancel")
        if not self._settings.orders:
            return Reason(code="capability", text=f"component {self._settings.component} may not send orders")
        if not self._ledger.orders.here(order) and order.order_id not in self._pending:
            return Reason(
                code="elsewhere",
                text=f"the order belongs to gateway {order.gateway} and client id {order.client_id}",
                remedy="cancel it there, or in TWS",
            )
        if not self._link.socket_open and order.order_id not in self._pending:
            return Reason(
                code="link",
                text=f"the link is {self._link.state.value}: the cancel cannot reach the gateway",
                remedy="cancel in TWS, or again once the link is back",
            )
        return None


def _request(intent: OrderIntended) -> SendOrder:
    return SendOrder(order_id=intent.order_id, order_ref=intent.order_key, terms=intent.terms)


def _place(order: Order) -> str:
    return f"{order.key} at gateway {order.gateway}{', its cancel was asked for' if order.cancel_asked else ''}"


def _with_account(command: PlaceOrder, account: str) -> PlaceOrder:
    return replace(command, terms=replace(command.terms, account=account))


def _outcome(command_id: str, order: Order, *, accepted: bool, reasons: tuple[Reason, ...] = ()) -> CommandOutcome:
    return CommandOutcome(
        command_id=command_id,
        accepted=accepted,
        order_key=order.key,
        order_id=order.order_id,
        state=order.state.value,
        reasons=reasons,
    )
