"""Faults of the gateway's own connections: to the broker, to data farms, among logins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

from tws_simulator.api.link import End
from tws_simulator.api.session import Session, SessionState
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.actions.messages import Refuse
from tws_simulator.faults.actions.sockets import PortDown
from tws_simulator.faults.event import Cause
from tws_simulator.faults.outage import Outage
from tws_simulator.faults.rig import Rig
from tws_simulator.faults.setback import Setback
from tws_simulator.faults.stops import DATA_KINDS, FARM_KINDS
from tws_simulator.faults.wordings import wording

_LINK, _DATA, _COMPETING = "link", "data", "competing"
_DATA_REQUESTS = ("reqMktData", "reqMktDepth", "reqTickByTickData", "reqRealTimeBars")
_FARM_CODES = {
    ("market", "broken"): 2103,
    ("market", "ok"): 2104,
    ("market", "inactive"): 2108,
    ("market", "connecting"): 2119,
    ("history", "broken"): 2105,
    ("history", "ok"): 2106,
    ("history", "inactive"): 2107,
    ("sec-def", "broken"): 2157,
    ("sec-def", "ok"): 2158,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkLost(Action):
    """The gateway loses its connection to the broker: 1100 (or 2110), also to newcomers, and all market data stops.

    With ``newcomers_told`` false those are greeted as ever, with farms that are well, and hear nothing of it. Contract
    details and symbols are the broker's: whoever asks for them gets no answer.
    Orders are ``queued`` and sent when the link is back (a gateway's default), ``lost``, or go on ``working``; queued
    ones are listed as PendingSubmit. Fills happen all the same; unless ``fills_told`` the gateway knows nothing of
    them: orders, executions, positions and values stay what they were, live and when asked for.
    """

    do: ClassVar[str] = "link_lost"
    code: Literal[1100, 2110] = 1100
    orders: Literal["queued", "lost", "working"] = "queued"
    fills_told: bool = False
    newcomers_told: bool = True

    def apply(self, rig: Rig, cause: Cause) -> None:
        _tell_all(rig, self.code)
        rig.stops.add(_LINK, DATA_KINDS)
        notice = (self.code, wording(self.code)) if self.newcomers_told else None
        rig.lose_link(Outage(self.orders), notice, hears=self.fills_told)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkBack(Action):
    """The connection to the broker is back. Data ``kept``: 1102 and subscriptions go on; ``lost``: 1101, they are gone.

    ``kept silently`` sends neither, as after 2110. Then comes what orders are now, if it is not what they were, and
    positions and values as far as somebody subscribed to them; executions are there for whom asks.
    """

    do: ClassVar[str] = "link_back"
    data: Literal["kept", "lost", "kept silently"] = "kept"

    def apply(self, rig: Rig, cause: Cause) -> None:
        if self.data == "lost":
            for session in rig.gateway.running():
                _end_streams(session, DATA_KINDS)
        if self.data != "kept silently":
            _tell_all(rig, 1101 if self.data == "lost" else 1102)
        rig.lift(_LINK)
        rig.restore_link()


@dataclass(frozen=True, kw_only=True, slots=True)
class Farm(Action):
    """The connection to a data farm changes: its notice, and the farm's data stops while it is broken or connecting.

    ``kind`` is market (level 1, depth, ticks, 5 second bars), history or sec-def; ``name`` is another farm's name.
    """

    do: ClassVar[str] = "farm"
    kind: Literal["market", "history", "sec-def"] = "market"
    state: Literal["broken", "ok", "inactive", "connecting"]
    name: str = ""

    def apply(self, rig: Rig, cause: Cause) -> None:
        code = _FARM_CODES.get((self.kind, self.state))
        stop = f"farm {self.kind} {self.name}"
        if self.state in ("broken", "connecting"):
            rig.stops.add(stop, FARM_KINDS[self.kind])
        else:
            rig.lift(stop)
        if code is not None:
            text = wording(code)
            _tell_all(rig, code, f"{text[: text.rindex(_separator(text)) + 1]}{self.name}" if self.name else text)


@dataclass(frozen=True, kw_only=True, slots=True)
class StopData(Action):
    """Market data stops without a word, for ``for_s`` seconds (0: until resume_data); of some ``kinds``, or of all."""

    do: ClassVar[str] = "stop_data"
    kinds: tuple[str, ...] = ()
    for_s: float = 0.0

    def problem(self) -> str:
        return _problem_of_kinds(self.kinds)

    def apply(self, rig: Rig, cause: Cause) -> None:
        rig.stops.add(_DATA, frozenset(self.kinds) or DATA_KINDS, self.client_id(cause))
        if self.for_s:
            rig.after(self.for_s, partial(rig.lift, _DATA))


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeData(Action):
    """Market data that stop_data stopped goes on."""

    do: ClassVar[str] = "resume_data"

    def apply(self, rig: Rig, cause: Cause) -> None:
        rig.lift(_DATA)


@dataclass(frozen=True, kw_only=True, slots=True)
class EndData(Action):
    """Subscriptions to market data end without a word, of some ``kinds`` or of all; new ones are served."""

    do: ClassVar[str] = "end_data"
    kinds: tuple[str, ...] = ()

    def problem(self) -> str:
        return _problem_of_kinds(self.kinds)

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            _end_streams(session, frozenset(self.kinds) or DATA_KINDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class CompetingSession(Action):
    """Somebody else logs in with the same user: 10197 for every data subscription and new request; data stops.

    For ``for_s`` seconds (0: for good); then it goes on by itself.
    """

    do: ClassVar[str] = "competing_session"
    for_s: float = 0.0

    def apply(self, rig: Rig, cause: Cause) -> None:
        rig.stops.add(_COMPETING, DATA_KINDS)
        for session in rig.gateway.running():
            for kind, req_id in session.streams:
                if kind in DATA_KINDS:
                    rig.tell_error(session, req_id, 10197, wording(10197))
        Refuse(names=_DATA_REQUESTS, code=10197, for_s=self.for_s, everyone=True).apply(rig, cause)
        if self.for_s:
            rig.after(self.for_s, partial(rig.lift, _COMPETING))


@dataclass(frozen=True, kw_only=True, slots=True)
class Restart(Action):
    """The gateway restarts: connections end in order, and its port refuses for ``for_s`` seconds (0: until port_up).

    Orders never transmitted are gone, and those that waited for the link. Each client's next greeting names an order id
    ``ids_back`` lower than it was to be, but at least 1; reqIds is answered truly.
    """

    do: ClassVar[str] = "restart"
    for_s: float = 60.0
    ids_back: int = 0

    def apply(self, rig: Rig, cause: Cause) -> None:
        PortDown(for_s=self.for_s).apply(rig, cause)
        for session in rig.gateway.sessions:
            rig.end(session, End.CLOSE)
        rig.forget_what_waits()
        rig.setback = Setback(self.ids_back)


@dataclass(frozen=True, kw_only=True, slots=True)
class SetBackIds(Action):
    """From now on each client is greeted once with an order id ``by`` lower than it was to be, but at least 1."""

    do: ClassVar[str] = "set_back_ids"
    by: int

    def apply(self, rig: Rig, cause: Cause) -> None:
        rig.setback = Setback(self.by)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimVersion(Action):
    """Name another server version in the handshake than was agreed; the gateway goes on in the agreed one."""

    do: ClassVar[str] = "claim_version"
    version: int

    def apply(self, rig: Rig, cause: Cause) -> None:
        rig.server_version = self.version


def _tell_all(rig: Rig, code: int, text: str = "") -> None:
    for session in rig.gateway.sessions:
        if session.state is SessionState.RUNNING:
            rig.tell_error(session, -1, code, text or wording(code))


def _end_streams(session: Session, kinds: frozenset[str]) -> None:
    for key in [key for key in session.streams if key[0] in kinds]:
        del session.streams[key]


def _problem_of_kinds(kinds: tuple[str, ...]) -> str:
    return "" if DATA_KINDS.issuperset(kinds) else f"kinds are {', '.join(sorted(DATA_KINDS))}"


def _separator(text: str) -> str:
    return ":" if ":" in text else "."
