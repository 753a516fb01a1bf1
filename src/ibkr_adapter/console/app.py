"""The page and the HTTP API, built from a port to the service."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import Final

from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ibkr_adapter.clock import Clock, SystemClock
from ibkr_adapter.commands import CancelOrder, Command, CommandOutcome
from ibkr_adapter.config.model import Config
from ibkr_adapter.console import gateway, message_codes, streams
from ibkr_adapter.console.actor import actor_of
from ibkr_adapter.console.guard import Guard
from ibkr_adapter.console.message_codes import CodesPort
from ibkr_adapter.console.orders import place_order
from ibkr_adapter.console.port import ConsolePort
from ibkr_adapter.console.refusal import Refusal
from ibkr_adapter.console.stream import INTERVAL_S, EventStreams
from ibkr_adapter.console.wire import encode, picture, plain
from ibkr_adapter.errors import ExitCode, IbkrError, InvalidRequest, LocalError
from ibkr_adapter.ids import new_key
from ibkr_adapter.ops.metrics import CONTENT_TYPE, AdapterCollector, exposition

BODY_BYTES_MAX: Final = 64 * 1024
SUBMIT_TIMEOUT_S: Final = 10.0
UNREADY_REASONS: Final = frozenset({"silent", "unconfirmed", "journal", "journal_behind"})
"""Reasons of a closed gate that something is broken; others say only that trading is off, or not for us."""

_STATIC: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_ORDER_KEY = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def build(
    port: ConsolePort,
    token: str,
    config: Config,
    *,
    stopping: asyncio.Event | None = None,
    clock: Clock | None = None,
    collector: Collector | None = None,
    codes: CodesPort | None = None,
) -> Starlette:
    """The application. ``stopping`` ends open streams; ``collector`` adds to or replaces the default metrics.

    ``codes``: the table of message codes, to be looked at and read again.
    """
    console = _Console(port, config, stopping or asyncio.Event(), clock or SystemClock(), collector)
    routes = [Route(path, _static(name, media)) for path, (name, media) in _STATIC.items()]
    routes += [
        Route("/healthz", console.healthz),
        Route("/readyz", console.readyz),
        Route("/metrics", console.metrics),
        Route("/v1/snapshot", console.snapshot),
        Route("/v1/events", console.events),
        Route("/v1/orders", console.orders, methods=["GET"]),
        Route("/v1/orders", console.place, methods=["POST"]),
        Route("/v1/orders/{order_key}", console.cancel, methods=["DELETE"]),
    ]
    routes += streams.routes(console.submit, clock or SystemClock())
    routes += gateway.routes(console.submit, clock or SystemClock())
    if codes is not None:
        routes += message_codes.routes(codes)
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, token=token, http=config.http)],
        exception_handlers={HTTPException: _http_error, IbkrError: _our_error},
    )


class _Console:
    """One method for each route."""

    def __init__(
        self, port: ConsolePort, config: Config, stopping: asyncio.Event, clock: Clock, collector: Collector | None
    ) -> None:
        self._port = port
        self._config = config
        self._clock = clock
        self._streams = EventStreams(port, stopping)
        self._collector = collector or AdapterCollector(port.snapshot, port.sinks)

    async def healthz(self, _request: Request) -> Response:
        """The process answers; nothing else is claimed."""
        return _json({"alive": True})

    async def readyz(self, _request: Request) -> Response:
        reasons = self._unready()
        return _json({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    def _unready(self) -> list[str]:
        snapshot = self._port.snapshot()
        reasons: list[str] = []
        if snapshot.link.state != "ready":
            detail = f": {snapshot.link.detail}" if snapshot.link.detail else ""
            reasons.append(f"link to {snapshot.link.address} is {snapshot.link.state}{detail}")
        if snapshot.upstream == "lost":
            reasons.append("the gateway has lost its connection to IB")
        if snapshot.upstream == "doubted":
            reasons.append("the gateway had lost its connection to IB, and has not said that it is back")
        reasons += [reason.text for reason in snapshot.gate.reasons if reason.code in UNREADY_REASONS]
        down = [sink for sink in self._port.sinks() if not sink.up]
        return reasons + [f"sink {sink.name} is down{f': {sink.detail}' if sink.detail else ''}" for sink in down]

    async def metrics(self, _request: Request) -> Response:
        return Response(exposition(self._collector), headers={"content-type": CONTENT_TYPE})

    async def snapshot(self, _request: Request) -> Response:
        return _json(picture(self._port.snapshot(), self._port.sinks()))

    async def events(self, request: Request) -> Response:
        if self._streams.full:
            return Refusal(503, "busy", "too many event streams are open", "close one", exit_code=ExitCode.FAILURE)
        given = request.query_params.get("interval_ms", "")
        if given and not re.fullmatch(r"[0-9]{1,5}", given):
            raise InvalidRequest("interval_ms", "not a number of milliseconds", remedy="0 to 99999")
        stream: AsyncIterator[bytes] = self._streams.stream(int(given) / 1000 if given else INTERVAL_S)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def orders(self, _request: Request) -> Response:
        snapshot = self._port.snapshot()
        return _json({"orders": plain(snapshot.orders), "executions": plain(snapshot.executions)})

    async def place(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return Refusal(415, "content_type", "the body is not JSON", "send Content-Type: application/json")
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return Refusal(413, "too_large", f"more than {BODY_BYTES_MAX} bytes", "an order is far smaller")
        command = place_order(body, self._config, actor_of(request), self._clock.now_ns())
        return await self.submit(command, _find(command.order_key))

    async def cancel(self, request: Request) -> Response:
        key = request.path_params["order_key"]
        if not _ORDER_KEY.fullmatch(key):
            raise InvalidRequest("order_key", "not an order key", remedy="take it from GET /v1/orders")
        now_ns = self._clock.now_ns()
        command = CancelOrder(command_id=new_key(), actor=actor_of(request), ts_recv_ns=now_ns, order_key=key)
        return await self.submit(command, _find(key))

    async def submit(self, command: Command, otherwise: str) -> Response:
        """The outcome; ``otherwise`` is what to do where none comes in time."""
        try:
            async with asyncio.timeout(SUBMIT_TIMEOUT_S):
                outcome = await self._port.submit(command)
        except TimeoutError:
            return Refusal(504, "unknown", "no outcome yet", otherwise, exit_code=ExitCode.FAILURE)
        return _json(plain(outcome), _status(outcome))


def _find(order_key: str) -> str:
    return f"look for order key {order_key} in GET /v1/orders before trying again"


def _status(outcome: CommandOutcome) -> int:
    if not outcome.accepted:
        return 409
    return 200 if outcome.repeated else 202


async def _body(request: Request) -> bytes | None:
    """The body, or ``None`` as soon as it is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return None
    return bytes(body)


def _json(body: object, status: int = 200) -> Response:
    return Response(encode(body), status, media_type="application/json")


def _static(name: str, media: str) -> Callable[[Request], Awaitable[Response]]:
    content = files("ibkr_adapter.console").joinpath("static", name).read_bytes()

    async def serve(_request: Request) -> Response:
        return Response(content, headers={"content-type": media, "cache-control": "no-cache"})

    return serve


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    remedy = "see docs/reference/http-api.md"
    return Refusal(error.status_code, "http", error.detail.lower(), remedy, headers=error.headers)


async def _our_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, IbkrError)
    if isinstance(error, InvalidRequest):
        message = error.message.removeprefix(f"{error.field}: ")
        return Refusal(422, "invalid", message, error.remedy, field=error.field, exit_code=error.exit_code)
    status = 409 if isinstance(error, LocalError) else 503
    return Refusal(status, "refused", error.message, error.remedy, exit_code=error.exit_code)
