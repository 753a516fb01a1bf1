"""Messages lost, late, doubled, out of order, changed, refused or invented."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Literal

from tws_simulator.api.notices import NO_REQUEST
from tws_simulator.api.session import Session, SessionState
from tws_simulator.faults.actions.base import Action
from tws_simulator.faults.actions.selecting import Changing, Selecting
from tws_simulator.faults.event import Cause
from tws_simulator.faults.filters import ReplyFilter, RequestFilter
from tws_simulator.faults.rig import Rig
from tws_simulator.faults.values import ANYTHING, changed, filled, lookup
from tws_simulator.faults.wordings import wording
from tws_simulator.wire.codec import ROWS_BY_NAME, Codec
from tws_simulator.wire.handshake import NEWEST_SERVER_VERSION, OLDEST_SERVER_VERSION
from tws_simulator.wire.row import Message

_OF_THE_SESSION = frozenset({100, 326, 507})  # told with id -1, whatever request drew them
Direction = Literal["reply", "request"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop(Changing):
    """Lose messages. A lost request was never read; a lost reply is one of which the gateway knows nothing."""

    do: ClassVar[str] = "drop"
    direction: Direction = "reply"

    def change(self, rig: Rig, session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Delay(Changing):
    """Let messages pass ``seconds`` later; what is not selected overtakes them.

    When a hundred thousand wait, the next ones do not.
    """

    do: ClassVar[str] = "delay"
    direction: Direction = "reply"
    seconds: float

    def change(self, rig: Rig, session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
        if rig.is_full:
            return (message,)
        if self.direction == "request":
            rig.after(self.seconds, partial(_serve, rig, session, message))
        else:
            rig.after(self.seconds, partial(rig.tell, session, message))
        return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Duplicate(Selecting):
    """Tell replies ``times`` times."""

    do: ClassVar[str] = "duplicate"
    times: int = 2

    def apply(self, rig: Rig, cause: Cause) -> None:
        def change(session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
            return (message,) * self.times

        rig.arm(ReplyFilter(self.selection(rig, cause), self.until_ns(rig), change))


@dataclass(frozen=True, kw_only=True, slots=True)
class Reorder(Selecting):
    """Gather ``window`` replies and tell them in another order: from the last to the first, or as ``order`` says.

    ``order`` lists positions, from 0. A window that does not fill is told after ``patience_s`` seconds.
    """

    do: ClassVar[str] = "reorder"
    window: int = 2
    order: tuple[int, ...] = ()
    patience_s: float = 1.0

    def problem(self) -> str:
        is_order = not self.order or sorted(self.order) == list(range(self.window))
        return "" if is_order and self.window > 0 else "order names each position of the window once, from 0"

    def apply(self, rig: Rig, cause: Cause) -> None:
        def change(session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
            if not memory and rig.is_full:
                return (message,)
            memory.append(message)
            if len(memory) == 1:
                rig.after(self.patience_s, partial(_tell_all, rig, session, memory))
            if len(memory) < self.window:
                return ()
            gathered = tuple(memory)
            memory.clear()
            return tuple(gathered[at] for at in self.order) if self.order else gathered[::-1]

        rig.arm(ReplyFilter(self.selection(rig, cause), self.until_ns(rig), change))


@dataclass(frozen=True, kw_only=True, slots=True)
class Replace(Changing):
    """Change values of messages: ``set`` by path, and numbers moved by ``add``."""

    do: ClassVar[str] = "replace"
    direction: Direction = "reply"
    set: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, float] = field(default_factory=dict)

    def problem(self) -> str:
        rows = [] if ANYTHING in self.names else self.names
        return "".join(_problem_of_values(self.direction, name, self.set) for name in rows)

    def change(self, rig: Rig, session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
        values = rig.fill_in(dict(self.set), Cause(session.peer, message))
        return (changed(message, {path: lookup(values, path) for path in self.set}, self.add),)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse(Selecting):
    """Answer requests with an error whose id is theirs; ``served`` ones are also done, ``closing`` ends the connection.

    ``text`` is IB's wording of the code, unless given.
    """

    do: ClassVar[str] = "refuse"
    code: int
    text: str = ""
    served: bool = False
    closing: bool = False

    def apply(self, rig: Rig, cause: Cause) -> None:
        def change(session: Session, message: Message, memory: list[Message]) -> tuple[Message, ...]:
            msg_id = message.get("reqId", message.get("orderId", NO_REQUEST))
            msg_id = NO_REQUEST if self.code in _OF_THE_SESSION else msg_id
            rig.tell_error(session, msg_id, self.code, self.text or wording(self.code, msg_id))
            if self.closing:
                session.enter(SessionState.CLOSED)
            return (message,) if self.served else ()

        rig.arm(RequestFilter(self.selection(rig, cause), self.until_ns(rig), change))


@dataclass(frozen=True, kw_only=True, slots=True)
class Inject(Action):
    """Tell a message that nobody asked for, ``times`` times: its ``name`` and ``values``.

    Paths may be dotted; "$orderId" stands for that value of the message that caused it.
    """

    do: ClassVar[str] = "inject"
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1

    def problem(self) -> str:
        return _problem_of_values("reply", self.name, self.values)

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            if session.state in (SessionState.RUNNING, SessionState.AWAITING_START):
                for _ in range(self.times):
                    rig.tell(session, Message(self.name, rig.fill_in(dict(self.values), cause)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Tell(Action):
    """Send an error or notice, ``times`` times; id -1, and the code's usual text, unless given."""

    do: ClassVar[str] = "tell"
    code: int
    text: str = ""
    id: int | str = NO_REQUEST
    times: int = 1

    def apply(self, rig: Rig, cause: Cause) -> None:
        for session in self.sessions(rig, cause):
            if session.state is SessionState.RUNNING:
                for _ in range(self.times):
                    values = rig.fill_in({"id": self.id, "text": self.text}, cause)
                    msg_id = values.get("id", NO_REQUEST)
                    rig.tell_error(session, msg_id, self.code, values.get("text") or wording(self.code, msg_id))


def _problem_of_values(direction: Direction, name: str, template: Mapping[str, Any]) -> str:
    """What no text and no protobuf can carry is found before it is to be told; a $ text is not known yet."""
    if (direction, name) not in ROWS_BY_NAME:
        return ""
    known: dict[str, Callable[[], object]] = {"ACCOUNT": lambda: "DU1", "NOW_S": lambda: 1, "SERIAL": lambda: 1}
    trial = Message(name, filled(template, {}, known))
    for server_version in (OLDEST_SERVER_VERSION, NEWEST_SERVER_VERSION):
        codec = Codec(server_version)
        try:
            codec.encode_reply(trial) if direction == "reply" else codec.encode_request(trial)
        except (TypeError, ValueError, AttributeError, ArithmeticError, struct.error) as fault:
            return f"{name} cannot carry these values: {fault}"
    return ""


def _serve(rig: Rig, session: Session, message: Message) -> None:
    if session.state is not SessionState.CLOSED:
        rig.serve(session, message)


def _tell_all(rig: Rig, session: Session, memory: list[Message]) -> None:
    for message in memory:
        rig.tell(session, message)
    memory.clear()
