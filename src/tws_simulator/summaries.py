"""Account summary subscriptions: all rows once, then the rows that changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tws_simulator.accounts import SummaryRow
from tws_simulator.wire.row import Message, message

if TYPE_CHECKING:
    from tws_simulator.core import GatewayCore
    from tws_simulator.session import Session

_SECOND = 1_000_000_000


class SummarySubscription:
    """Remembers what one request was told, and when to look again."""

    def __init__(self, req_id: int, account: str, tags: frozenset[str]) -> None:
        self.req_id = req_id
        self.due_ns = 0
        self._account = account
        self._tags = tags
        self._told: dict[str, str] = {}

    def changes(self, rows: list[SummaryRow]) -> Iterator[Message]:
        for row in rows:
            if row.tag in self._tags and self._told.get(row.tag) != row.value:
                self._told[row.tag] = row.value
                yield message(
                    "accountSummary",
                    reqId=self.req_id,
                    account=self._account,
                    tag=row.tag,
                    value=row.value,
                    currency=row.currency,
                )


def tell_changes(gateway: GatewayCore, session: Session) -> None:
    for subscription in session.summaries.values():
        if gateway.now_ns >= subscription.due_ns:
            tell(gateway, session, subscription)


def tell(gateway: GatewayCore, session: Session, subscription: SummarySubscription) -> None:
    subscription.due_ns = gateway.now_ns + int(gateway.options.account_interval_s * _SECOND)
    for row in subscription.changes(gateway.ledger.summary(gateway.market.marks())):
        session.send(row)
