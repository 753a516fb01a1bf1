"""What the gateway's own settings mean for orders: asked in each session, before it is trusted with one.

Since release 10.28 TWS and IB Gateway come with "maintain and resubmit orders when connection is restored" switched on.
An order that reaches such a gateway while it has no connection to IB is kept, and sent when the connection is back:
minutes late, at a price of then. Nothing a client sees tells beforehand; the setting itself does. A client may read it
from server version 219 on; of older gateways it is unknown, and said to be unknown.

The setting that makes the API read-only is told by the same answer, and by the words of any refusal. While something
is found to be wrong the question is repeated, so that the gate opens soon after the setting was mended: the same
question, or for older gateways the next order id, which a read-only one does not tell. What is known to be wrong stays
so over sessions with the same gateway, until it answers otherwise: nobody mends a setting by a lost connection. That
it cannot be known stands as long: a live account whose gateway nobody has looked at is one to be told of.

The same answer has the time at which the gateway stops each day. Where that is in no restart window of its calendar,
orders are sent into a restart, and each night somebody is woken for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.link import daily_stop
from ibkr_adapter.core.request_ids import ReqIdCounter
from ibkr_adapter.core.settings import Settings
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import GatewayConfigured, SessionLost
from ibkr_adapter.requests import Request, RequestGatewayConfiguration, RequestIds
from ibkr_adapter.snapshot import PreflightView
from ibkr_adapter.windows import Window

SERVER_VERSION_MIN: Final = 219
"""Source: ibapi 10.46.1, ``MIN_SERVER_VER_CONFIG``."""

ANSWER_WITHIN_NS: Final = 10 * SECOND
AGAIN_NS: Final = 30 * SECOND
"""How often a gateway with a wrong setting is asked whether it still has it."""

API_SETTINGS: Final = (
    "the API settings (TWS: File > Global Configuration > API > Settings;"
    " IB Gateway: Configure > Settings > API > Settings)"
)
MAINTAINS_REMEDY: Final = f'untick "Maintain and resubmit orders when connection is restored" in {API_SETTINGS}'
READ_ONLY_REMEDY: Final = f'untick "Read-Only API" in {API_SETTINGS}'

UNCHECKED_REMEDY: Final = f"see by hand that it is off, and do so again after each update: {MAINTAINS_REMEDY}"

READ_ONLY_WORDS: Final = "read-only mode"
"""As in ``The API interface is currently in Read-Only mode``, the cause in a 321."""


class Checked(StrEnum):
    """Whether the gateway maintains and resubmits orders: it does not, it does, or nobody knows."""

    OK = "ok"
    ON = "on"
    UNCHECKED = "unchecked"


class Preflight:
    """What the present gateway was found to have set."""

    def __init__(self, settings: Settings, request_ids: ReqIdCounter) -> None:
        self._settings = settings
        self._request_ids = request_ids
        self._gateway = ""
        self._forget_gateway()
        self._ask_nothing()

    def __repr__(self) -> str:
        return f"<Preflight {self.checked.value} {self.detail}>"

    def _forget_gateway(self) -> None:
        self._forget("not asked yet")
        self._unknowable = ""
        self._daily_stop = ""

    def _forget(self, detail: str) -> None:
        self.checked = Checked.UNCHECKED
        self.detail = detail
        self.read_only: bool | None = None
        self.rejects_above_rate: bool | None = None

    def _ask_nothing(self) -> None:
        self._identified = False
        self._tells_settings = False
        self._req_id: int | None = None
        self._ids_asked = False
        self._answer_by_ns = 0
        self._again_ns = 0

    @property
    def _wrong(self) -> bool:
        return self.checked is Checked.ON or bool(self.read_only)

    @property
    def _asks_again(self) -> bool:
        return self._wrong or (self._tells_settings and self._stops_unexpectedly)

    @property
    def _stops_unexpectedly(self) -> bool:
        """A simulated one restarts when it is told to, and has no windows."""
        return self._settings.account_kind != "simulated" and daily_stop.unexpected(self._daily_stop, self._windows)

    @property
    def _windows(self) -> tuple[Window, ...]:
        return next((each.windows for each in self._settings.gateways if each.name == self._gateway), ())

    # What happened.

    def session_identified(
        self, gateway: str, server_version: int | None, ask: Callable[[Request], None], now_ns: int
    ) -> None:
        """Ask, where it concerns us and the gateway understands the question."""
        self._identified = True
        if gateway != self._gateway:
            self._gateway = gateway
            self._forget_gateway()
        if not self._settings.orders:
            self.detail = f"not asked: component {self._settings.component} sends no orders"
            return
        if server_version is None or server_version < SERVER_VERSION_MIN:
            self.checked = Checked.UNCHECKED
            self._unknown(f"server version {server_version} does not tell its settings, {SERVER_VERSION_MIN} does")
            self._daily_stop = ""
            self._again_ns = now_ns
            return
        if not self._wrong:
            self.detail = "asked, not answered yet"
        self._tells_settings = True
        self._question(ask, now_ns)

    def _question(self, ask: Callable[[Request], None], now_ns: int) -> None:
        self._again_ns = now_ns + AGAIN_NS
        if self._tells_settings:
            self._req_id = self._request_ids.take()
            self._answer_by_ns = now_ns + ANSWER_WITHIN_NS
            ask(RequestGatewayConfiguration(req_id=self._req_id))
        else:
            self._ids_asked = True
            ask(RequestIds())

    def session_lost(self, event: SessionLost, now_ns: int, out: Outbox) -> None:
        """What was well is not known any more; what was wrong is, until this gateway is asked again."""
        self._ask_nothing()
        if not self._wrong:
            self._forget("no session")

    def configured(self, event: GatewayConfigured) -> None:
        if event.req_id != self._req_id:
            return
        self._req_id = None
        self.read_only = event.read_only
        self.rejects_above_rate = event.rejects_above_rate
        self._daily_stop = event.daily_stop
        self._unknowable = ""
        if event.maintains_orders is None:
            self.checked = Checked.UNCHECKED
            self._unknown("the gateway does not tell whether it maintains and resubmits orders")
        elif event.maintains_orders:
            self.checked = Checked.ON
            self.detail = "the gateway maintains orders, and submits them late when its connection is restored"
        else:
            self.checked = Checked.OK
            self.detail = "the gateway does not maintain and resubmit orders"

    def refused(self, req_id: int, text: str) -> bool:
        """A notice or a failed send about our question; whether it was ours."""
        if req_id != self._req_id:
            return False
        self._unanswered(f"the gateway did not tell its settings: {text}")
        return True

    def _unanswered(self, why: str) -> None:
        """What is known to be wrong stays so: no answer is no evidence that it was mended."""
        self._req_id = None
        if not self._wrong:
            self._unknown(why)

    def _unknown(self, why: str) -> None:
        self.detail = self._unknowable = why

    def ids_told(self) -> None:
        """An answer that a read-only gateway does not give."""
        if self._ids_asked:
            self._ids_asked = False
            self.read_only = False

    def heard(self, text: str, now_ns: int) -> None:
        """Any notice: one that says that the API is read-only says so of the whole gateway."""
        if READ_ONLY_WORDS in text.lower():
            if not self.read_only:
                self._again_ns = now_ns + AGAIN_NS
            self.read_only = True
            self._ids_asked = False

    def tick(self, ask: Callable[[Request], None], now_ns: int, out: Outbox) -> None:
        if not self._identified:
            return
        if self._req_id is not None and now_ns >= self._answer_by_ns:
            self._unanswered(f"the gateway did not answer within {ANSWER_WITHIN_NS // SECOND} s")
        if self._asks_again and now_ns >= self._again_ns:
            self._question(ask, now_ns)
        if self._req_id is not None:
            out.wake_at(self._answer_by_ns)
        if self._asks_again:
            out.wake_at(self._again_ns)

    # What follows from it.

    def reasons(self, now_ns: int) -> Iterable[Reason]:
        """Why no new order may be sent. On paper a late order costs nothing, so there it is said and not enforced."""
        if self.checked is Checked.ON and self._settings.account_kind == "live":
            yield Reason(code="maintained_orders", text=self.detail, remedy=MAINTAINS_REMEDY)
        if self.read_only:
            yield Reason(code="read_only", text="the gateway's API is read-only", remedy=READ_ONLY_REMEDY)

    def conditions(self, now_ns: int) -> Iterable[Condition]:
        """What somebody should be told: of the setting always, urgently where money would follow a late order."""
        if self._settings.orders and self.checked is Checked.ON:
            urgent = self._settings.trading and self._settings.account_kind == "live"
            yield Condition(
                key="gateway/maintains_orders",
                severity=AlertSeverity.CRITICAL if urgent else AlertSeverity.WARNING,
                text=self.detail,
                remedy=MAINTAINS_REMEDY,
            )
        if self._settings.orders and self.checked is Checked.UNCHECKED and self._unknowable:
            yield from self._unchecked()
        if self._settings.orders and self._stops_unexpectedly:
            yield Condition(
                key="gateway/daily_stop",
                severity=AlertSeverity.WARNING,
                text=daily_stop.words(self._daily_stop),
                remedy=daily_stop.remedy(self._gateway),
            )
        if self._settings.orders and self._settings.trading and self.read_only:
            yield Condition(
                key="gateway/read_only",
                severity=AlertSeverity.WARNING,
                text="trading is switched on, but the gateway's API is read-only",
                remedy=READ_ONLY_REMEDY,
            )

    def _unchecked(self) -> Iterable[Condition]:
        """Not on paper, where a late order costs nothing, and not where none is sent."""
        if self._settings.trading and self._settings.account_kind == "live":
            yield Condition(
                key="gateway/unchecked",
                severity=AlertSeverity.WARNING,
                text=f"nobody knows whether the gateway keeps orders and sends them late: {self._unknowable}",
                remedy=UNCHECKED_REMEDY,
            )

    def view(self) -> PreflightView:
        return PreflightView(
            maintains_orders=self.checked.value,
            detail=self.detail,
            read_only=self.read_only,
            rejects_above_rate=self.rejects_above_rate,
        )
