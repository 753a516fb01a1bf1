"""A client without a socket: requests go in as bytes, replies come back decoded, in the time the test says it is."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from tws_simulator import GatewayCore, Interference, Options
from tws_simulator.api.session import Session
from tws_simulator.wire.codec import Codec, frame
from tws_simulator.wire.row import Message, message

START_NS = 1_795_365_000_000_000_000  # 2026-11-22 11:30:00 in New York
SECOND = 1_000_000_000
AAPL = {"conId": 265598, "symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}


def gateway_core(interference: Interference | None = None, **options: Any) -> GatewayCore:
    return GatewayCore(Options(**{"seed": 7, "pacing": "off", **options}), START_NS, interference)


class ScriptedClient:
    """``ask`` sends a request and returns what the gateway said to it, and before it."""

    def __init__(self, core: GatewayCore, client_id: int = 1, *, newest: int = 226, start: bool = True) -> None:
        self.core = core
        session = core.connect()
        assert session is not None, "the gateway is full"
        self.session: Session = session
        self.codec = Codec(min(newest, core.state.options.server_version))
        self._received = bytearray()
        self.send_bytes(b"API\0" + frame(f"v100..{newest}".encode()))
        self.hello = self._next_payload()
        self.greeting: list[Message] = []
        if start:
            self.greeting = self.ask("startApi", clientId=client_id)

    def ask(self, name: str, /, **values: Any) -> list[Message]:
        self.send_bytes(frame(self.codec.encode_request(message(name, **values))))
        return self.replies()

    def send_bytes(self, data: bytes) -> None:
        self.core.receive(self.session, data, self.core.state.now_ns)

    def replies(self) -> list[Message]:
        found = []
        self._received += self.session.take_output()
        while (payload := self._next_payload()) is not None:
            found.append(self.codec.decode_reply(payload, strict=True))
        return found

    def until(self, wanted: Callable[[Message], bool], seconds_max: int = 600) -> list[Message]:
        """What is told while time passes, up to and including the first message wanted."""
        told: list[Message] = []
        for _ in range(seconds_max * 4):
            self.core.advance(self.core.state.now_ns + SECOND // 4)
            for reply in self.replies():
                told.append(reply)
                if wanted(reply):
                    return told
        raise AssertionError(f"not told within {seconds_max} s of market time: {names(told)[-10:]}")

    def _next_payload(self) -> bytes | None:
        self._received += self.session.take_output()
        if len(self._received) < 4:
            return None
        length = struct.unpack_from("!I", self._received)[0]
        assert len(self._received) >= 4 + length, "the gateway writes whole frames"
        payload = bytes(self._received[4 : 4 + length])
        del self._received[: 4 + length]
        return payload


def names(messages: list[Message]) -> list[str]:
    return [each.name for each in messages]


def of(messages: list[Message], name: str) -> list[Message]:
    return [each for each in messages if each.name == name]


def codes(messages: list[Message]) -> list[tuple[int, int]]:
    """(id, code) of each error."""
    return [(each["id"], each["errorCode"]) for each in of(messages, "error")]
