"""Which gateway is tried next, and when.

Attempts follow each other after 1, 2, 4 … 60 s, and only a session that stayed ready for a minute makes the delays
short again: a port that flaps, or a message that ends every session, is not hammered. Three failed attempts in a row
give the gateway up for its standby, at once. While neither of the two proves itself they are tried in turn; one that
became ready stays in use until it fails in the same way, for nothing goes back by itself.

While a planned window holds, or the patience with a restart, attempts come every five seconds and none of them counts:
a restart that is slow comes back to us, and the standby would keep the desk for the day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ibkr_adapter.clock import SECOND
from ibkr_adapter.commands import Reason
from ibkr_adapter.core.alerts import AlertSeverity, Condition
from ibkr_adapter.core.link.calendar import RestartCalendar
from ibkr_adapter.core.settings import GatewaySettings
from ibkr_adapter.windows import ANY

FAILOVER_AFTER = 3
"""Failed attempts in a row: with 5 s for each and 1 + 2 + 4 s between, the standby is tried within 22 s of a loss."""

FAILING_AFTER = 3

STEADY_NS = 60 * SECOND
"""A session that was ready for this long has shown that its gateway works."""

EXCUSED_EVERY_NS = 5 * SECOND
"""Between attempts inside a restart window: ready soon after the port opens, and no storm before."""


class Backoff:
    """Delays double from ``first_ns`` to ``max_ns``, each spread by ±20 % so that no two services knock together.

    ``rand`` is given and yields numbers in [0, 1).
    """

    SPREAD = 0.2

    def __init__(self, *, first_ns: int, max_ns: int, rand: Callable[[], float]) -> None:
        self._first_ns = first_ns
        self._max_ns = max_ns
        self._rand = rand
        self.failures = 0

    def failed(self, *, early: bool = False) -> int:
        """Count a failure and say how long to wait; ``early`` spreads to that side only, where a sum is promised."""
        delay_ns = min(self._max_ns, self._first_ns << min(self.failures, 32))
        self.failures += 1
        aside = -self._rand() if early else 2 * self._rand() - 1
        return int(delay_ns * (1 + self.SPREAD * aside))

    def succeeded(self) -> None:
        self.failures = 0


class Gateways:
    """The one gateway that is used or tried at a time. ``failed_attempts``: in a row, the excused ones too."""

    def __init__(self, gateways: Sequence[GatewaySettings], backoff: Backoff, *, now_ns: int) -> None:
        self._gateways = tuple(gateways)
        self._calendars = {each.name: RestartCalendar(each.windows, each.time_zone) for each in gateways}
        self._backoff = backoff
        self._at = 0
        self._counted = 0
        self._searching = False
        self._leave = False
        self._return = False
        self._ready_ns: int | None = None
        self._not_before_ns: dict[str, int] = {}
        self.failed_attempts = 0
        self.next_attempt_ns: int | None = now_ns

    def __repr__(self) -> str:
        searching = " searching" if self._searching else ""
        return f"<Gateways {self.present.name}{searching} {self.failed_attempts} failed>"

    @property
    def present(self) -> GatewaySettings:
        """The gateway of the session, or of the attempt that comes next."""
        return self._gateways[self._at]

    @property
    def calendar(self) -> RestartCalendar:
        """When the present gateway is expected to be away."""
        return self._calendars[self.present.name]

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are tried at present: both, while neither has proved itself."""
        return tuple(each.name for each in self._gateways) if self._searching else (self.present.name,)

    @property
    def on_standby(self) -> bool:
        return self._at != 0

    @property
    def has_standby(self) -> bool:
        return len(self._gateways) > 1

    @property
    def failing(self) -> bool:
        """No single failure any more: three attempts in a row, or sessions that end again as soon as they are ready."""
        return self.failed_attempts >= FAILING_AFTER or self._backoff.failures > FAILING_AFTER

    def attempted(self) -> None:
        """The attempt that was due is under way: ``proved`` or ``ended`` follows."""
        self.next_attempt_ns = None

    def proved(self, now_ns: int) -> None:
        """A session is ready: nothing less proves a gateway."""
        self._ready_ns = now_ns
        self._counted = 0
        self._searching = False
        self.failed_attempts = 0

    def steady(self, now_ns: int) -> bool:
        """The present session has been ready for a minute."""
        return self._ready_ns is not None and now_ns - self._ready_ns >= STEADY_NS

    def leave(self) -> None:
        """The other gateway is wanted once the session is over."""
        self._leave = self.has_standby

    def go_back(self) -> None:
        """The environment's own gateway is wanted once the session is over."""
        self._return = True

    def ended(self, now_ns: int, *, excused: bool, wait_ns: int = 0, gateway_answered: bool = False) -> None:
        """The session or the attempt is over: say which gateway comes next, and when.

        ``wait_ns``: the cause asks that this gateway be left alone for so long. ``gateway_answered``: it refused us
        for a reason that another gateway would not mend, so it does not count towards failover.
        """
        was_ready = self._ready_ns is not None
        if not was_ready:
            self.failed_attempts += 1
        elif self.steady(now_ns):
            self._backoff.succeeded()
        self._ready_ns = None
        self._not_before_ns[self.present.name] = now_ns + wait_ns
        if self._return:
            delay_ns = self._returned()
        else:
            delay_ns = self._after_excused() if excused else self._after(not was_ready and not gateway_answered)
        self.next_attempt_ns = max(now_ns + delay_ns, self._not_before_ns.get(self.present.name, 0))

    def _returned(self) -> int:
        """At once, and as if nothing had failed: three refusals give it up again for the standby."""
        self._at, self._counted = 0, 0
        self._searching = self._leave = self._return = False
        return 0

    def _after_excused(self) -> int:
        self._leave = False
        self._counted = 0
        return EXCUSED_EVERY_NS

    def _after(self, counts: bool) -> int:
        """Change the gateway if it is time to; how long to wait for the next attempt."""
        delay_ns = self._backoff.failed(early=self.has_standby)
        if not self.has_standby:
            return delay_ns
        self._counted += counts
        if self._searching:
            self._change()
        elif self._leave or self._counted >= FAILOVER_AFTER:
            self._searching = True
            self._change()
            return 0
        return delay_ns

    def _change(self) -> None:
        self._at = (self._at + 1) % len(self._gateways)
        self._leave = False

    # What it means.

    def reasons(self, now_ns: int) -> Iterator[Reason]:
        """Why no order may be sent to the present gateway."""
        if not self.present.trading:
            yield Reason(
                code="standby",
                text=f"gateway {self.present.name} serves data and account only",
                remedy=f"set gateways.{self.present.name}.trading = true if orders may go there",
            )
        if (window := self.calendar.closing(now_ns)) is not None:
            yield Reason(
                code="restart_window",
                text=f"planned window {self.calendar.words(window)}",
                remedy=f"it opens by itself when that is over; gateways.{self.present.name}.windows sets it",
            )

    def conditions(self, *, in_use: bool, trading: bool, lost_because: str) -> Iterator[Condition]:
        """``in_use``: a session with the present gateway has become ready. ``trading``: orders would be sent."""
        if in_use and self.on_standby:
            withheld = trading and not self.present.trading
            yield Condition(
                key="link/standby",
                severity=AlertSeverity.CRITICAL if withheld else AlertSeverity.WARNING,
                text=f"the standby {self.present.name} is in use"
                + (", and no order is sent there" if withheld else ""),
                remedy="nothing goes back by itself: `ibkr-adapter failback` once the environment's own is well",
            )
        if not in_use and self.failing:
            yield Condition(
                key="link/down",
                severity=AlertSeverity.CRITICAL,
                text=f"no session with {' or '.join(self.names)}: {lost_because}",
                remedy="see that the gateway runs and is logged in; `ibkr-adapter doctor` tells what is wrong",
                excused_by=ANY,
            )
