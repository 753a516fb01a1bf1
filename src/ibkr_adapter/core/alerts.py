"""One incident for each cause: told once when it begins, now and then while its words change, once when it is over.

Each part of the core says every turn what is wrong with it (``Condition``). Whether somebody is told is decided here,
by time alone:

- it must have held for ``after_ns``, so that what heals itself stays quiet;
- while an excuse holds (a planned window) what its kind excuses is held back, and told when the excuse ends and it is
  still so; a restart excuses each cause for the window's patience, from when it began, and no longer;
- it is over when it has been well for ``HEALTHY_NS``; what concerns the gateway, or lies beyond it, only in a session
  that is ready: a cause that nobody can see any more is not gone, and one outage has one end;
- what comes and goes more than ``FLAPS_MAX`` times in ``FLAPPING_NS`` is one lasting incident: it is told although no
  single time was long enough, and stays open until it has calmed down; unless short times are no fault at all, as
  the beginning of each session is none (``adds_up``).

What an earlier life of the service had open is given back at the start, so that nothing is told twice and nothing
stays open for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from ibkr_adapter.clock import MINUTE, SECOND
from ibkr_adapter.core.link.calendar import Excuse
from ibkr_adapter.effects import Outbox
from ibkr_adapter.events import AlertChanged, AlertSeverity, NoticeReceived
from ibkr_adapter.notices import Notice
from ibkr_adapter.snapshot import AlertView
from ibkr_adapter.windows import WindowKind

Excuses = Callable[[int], Excuse | None]
"""What explains at this moment something that has been wrong since then."""

__all__ = ["AlertSeverity", "Alerts", "Condition"]

HEALTHY_NS = 30 * SECOND
UPDATE_EVERY_NS = 5 * MINUTE
FLAPS_MAX = 3
FLAPPING_NS = 10 * MINUTE
INHERITED_NS = 2 * MINUTE
"""What an earlier life left open is over when nothing has been wrong for this long."""

NOTICE_NS = 5 * MINUTE
"""A code that comes once has no end of its own: it counts as true for so long."""

SEEN_IN_A_SESSION = ("link/", "client_id/", "gateway/", "upstream/", "farm/", "data/")
"""What only a session that is ready shows to be well."""

KEYS_MAX = 300
"""Causes known at a time: every farm, every code that alerts, and the rest of us. One more is counted, not told."""


class Condition(Struct, frozen=True, kw_only=True):
    """Something that is wrong at this moment. ``key`` is stable and holds no values: ``link/down``, ``farm/usfarm``.

    It alerts when it has held for ``after_ns``. ``excused_by``: not while a window of such a kind excuses it.
    ``once_for_ns``: once said it counts as true for this long. ``adds_up``: short times of it are one lasting incident
    when there are many.
    """

    key: str
    severity: AlertSeverity
    text: str
    remedy: str = ""
    after_ns: int = 0
    excused_by: frozenset[WindowKind] = frozenset()
    once_for_ns: int = 0
    adds_up: bool = True


class _Incident:
    """What is known of one cause."""

    __slots__ = ("condition", "healthy_ns", "held_until_ns", "onsets_ns", "patience_ns", "raised", "since_ns", "told")

    def __init__(self, condition: Condition, now_ns: int) -> None:
        self.condition = condition
        self.since_ns = now_ns
        self.healthy_ns: int | None = None
        """Since when nothing is wrong; ``None`` while something is."""
        self.held_until_ns = 0
        self.raised = False
        self.told: AlertChanged | None = None
        self.onsets_ns: deque[int] = deque(maxlen=FLAPS_MAX + 1)
        self.patience_ns = HEALTHY_NS

    def flapping_until_ns(self) -> int:
        """When the first of the last onsets is long ago; 0 if there were too few of them."""
        return self.onsets_ns[0] + FLAPPING_NS if len(self.onsets_ns) > FLAPS_MAX else 0


class Alerts:
    """What somebody should know. ``dropped`` counts conditions beyond ``KEYS_MAX``."""

    def __init__(self, inherited: Sequence[AlertView] = (), *, now_ns: int = 0) -> None:
        """``inherited``: what an earlier life raised and did not resolve."""
        self._incidents: dict[str, _Incident] = {}
        self._struck: dict[str, Condition] = {}
        self.dropped = 0
        for view in inherited[:KEYS_MAX]:
            self._inherit(view, now_ns)

    def __repr__(self) -> str:
        raised = sorted(key for key, incident in self._incidents.items() if incident.raised)
        return f"<Alerts {', '.join(raised) or 'none'}>"

    def struck(self, key: str, severity: AlertSeverity, text: str, remedy: str = "", *, hold_ns: int) -> None:
        """Something happened that has no end of its own: it counts as true for ``hold_ns`` from the turn on."""
        if key in self._struck or len(self._struck) < KEYS_MAX:
            self._struck[key] = Condition(key=key, severity=severity, text=text, remedy=remedy, once_for_ns=hold_ns)
        else:
            self.dropped += 1

    def noticed(self, event: NoticeReceived, notice: Notice) -> None:
        """A code that changes nothing, and perhaps is to be told. Others change a part, which says what is wrong."""
        if notice.alert:
            critical = notice.severity == "critical"
            self.struck(
                f"notice/{event.code}",
                AlertSeverity.CRITICAL if critical else AlertSeverity.WARNING,
                f"{notice.text}: {event.text}",
                hold_ns=NOTICE_NS,
            )

    def watch(
        self,
        conditions: Iterable[Condition],
        now_ns: int,
        excuses: Excuses,
        out: Outbox,
        *,
        ready: bool = True,
    ) -> None:
        """Take all that is wrong now; publish what changed, and ask to be woken when time alone would change more.

        ``excuses``: of planned windows. ``ready``: a session is.
        """
        wrong = {condition.key: condition for condition in (*conditions, *self._struck.values())}
        self._struck.clear()
        for condition in wrong.values():
            self._seen(condition, now_ns, excuses)
        for key, incident in list(self._incidents.items()):
            if incident.raised and not ready and key.startswith(SEEN_IN_A_SESSION):
                incident.healthy_ns = None
            elif key not in wrong and now_ns >= incident.held_until_ns and incident.healthy_ns is None:
                incident.healthy_ns = now_ns
            if incident.healthy_ns is None:
                self._ill(incident, now_ns, excuses, out)
            elif self._well(incident, now_ns, out):
                del self._incidents[key]

    def views(self) -> tuple[AlertView, ...]:
        """What is raised, critical first, then the oldest; then what only waits to be."""
        views = [_view(incident) for incident in self._incidents.values() if incident.raised or not incident.healthy_ns]
        return tuple(sorted(views, key=lambda v: (not v.raised, v.severity != AlertSeverity.CRITICAL, v.since_ns)))

    def _seen(self, condition: Condition, now_ns: int, excuses: Excuses) -> None:
        incident = self._incidents.get(condition.key)
        if incident is None:
            if not self._room():
                self.dropped += 1
                return
            incident = self._incidents[condition.key] = _Incident(condition, now_ns)
            incident.healthy_ns = now_ns
        if incident.healthy_ns is not None:
            incident.healthy_ns = None
            if not incident.raised:
                incident.since_ns = now_ns
            if condition.adds_up and _excuse(condition, incident.since_ns, excuses) is None:
                incident.onsets_ns.append(now_ns)
        incident.condition = condition
        incident.held_until_ns = now_ns + condition.once_for_ns
        incident.patience_ns = HEALTHY_NS

    def _ill(self, incident: _Incident, now_ns: int, excuses: Excuses, out: Outbox) -> None:
        if incident.held_until_ns > now_ns:
            out.wake_at(incident.held_until_ns)
        if incident.raised:
            self._update(incident, now_ns, out)
        elif (excuse := _excuse(incident.condition, incident.since_ns, excuses)) is not None:
            out.wake_at(excuse.changes_ns)
        else:
            due_ns = incident.since_ns + incident.condition.after_ns
            if now_ns >= due_ns or now_ns < incident.flapping_until_ns():
                incident.raised = True
                self._tell(incident, now_ns, out)
            else:
                out.wake_at(due_ns)

    def _update(self, incident: _Incident, now_ns: int, out: Outbox) -> None:
        told, condition = incident.told, incident.condition
        assert told is not None
        worse = condition.severity is AlertSeverity.CRITICAL and told.severity is not AlertSeverity.CRITICAL
        if told.text == condition.text and not worse:
            return
        due_ns = told.ts_recv_ns + (0 if worse else UPDATE_EVERY_NS)
        if now_ns < due_ns:
            out.wake_at(due_ns)
        else:
            self._tell(incident, now_ns, out)

    def _well(self, incident: _Incident, now_ns: int, out: Outbox) -> bool:
        """Publish the end when it has been well for long enough; true when it can be forgotten."""
        assert incident.healthy_ns is not None
        calm_ns = incident.flapping_until_ns()
        if incident.raised:
            over_ns = max(incident.healthy_ns + incident.patience_ns, calm_ns)
            if now_ns < over_ns:
                out.wake_at(over_ns)
                return False
            incident.raised = False
            self._tell(incident, now_ns, out)
        return not incident.onsets_ns or now_ns >= incident.onsets_ns[-1] + FLAPPING_NS

    def _tell(self, incident: _Incident, now_ns: int, out: Outbox) -> None:
        condition = incident.condition
        incident.told = AlertChanged(
            ts_recv_ns=now_ns,
            key=condition.key,
            severity=condition.severity,
            text=condition.text,
            remedy=condition.remedy,
            raised=incident.raised,
            since_ns=incident.since_ns,
        )
        out.publishes.append(incident.told)

    def _room(self) -> bool:
        """There is room for one more cause, if need be at the expense of one that is over."""
        if len(self._incidents) < KEYS_MAX:
            return True
        for key, incident in self._incidents.items():
            if incident.healthy_ns is not None and not incident.raised:
                del self._incidents[key]
                return True
        return False

    def _inherit(self, view: AlertView, now_ns: int) -> None:
        condition = Condition(key=view.key, severity=AlertSeverity(view.severity), text=view.text, remedy=view.remedy)
        incident = self._incidents[view.key] = _Incident(condition, view.since_ns)
        incident.raised = True
        incident.healthy_ns = now_ns
        incident.patience_ns = INHERITED_NS
        incident.told = AlertChanged(
            ts_recv_ns=now_ns,
            key=view.key,
            severity=condition.severity,
            text=view.text,
            remedy=view.remedy,
            raised=True,
            since_ns=view.since_ns,
        )


def _excuse(condition: Condition, since_ns: int, excuses: Excuses) -> Excuse | None:
    excuse = excuses(since_ns) if condition.excused_by else None
    return excuse if excuse is not None and excuse.kinds & condition.excused_by else None


def _view(incident: _Incident) -> AlertView:
    condition = incident.condition
    return AlertView(
        key=condition.key,
        severity=condition.severity.value,
        text=condition.text,
        remedy=condition.remedy,
        since_ns=incident.since_ns,
        raised=incident.raised,
    )
