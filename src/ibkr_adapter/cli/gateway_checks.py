"""What a gateway that named itself says of its account, its clock and its settings, judged by a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from ibkr_adapter.accounts import mismatch
from ibkr_adapter.cli.finding import Finding, failed, failure, fine, warning
from ibkr_adapter.cli.probe import Found, Visit
from ibkr_adapter.clock import SECOND
from ibkr_adapter.clock_offset import TOLD_NS, Offset, distance
from ibkr_adapter.config import AccountKind, Capability, Config, Gateway
from ibkr_adapter.core.link import daily_stop
from ibkr_adapter.core.link.preflight import (
    MAINTAINS_REMEDY,
    READ_ONLY_REMEDY,
    READ_ONLY_WORDS,
    SERVER_VERSION_MIN,
)
from ibkr_adapter.errors import AccountMismatch, ExitCode, HandshakeTimeout, InvalidRequest
from ibkr_adapter.events import BrokerEvent, BrokerTime, GatewayConfigured, NextValidId, NoticeReceived
from ibkr_adapter.requests import RequestCurrentTime, RequestGatewayConfiguration, RequestIds
from ibkr_adapter.tws import versions
from ibkr_adapter.tws.handshake import SERVER_VERSION_MIN as OLDEST_SERVER_VERSION

ANSWER_S: Final = 5.0


def identity(visit: Visit) -> Finding:
    newest = versions.installed().server_version_max
    return fine(
        "gateway",
        f"{visit.gateway.address} speaks server version {visit.found.server_version} of {OLDEST_SERVER_VERSION} to"
        f" {newest}, client id {visit.client_id} is free",
    )


def account(config: Config, found: Found) -> Finding:
    try:
        return fine("account", _account(config, found))
    except AccountMismatch as error:
        return failed("account", error)


def _account(config: Config, found: Found) -> str:
    active = config.active
    expected = (active.account,) if active.account else ()
    if why := mismatch(found.accounts, expected, active.account_kind):
        raise AccountMismatch(
            why,
            remedy=f"log the gateway in to {active.account}, or correct environments.{config.environment}.account"
            if active.account
            else "connect to the other gateway; paper accounts begin with D",
        )
    return f"{', '.join(found.accounts)}, {active.account_kind} as configured"


# --- Clock ----------------------------------------------------------------------------------------------------------


def clock(visit: Visit) -> Finding:
    """The gateway tells whole seconds, so an offset is what no moment of that second, and no delay, explains."""
    told: list[BrokerTime] = []

    def listen(event: BrokerEvent) -> None:
        if isinstance(event, BrokerTime):
            told.append(event)

    asked_ns = visit.clock.now_ns()
    visit.ask(RequestCurrentTime())
    if not visit.hear(lambda: bool(told), ANSWER_S, listen):
        return warning("clock", f"the gateway did not tell its time within {ANSWER_S:g} s", "restart it if it hangs")
    offset = Offset.measured(told[0].time_ns, asked_ns=asked_ns, answered_ns=told[0].ts_recv_ns)
    return clock_finding(offset, visit.clock.wall_step_ns())


def clock_finding(offset: Offset, stepped_ns: int) -> Finding:
    remedy = "synchronise both machines with NTP (chrony); times of orders, fills and restart windows depend on it"
    if offset.worth_telling:
        return warning("clock", f"the gateway is {distance(offset.ahead_ns)} this machine", remedy)
    if abs(stepped_ns) > TOLD_NS:
        return warning("clock", f"this machine's clock was moved by {stepped_ns / SECOND:+,.1f} s just now", remedy)
    return fine("clock", "gateway and this machine agree, as far as whole seconds tell")


# --- Settings -------------------------------------------------------------------------------------------------------


class Settings(Struct):
    """What became known, and how."""

    told: GatewayConfigured | None = None
    why_not: str = ""
    read_only: bool | None = None


def settings(visit: Visit) -> Settings:
    """Ask for the settings where they can be asked for; whether the API is read-only shows without them too.

    Raises ``HandshakeTimeout`` for a gateway that answers neither: one has been seen that tells the time and no more.
    """
    known = _configured(visit)
    if known.told is not None:
        known.read_only = known.told.read_only
    if known.read_only is None:
        known.read_only = _refuses_ids(visit)
    if known.read_only is None:
        raise HandshakeTimeout(
            f"{visit.gateway.address} names accounts and order id, and answers nothing after that",
            remedy="restart it: its session with IB hangs",
        )
    return known


def _configured(visit: Visit) -> Settings:
    known = Settings()
    version = visit.found.server_version or 0
    if version < SERVER_VERSION_MIN:
        known.why_not = f"server version {version} does not tell its settings, {SERVER_VERSION_MIN} does"
        return known
    req_id = visit.request_ids.take()

    def listen(event: BrokerEvent) -> None:
        if isinstance(event, GatewayConfigured) and event.req_id == req_id:
            known.told = event
        elif isinstance(event, NoticeReceived) and event.req_id == req_id:
            known.why_not = f"the gateway refuses to tell: {event.code} {event.text}"

    try:
        visit.ask(RequestGatewayConfiguration(req_id=req_id))
    except InvalidRequest as error:
        known.why_not = error.message
        return known
    if not visit.hear(lambda: known.told is not None or bool(known.why_not), ANSWER_S, listen):
        known.why_not = f"the gateway did not tell within {ANSWER_S:g} s"
    return known


def _refuses_ids(visit: Visit) -> bool | None:
    """A read-only gateway refuses even to name the next order id again, which changes nothing and is no order."""
    answers: list[bool] = []

    def listen(event: BrokerEvent) -> None:
        if isinstance(event, NextValidId):
            answers.append(False)
        elif isinstance(event, NoticeReceived) and READ_ONLY_WORDS in event.text.lower():
            answers.append(True)

    visit.ask(RequestIds())
    visit.hear(lambda: bool(answers), ANSWER_S, listen)
    return answers[0] if answers else None


def settings_findings(config: Config, known: Settings, name: str) -> list[Finding]:
    """``name``: of the gateway whose settings they are."""
    findings = [read_only(config, known), kept_orders(config, known)]
    if known.told is not None:
        findings += [fine("settings", _others(known.told)), *stop(config, known.told, name, config.gateways[name])]
    return findings


def read_only(config: Config, known: Settings) -> Finding:
    wanted = config.trading.enabled and config.identity.can(Capability.ORDERS)
    if not known.read_only:
        return fine("read-only", "no, the gateway accepts orders")
    if not wanted:
        return fine("read-only", "yes, and trading is off here: nothing is missing")
    text = "the gateway's API is read-only, but trading is switched on"
    return failure("read-only", text, f"{READ_ONLY_REMEDY}, or set trading.enabled = false", ExitCode.GATEWAY_SETTING)


def kept_orders(config: Config, known: Settings) -> Finding:
    """Whether the gateway keeps the orders of an outage and sends them late."""
    maintains = None if known.told is None else known.told.maintains_orders
    if maintains is None:
        why = known.why_not or "the gateway's settings do not say"
        return warning("kept orders", f"unchecked: {why}", f"see by hand: {MAINTAINS_REMEDY}")
    if not maintains:
        return fine("kept orders", "none: the gateway does not maintain and resubmit orders")
    text = "the gateway keeps orders while it has no connection, and sends them late when it is back"
    if config.active.account_kind is AccountKind.LIVE:
        return failure("kept orders", text, MAINTAINS_REMEDY, ExitCode.GATEWAY_SETTING)
    return warning("kept orders", text, MAINTAINS_REMEDY)


def stop(config: Config, told: GatewayConfigured, name: str, gateway: Gateway) -> Iterator[Finding]:
    """Whether the calendar expects the gateway to be away when it stops each day."""
    if not told.daily_stop:
        return
    when = f"{told.daily_stop}, by the gateway's own clock"
    if daily_stop.minute_of(told.daily_stop) is None:
        yield warning("daily stop", f"{when}: not understood", f"see by hand that gateways.{name}.windows has it")
    elif not daily_stop.unexpected(told.daily_stop, gateway.windows):
        yield fine("daily stop", f"{when}, in a restart window if that is {gateway.time_zone}")
    elif config.active.account_kind is AccountKind.LIVE:
        text, remedy = daily_stop.words(told.daily_stop), daily_stop.remedy(name)
        yield failure("daily stop", text, remedy, ExitCode.GATEWAY_SETTING)
    else:
        yield warning("daily stop", daily_stop.words(told.daily_stop), daily_stop.remedy(name))


def _others(told: GatewayConfigured) -> str:
    rate = {
        True: "messages above the allowed rate are refused with 100",
        False: "messages above the allowed rate wait",
        None: "what happens above the allowed rate is not told",
    }[told.rejects_above_rate]
    trusted = ", ".join(told.trusted_addresses[:5]) or "no address"
    who = "only its own machine may connect" if told.localhost_only else f"{trusted} trusted"
    return f"{rate}; {who}"
