"""The one picture of the engine that others may look at, put together from what its parts say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ibkr_adapter.core.link.link import Link
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.snapshot import GateView, LinkView, Snapshot

if TYPE_CHECKING:
    from ibkr_adapter.core.engine import Engine


def snapshot(engine: Engine, settings: Settings, now_ns: int) -> Snapshot:
    """What is so now, of every part."""
    gate = engine.trading.gate.reasons(now_ns)
    return Snapshot(
        taken_ns=now_ns,
        environment=settings.environment,
        component=settings.component,
        account_kind=settings.account_kind,
        version=settings.version,
        link=_link(engine.link, now_ns),
        upstream=engine.planes.upstream.value,
        farms=engine.planes.farms(now_ns),
        gate=GateView(open=not gate, reasons=gate),
        lease=engine.lease.view(),
        preflight=engine.preflight.view(),
        rate=engine.pacing.view(now_ns),
        quotas=engine.quotas.views(),
        quotes=engine.market.quotes(),
        proven=engine.market.proven if engine.feed_proven else (),
        alerts=engine.alerts.views(),
        window=engine.link.gateways.calendar.view(now_ns),
        streams=engine.market.subscriptions.views(),
        stopped=engine.market.switch.view(),
        orphans=engine.market.orphans.views(now_ns),
        accounts=engine.trading.accounts.views(),
        summary_owner=engine.trading.summary.owner,
        positions=engine.trading.accounts.positions,
        orders=engine.ledger.orders.views(),
        executions=engine.ledger.executions.views(),
        notices=engine.notebook.views(),
        gaps=tuple(engine.market.gaps),
        journal_seq=engine.ledger.records.last_seq,
        journal_durable_seq=engine.ledger.records.durable_seq,
        counters=_counters(engine),
    )


def _link(link: Link, now_ns: int) -> LinkView:
    excuse = link.excuse(now_ns)
    offset = link.heartbeat.offset
    return LinkView(
        state=link.state.value,
        gateway=link.gateway.name,
        address=link.gateway.address,
        epoch=link.epoch,
        client_id=link.client_id,
        since_ns=link.since_ns,
        server_version=link.server_version,
        last_inbound_ns=link.heartbeat.last_inbound_ns,
        detail=link.detail,
        failures=link.gateways.failed_attempts,
        next_attempt_ns=link.gateways.next_attempt_ns,
        standby=link.gateways.on_standby,
        excuse=excuse.name if excuse is not None else "",
        excused_until_ns=excuse.until_ns if excuse is not None else None,
        clock_ahead_ns=offset.ahead_ns if offset is not None else None,
    )


def _counters(engine: Engine) -> dict[str, int]:
    return (
        {
            "stale_events": engine.stale_events,
            "late_ticks": engine.market.late_ticks,
            "orphans_cancelled": engine.market.orphans.cancelled,
            "dropped.tick": engine.market.dropped_ticks,
            "executions_duplicate": engine.ledger.executions.duplicates,
            "commissions_dropped": engine.ledger.executions.commissions_dropped,
            "order_ids_went_back": engine.trading.ids_went_back,
            "order_anomalies": engine.ledger.orders.anomalies,
            "notices_unknown": engine.notebook.unknown,
            "orders_in_doubt": len(engine.ledger.orders.questioned),
        }
        | {f"notice.{code}": count for code, count in engine.notebook.counts.items()}
        | {f"order_error.{code}": count for code, count in engine.trading.order_errors.items()}
    )
