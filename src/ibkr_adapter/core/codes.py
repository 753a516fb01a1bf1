"""What IB's message codes do to us: from the effect that the table of codes names to the parts that it concerns.

A code first goes to whoever its id names, an order or a request of ours; for some effects that is all. Then the parts
of its effect are told, in the order written here. Nothing else in the core asks which effect a code has, but the fold
over the journal, which must find the same again.
"""

from __future__ import annotations

from collections.abc import Callable

from ibkr_adapter.core.alerts import Alerts
from ibkr_adapter.core.link.link import Link
from ibkr_adapter.core.link.pacing import Pacing
from ibkr_adapter.core.link.planes import FarmState, Planes
from ibkr_adapter.core.link.preflight import Preflight
from ibkr_adapter.core.link.quotas import Quota, Quotas
from ibkr_adapter.core.link.upstream_patience import UpstreamPatience
from ibkr_adapter.core.market.market import Market
from ibkr_adapter.core.notebook import Notebook
from ibkr_adapter.core.trading.trading import Trading
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import ClientIdRefused, NoticeReceived
from ibkr_adapter.notices import Effect, Notice, NoticeTable
from ibkr_adapter.requests import Request

Handler = Callable[[NoticeReceived, Notice, int, Outbox], None]

OF_ITS_ADDRESSEE = frozenset(
    {
        Effect.REJECT_ORDER,
        Effect.SUSPECT_ORDER,
        Effect.RETRY_REQUEST,
        Effect.DELAYED,
        Effect.COMPETING_SESSION,
        Effect.QUOTA_LINES,
    }
)
"""Effects on the order or the request whose id comes with the code, and on nothing else."""


class Codes:
    """The one table from effects to parts."""

    def __init__(
        self,
        *,
        notices: NoticeTable,
        notebook: Notebook,
        alerts: Alerts,
        link: Link,
        planes: Planes,
        patience: UpstreamPatience,
        pacing: Pacing,
        quotas: Quotas,
        preflight: Preflight,
        market: Market,
        trading: Trading,
        ask: Callable[[Request], None],
    ) -> None:
        self._notices = notices
        self._notebook = notebook
        self._alerts = alerts
        self._link = link
        self._planes = planes
        self._patience = patience
        self._pacing = pacing
        self._preflight = preflight
        self._market = market
        self._trading = trading
        self._ask = ask
        self.handlers: dict[Effect, tuple[Handler, ...]] = {
            Effect.INFORM: (self._told,),
            Effect.FAIL_REQUEST: (self._request_over,),
            Effect.NOT_ENTITLED: (self._request_over,),
            Effect.UPSTREAM_LOST: (self._upstream_lost, self._positions_doubted),
            Effect.UPSTREAM_RESTORED: (self._upstream_restored,),
            Effect.UPSTREAM_RESTORED_STREAMS_LOST: (self._upstream_restored,),
            Effect.FARM_OK: (self._farm(FarmState.OK),),
            Effect.FARM_BROKEN: (self._farm(FarmState.BROKEN),),
            Effect.FARM_DORMANT: (self._farm(FarmState.DORMANT),),
            Effect.FARM_CONNECTING: (self._farm(FarmState.CONNECTING),),
            Effect.CLIENT_ID_IN_USE: (self._client_id_refused,),
            Effect.POSITIONS_UNREADY: (self._positions_doubted,),
            Effect.PACE: (self._too_fast,),
            Effect.PORT_CHANGED: (self._port_changed,),
            Effect.QUOTA_DEPTH: (self._no_room(quotas.depth),),
            Effect.QUOTA_TICK_BY_TICK: (self._no_room(quotas.tick_by_tick),),
        }

    def received(self, event: NoticeReceived, now_ns: int, out: Outbox) -> None:
        notice = self._notices.of(event.code)
        self._preflight.heard(event.text, now_ns)
        self._preflight.refused(event.req_id, event.text)
        subject = self._trading.notice(event, out) or self._market.notice(event, notice)
        self._notebook.note(event, notice, subject)
        for handler in self.handlers.get(notice.effect, ()):
            handler(event, notice, now_ns, out)

    # The gateway's link to IB, and the farms.

    def _upstream_lost(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._planes.lost(now_ns)
        self._patience.lost(now_ns)
        self._market.upstream(notice.effect, now_ns)

    def _upstream_restored(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._planes.restored()
        self._patience.restored(now_ns)
        self._market.upstream(notice.effect, now_ns)
        if self._link.identified:
            streams_lost = notice.effect is Effect.UPSTREAM_RESTORED_STREAMS_LOST
            self._trading.upstream_restored(self._ask, now_ns, streams_lost=streams_lost)

    def _farm(self, state: FarmState) -> Handler:
        def told(event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
            if (change := self._planes.farm(notice, event.text, state, now_ns)) is not None:
                self._market.farm_changed(change, now_ns)

        return told

    def ib_answered(self, now_ns: int, out: Outbox) -> None:
        """The gateway has IB after all. What it answered while in doubt was perhaps from memory, and is asked again."""
        if not self._planes.doubted:
            self._link.recycle("IB answers although the gateway says that it has lost it", now_ns, out)
            return
        self._planes.restored()
        self._patience.restored(now_ns)
        if self._link.identified:
            self._trading.upstream_restored(self._ask, now_ns, streams_lost=True)

    def _positions_doubted(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._trading.accounts.doubt_positions()

    # Our session, and what we may ask of it.

    def _client_id_refused(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._link.troubles.client_id_refused()
        self._trading.ledger.record(
            ClientIdRefused(
                ts_recv_ns=event.ts_recv_ns,
                epoch=event.epoch,
                gateway=self._link.gateway.name,
                client_id=self._link.client_id,
                address=self._link.gateway.address,
                detail=event.text,
            ),
            out,
        )

    def _port_changed(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._link.troubles.port_changed(event.text)

    def _too_fast(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._pacing.slow_down(now_ns)

    def _request_over(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._pacing.answered(event.req_id)

    def _no_room(self, quota: Quota) -> Handler:
        def refused(event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
            stream = self._market.subscriptions.of(event.req_id)
            quota.refused(stream.name if stream is not None else "", now_ns)

        return refused

    def _told(self, event: NoticeReceived, notice: Notice, now_ns: int, out: Outbox) -> None:
        self._alerts.noticed(event, notice)
