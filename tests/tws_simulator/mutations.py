"""Requests as clients send them, and what becomes of them on a bad day: damaged, cut, lied about, exaggerated."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from typing import Any

from tws_simulator.wire.codec import FIRST_SERVER_VERSION_WITH_BINARY_IDS, ROWS_BY_NAME, Codec, frame
from tws_simulator.wire.row import REQUEST, Message
from tws_simulator.wire.types import TYPES

VERSIONS = (151, 163, 176, 193, 200, 201, 206, 213, 226)
PAYLOADS_OF_EACH = 8

_LIKELY: dict[str, tuple[Any, ...]] = {
    "conId": (265598, 0, 0, 272093, -1),
    "symbol": ("AAPL", "MSFT", "SPY", "ES", "EUR", "ZZZZ", ""),
    "secType": ("STK", "STK", "STK", "OPT", "FUT", "CASH", "IND", "BAG", "CFD", "NEWS", "XXX"),
    "exchange": ("SMART", "NASDAQ", "CME", "IDEALPRO", "IBKRATS", ""),
    "primaryExch": ("NASDAQ", "NYSE", ""),
    "currency": ("USD", "EUR", ""),
    "right": ("C", "P", ""),
    "lastTradeDateOrContractMonth": ("20261218", "202612", ""),
    "action": ("BUY", "SELL", "SSHORT"),
    "orderType": ("LMT", "MKT", "STP", "STP LMT", "TRAIL", "MOC", "PEG BENCH", "PEG BEST", "PEG MID", "REL", "?"),
    "tif": ("DAY", "GTC", "IOC", "FOK", "GTD", "OPG", ""),
    "account": ("", "DU0000001", "nobody"),
    "acctCode": ("", "DU0000001"),
    "group": ("All", ""),
    "tags": ("NetLiquidation,BuyingPower", "$LEDGER:ALL", "AllTags", "x"),
    "whatToShow": ("TRADES", "MIDPOINT", "BID", "ASK", "BID_ASK", "SCHEDULE", "?"),
    "barSizeSetting": ("1 min", "5 secs", "1 hour", "1 day", "?"),
    "duration": ("1 D", "3600 S", "1 Y", "30 W", "?"),
    "durationStr": ("1 D", "3600 S", "1 Y", "30 W", "?"),
    "endDateTime": ("", "20261120 16:00:00 US/Eastern", "20261120-16:00:00", "?"),
    "startDateTime": ("", "20261120 09:30:00 US/Eastern", "?"),
    "tickType": ("Last", "AllLast", "BidAsk", "MidPoint", "?"),
    "genericTickList": ("", "233,236", "100,101,104,106", "mdoff,292", "x"),
    "numRows": (1, 5, 20, 0, -1),
    "numberOfTicks": (0, 10, 1000),
    "marketDataType": (1, 2, 3, 4, 9),
    "pattern": ("AAPL", "A", ""),
}


_RIGHT: dict[str, tuple[dict[str, Any], ...]] = {
    "Contract": tuple(
        {"symbol": symbol, "secType": "STK", "exchange": "SMART", "currency": "USD"}
        for symbol in ("AAPL", "MSFT", "SPY")
    ),
    "Order": tuple(
        {"action": action, "totalQuantity": Decimal(5), "tif": "DAY", "transmit": True, **kind}
        for action in ("BUY", "SELL")
        for kind in (
            {"orderType": "MKT"},
            {"orderType": "LMT", "lmtPrice": 10.0},
            {"orderType": "STP", "auxPrice": 1e6},
        )
    ),
}
"""Parts of which the gateway makes something, more often than of those put together by chance."""


def payloads(version: int, *, placing_orders: bool = True) -> list[bytes]:
    """Whole and right requests of every family, several of each; ``placing_orders``: half of them orders."""
    named = _named_payloads(version)
    others = [payload for name, payload in named if name != "placeOrder"]
    orders = [payload for name, payload in named if name == "placeOrder"]
    return others + orders * (len(others) // len(orders)) if placing_orders else others


@cache
def _named_payloads(version: int) -> tuple[tuple[str, bytes], ...]:
    rng, codec = random.Random(version), Codec(version)
    found: list[tuple[str, bytes]] = []
    for (direction, name), row in sorted(ROWS_BY_NAME.items()):
        if direction != REQUEST or (row.text is None and version < FIRST_SERVER_VERSION_WITH_BINARY_IDS):
            continue
        many = PAYLOADS_OF_EACH * (5 if name == "placeOrder" else 1)
        requests = (Message(name, plausible(row.protobuf, rng, sparse=True)) for _ in range(many))
        found += [(name, codec.encode_request(request)) for request in requests]
    return tuple(found)


def plausible(schema: str, rng: random.Random, *, sparse: bool = False) -> dict[str, Any]:
    """Values for a schema; ``sparse`` leaves out what is seldom sent: most of the fields of a long message."""
    tokens = [token.partition(":")[::2] for token in schema.split()]
    few = len(tokens) > 12
    return {
        name: _plausible(name, kind, rng)
        for name, kind in tokens
        if not (few and sparse and name not in _LIKELY) or rng.random() < 0.1
    }


def _plausible(name: str, kind: str, rng: random.Random) -> Any:
    if kind.startswith("["):
        return [_plausible(name, kind.strip("[]"), rng) for _ in range(rng.randrange(3))]
    if kind in _RIGHT and rng.random() < 0.75:
        return rng.choice(_RIGHT[kind])
    if kind in TYPES:
        return plausible(TYPES[kind], rng, sparse=True)
    if kind == "map":
        return {"a": "1"} if rng.random() < 0.3 else {}
    if name in _LIKELY and isinstance(_LIKELY[name][0], str) == (kind == "s"):
        return rng.choice(_LIKELY[name])
    match kind:
        case "b":
            return rng.random() < 0.5
        case "i":
            return rng.randrange(1, 10_000) if name == "orderId" else rng.choice((0, 1, 2, 3, 9, 100))
        case "s":
            return rng.choice(("", "x", "20261122"))
    return rng.choice((0.0, 1.0, 5.0, 187.5, 100.0))


_LENGTHS = (0, 1, 3, 4, 0xFFFF, 0x10000, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_TEXTS = (
    *("", "-1", "0", "1", "7", "99999", "2147483647", "2147483648", "-2147483649", "9223372036854775807"),
    *("9223372036854775808", "-9223372036854775808", "1e5", "1E999999999", "-1E-999999999", "1.7976931348623157E308"),
    *("NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "0x10", "1_000", " 1", "1 ", "+1", "--1", "1,5", "0.1"),
    *(
        "true",
        "false",
        "abc",
        "\u00e9",
        "\u0667",
        "\U0001d11e",
        "\\u0000",
        "%s",
        "../x",
        "BAG",
        "OPT",
        "FUND",
        "PEG BEST",
    ),
    *("9" * 400, "9" * 5000, "A" * 70_000, "20261122 25:61:61", "99999999", "00000000", "2147483647 D", "1 day"),
)
_VARINTS = (
    *(b"\x00", b"\x01", b"\x7f", b"\x80\x01", b"\xff\xff\xff\xff\x07", b"\x80\x80\x80\x80\x08"),
    *(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\xff" * 9 + b"\x01", b"\xff" * 10 + b"\x01", b"\xff" * 40),
)
_DOUBLES = tuple(
    struct.pack("<d", number)
    for number in (0.0, -0.0, 1e-300, 1e300, -1e300, float("inf"), float("-inf"), float("nan"), 1.7976931348623157e308)
)


class Mutator:
    """Damages requests of one server version; ``next_bytes`` is what a client would have sent."""

    def __init__(self, rng: random.Random, version: int, corpus: list[bytes]) -> None:
        self.rng = rng
        self._corpus = corpus
        self._id_bytes = 4 if version >= FIRST_SERVER_VERSION_WITH_BINARY_IDS else 0
        self._ways: tuple[Callable[[bytes], bytes], ...] = (
            self._flipped,
            self._cut,
            self._lied_about,
            self._spliced,
            self._renamed,
            self._exaggerated,
            self._exaggerated,
            self._stuffed,
            self._doubled,
            self._noise,
            frame,
            frame,
            frame,
        )

    def next_bytes(self) -> bytes:
        """One damaged frame; now and then two at once, or what follows a frame that lied."""
        return self.rng.choice(self._ways)(self.rng.choice(self._corpus))

    def _flipped(self, payload: bytes) -> bytes:
        damaged = bytearray(payload)
        for _ in range(self.rng.choice((1, 1, 1, 2, 8))):
            damaged[self.rng.randrange(len(damaged))] ^= 1 << self.rng.randrange(8)
        return frame(bytes(damaged))

    def _cut(self, payload: bytes) -> bytes:
        return frame(payload[: self.rng.randrange(len(payload))])

    def _lied_about(self, payload: bytes) -> bytes:
        length = self.rng.choice((*_LENGTHS, len(payload) + 1, max(0, len(payload) - 1)))
        return struct.pack("!I", length) + payload

    def _spliced(self, payload: bytes) -> bytes:
        other = self.rng.choice(self._corpus)
        return frame(payload[: self.rng.randrange(len(payload) + 1)] + other[self.rng.randrange(len(other)) :])

    def _renamed(self, payload: bytes) -> bytes:
        if self._id_bytes:
            msg_id = self.rng.choice((*range(1, 330), 0, 2**31, 2**32 - 1))
            return frame(msg_id.to_bytes(4, "big") + payload[4:])
        _, _, body = payload.partition(b"\0")
        return frame(str(self.rng.choice((*range(-1, 330), 2**31))).encode() + b"\0" + body)

    def _exaggerated(self, payload: bytes) -> bytes:
        """A field of text, or a piece of protobuf, becomes one that no client sends."""
        is_protobuf = self._id_bytes and int.from_bytes(payload[:4], "big") > 200
        head, body = payload[: self._id_bytes], payload[self._id_bytes :]
        if is_protobuf:
            at = self.rng.randrange(len(body) + 1)
            wonder = self.rng.choice((*_VARINTS, *_DOUBLES, *(text.encode() for text in _TEXTS)))
            return frame(head + body[:at] + wonder + body[at + self.rng.choice((0, 1, len(wonder))) :])
        fields = body.split(b"\0")
        for _ in range(self.rng.choice((1, 1, 2, 5))):
            fields[self.rng.randrange(len(fields))] = self.rng.choice(_TEXTS).encode()
        return frame(head + b"\0".join(fields))

    def _stuffed(self, payload: bytes) -> bytes:
        at = self.rng.randrange(len(payload) + 1)
        return frame(payload[:at] + self.rng.randbytes(self.rng.choice((1, 2, 4, 60))) + payload[at:])

    def _doubled(self, payload: bytes) -> bytes:
        if self.rng.random() < 0.05:
            return frame(payload[: self._id_bytes] + payload[self._id_bytes :] * self.rng.choice((2, 50, 1000)))
        return frame(payload) * self.rng.choice((2, 3))

    def _noise(self, payload: bytes) -> bytes:
        return frame(payload[: self._id_bytes] + self.rng.randbytes(self.rng.choice((0, 1, 7, 80))))


_HELLOS = (
    *(b"v151..226", b"v100..226", b"v176..176", b"v226..151", b"v0..0", b"v99999..99999", b"v100..150", b"v227..300"),
    *(b"v176", b"v", b"", b"v..", b"v1..2..3", b"v100..226 +PACEAPI", b"v100..226 " + b"x" * 900, b"176..200"),
    *(
        b"v" + b"9" * 200 + b"..226",
        b"V100..226",
        b"v-1..226",
        "v\u0661..226".encode(),
        b"\xff" * 20,
        b"GET / HTTP/1.1\r\n",
    ),
)


def mutated_hello(rng: random.Random) -> bytes:
    """An opening that is nearly one."""
    hello = rng.choice((b"API\0", b"API\0", b"API\0", b"API", b"api\0", b"", b"API\1", b"\0\0\0\0"))
    hello += frame(rng.choice(_HELLOS)) if rng.random() < 0.8 else struct.pack("!I", rng.choice(_LENGTHS))
    match rng.randrange(4):
        case 0 if hello:
            damaged = bytearray(hello)
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            return bytes(damaged)
        case 1:
            return hello[: rng.randrange(len(hello) + 1)]
        case 2:
            return hello + rng.randbytes(rng.randrange(40))
    return hello
