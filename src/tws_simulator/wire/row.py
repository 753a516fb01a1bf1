"""One message of the protocol: its ids, its two forms, and from which server version it travels as protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tws_simulator.wire.values import Values

Direction = Literal["request", "reply"]

REQUEST: Direction = "request"
REPLY: Direction = "reply"
NO_REQUEST: Final = -1
"""The request id of what answers no request."""


@dataclass(frozen=True, slots=True)
class Row:
    """``msg_id`` is the base id; as protobuf it travels as base id + 200.

    ``text`` is None where the message has no text form. ``protobuf_since`` is the server version from which it is sent
    as protobuf; either form is understood from 201 on.
    """

    direction: Direction
    msg_id: int
    name: str
    protobuf_since: int
    text: str | None
    protobuf: str


@dataclass(frozen=True, slots=True)
class Message:
    """A decoded message: IB's name for it, and IB's names for what it carries. Absent values are no keys."""

    name: str
    values: Values = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    @property
    def req_id(self) -> int:
        return int(self.values.get("reqId", NO_REQUEST))


def message(name: str, /, **values: Any) -> Message:
    return Message(name, {key: value for key, value in values.items() if value is not None})


def part(values: Mapping[str, Any]) -> Values:
    return {key: value for key, value in values.items() if value is not None}
