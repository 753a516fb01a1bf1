"""What a recorded connection says again: each request with the replies it caused, and the replies nobody asked for.

A reply belongs to the latest request with its request id. Replies without one belong to the oldest request of their
kind that is still waiting for its end, as `positionEnd` is for `reqPositions`; those of an order belong to the request
that placed it; a commission belongs to where its execution belongs. What is left came unasked.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field

from tws_simulator.recording.format import Direction, Kind, Recording
from tws_simulator.recording.payload import Read, read_reply, read_request
from tws_simulator.wire.codec import Codec
from tws_simulator.wire.text.writing import plain

PAYLOAD_BYTES_MAX = 512 * 1024 * 1024

# A request, the replies to it that have no request id, and the one after which it is answered. Without that one the
# request goes on being answered, as it also does after its end if the end is only that of a first picture.
_ANSWERS: tuple[tuple[str, tuple[str, ...], str | None], ...] = (
    ("reqPositions", ("position", "positionEnd"), "positionEnd"),
    ("reqOpenOrders", ("openOrder", "orderStatus", "openOrderEnd"), "openOrderEnd"),
    ("reqAllOpenOrders", ("openOrder", "orderStatus", "openOrderEnd"), "openOrderEnd"),
    ("reqCompletedOrders", ("completedOrder", "completedOrdersEnd"), "completedOrdersEnd"),
    (
        "reqAccountUpdates",
        ("updateAccountValue", "updatePortfolio", "updateAccountTime", "accountDownloadEnd"),
        "accountDownloadEnd",
    ),
    ("reqNewsBulletins", ("updateNewsBulletin",), None),
    ("reqIds", ("nextValidId",), "nextValidId"),
    ("reqManagedAccts", ("managedAccounts",), "managedAccounts"),
    ("reqCurrentTime", ("currentTime",), "currentTime"),
    ("reqCurrentTimeInMillis", ("currentTimeInMillis",), "currentTimeInMillis"),
    ("reqScannerParameters", ("scannerParameters",), "scannerParameters"),
    ("requestFA", ("receiveFA",), "receiveFA"),
    ("reqNewsProviders", ("newsProviders",), "newsProviders"),
    ("reqFamilyCodes", ("familyCodes",), "familyCodes"),
    ("reqMktDepthExchanges", ("mktDepthExchanges",), "mktDepthExchanges"),
    ("reqMarketRule", ("marketRule",), "marketRule"),
)
_GO_ON = frozenset({"reqPositions", "reqAccountUpdates", "reqNewsBulletins"})
_REPLIES = {request: frozenset(replies) for request, replies, _ in _ANSWERS}
_END = {request: end for request, _, end in _ANSWERS}


class TooLarge(ValueError):
    """A replay keeps the recording in memory."""


@dataclass(slots=True)
class Reply:
    """``after_ns`` is since the request that caused it, or since the start; ``place`` counts all of its connection."""

    after_ns: int
    place: int
    payload: bytes


@dataclass(slots=True, eq=False)
class Dialogue:
    """A request and its replies. ``key`` is equal for requests that ask the same under other ids."""

    name: str
    key: str
    req_id: int | None
    at_ns: int
    replies: list[Reply] = field(default_factory=list)
    is_order: bool = False
    is_answered: bool = False


@dataclass(slots=True)
class Script:
    """One recorded connection."""

    connection: int
    server_version: int
    client_id: int | None = None
    dialogues: list[Dialogue] = field(default_factory=list)
    unasked: list[Reply] = field(default_factory=list)


def load_scripts(recording: Recording) -> list[Script]:
    """In the order in which the connections were opened; those that never came to a handshake are left out."""
    authors: dict[int, _Author] = {}
    payload_bytes = 0
    for record in recording:
        if record.kind is not Kind.FRAME or record.connection not in recording.server_versions:
            continue
        payload_bytes += len(record.payload)
        if payload_bytes > PAYLOAD_BYTES_MAX:
            raise TooLarge(f"{recording.path} has more than {PAYLOAD_BYTES_MAX >> 20} MiB of messages")
        if record.connection not in authors:
            script = Script(record.connection, recording.server_versions[record.connection])
            authors[record.connection] = _Author(script, record.time_ns)
        authors[record.connection].read(record.direction, record.payload, record.time_ns)
    return [authors[connection].script for connection in sorted(authors)]


class _Author:
    """Finds for each reply of one connection the request it belongs to."""

    def __init__(self, script: Script, began_ns: int) -> None:
        self.script = script
        self._codec = Codec(script.server_version)
        self._start_ns = began_ns
        self._replies = 0
        self._by_id: dict[int, Dialogue] = {}
        self._orders: dict[int, Dialogue] = {}
        self._executions: dict[str, Dialogue] = {}
        self._asked: dict[str, deque[Dialogue]] = {}

    def read(self, direction: Direction, payload: bytes, time_ns: int) -> None:
        if direction is Direction.TO_GATEWAY:
            self._read_request(read_request(self._codec, payload), time_ns)
            return
        owner = self._owner(read_reply(self._codec, payload))
        since_ns = self._start_ns if owner is None else owner.at_ns
        reply = Reply(max(0, time_ns - since_ns), self._replies, payload)
        self._replies += 1
        (self.script.unasked if owner is None else owner.replies).append(reply)

    def _read_request(self, request: Read, time_ns: int) -> None:
        if request.name == "startApi":
            self.script.client_id = request.values.get("clientId", 0)
            self._start_ns = time_ns
            return
        asked = Dialogue(request.name, request_key(request), request.id, time_ns, is_order=request.is_order)
        self.script.dialogues.append(asked)
        if request.id is not None:
            self._by_id[request.id] = asked
            if request.is_order:
                self._orders[request.id] = asked
        if request.is_unsubscribe:
            self._ended(request.name)
        elif request.name.startswith("cancel"):
            self._ended(f"req{request.name.removeprefix('cancel')}")
        elif request.name in _REPLIES:
            self._asked.setdefault(request.name, deque()).append(asked)

    def _ended(self, name: str) -> None:
        for earlier in tuple(self._asked.get(name, ())):
            self._answered(earlier)

    def _owner(self, reply: Read) -> Dialogue | None:
        owner = self._owner_by_id(reply) or self._owner_by_name(reply.name) or self._owner_by_order(reply)
        if owner is not None and reply.name == "execDetails":
            self._executions[reply.values.get("execution", {}).get("execId", "")] = owner
        return owner

    def _owner_by_id(self, reply: Read) -> Dialogue | None:
        if reply.name == "commissionAndFeesReport":
            return self._executions.get(reply.values.get("execId", ""))
        for candidate in reply.ids:
            if candidate in self._by_id:
                return self._by_id[candidate]
        return None

    def _owner_by_name(self, name: str) -> Dialogue | None:
        kinds = [request for request, replies in _REPLIES.items() if name in replies]
        waiting = [asked for kind in kinds for asked in self._asked.get(kind, ()) if not asked.is_answered]
        if waiting:
            oldest = min(waiting, key=lambda asked: asked.at_ns)
            if name == _END[oldest.name]:
                self._answered(oldest)
            return oldest
        going_on = [self._asked[kind][-1] for kind in kinds if kind in _GO_ON and kind in self._asked]
        return going_on[-1] if going_on else None

    def _answered(self, asked: Dialogue) -> None:
        """Only the latest of those answered is remembered, for what goes on coming."""
        asked.is_answered = True
        queue = self._asked[asked.name]
        while len(queue) > 1 and queue[0].is_answered:
            queue.popleft()

    def _owner_by_order(self, reply: Read) -> Dialogue | None:
        order_id = reply.values.get("orderId", reply.values.get("execution", {}).get("orderId"))
        return self._orders.get(order_id) if reply.name in ("openOrder", "orderStatus", "execDetails") else None


def request_key(request: Read) -> str:
    """Numbers are compared as what they are, not as they were written."""
    if not request.is_known:
        return f"{request.name} {request.payload.hex()}"
    return f"{request.name} {json.dumps(_without_id(request), sort_keys=True, default=plain)}"


def _without_id(request: Read) -> dict[str, object]:
    return {name: value for name, value in request.values.items() if name != request.id_field}
