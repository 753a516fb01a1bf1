"""``/v1/streams/stop`` and ``/v1/streams/start``: all market data off, and on again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ibkr_adapter.clock import Clock
from ibkr_adapter.commands import Command, StartStreams, StopStreams
from ibkr_adapter.console.actor import actor_of
from ibkr_adapter.ids import new_key

Submit = Callable[[Command, str], Awaitable[Response]]


def routes(submit: Submit, clock: Clock) -> list[Route]:
    """``submit`` answers with the outcome; its second argument says where to look if none comes."""

    async def switch(request: Request, kind: type[StopStreams | StartStreams]) -> Response:
        command = kind(command_id=new_key(), actor=actor_of(request), ts_recv_ns=clock.now_ns())
        return await submit(command, "look at `stopped` in GET /v1/snapshot before trying again")

    async def stop(request: Request) -> Response:
        return await switch(request, StopStreams)

    async def start(request: Request) -> Response:
        return await switch(request, StartStreams)

    return [
        Route("/v1/streams/stop", stop, methods=["POST"]),
        Route("/v1/streams/start", start, methods=["POST"]),
    ]
