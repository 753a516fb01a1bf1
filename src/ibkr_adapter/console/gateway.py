"""``/v1/gateway/failback``: from the standby back to the environment's own gateway."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ibkr_adapter.clock import Clock
from ibkr_adapter.commands import FailBack
from ibkr_adapter.console.actor import actor_of
from ibkr_adapter.console.streams import Submit
from ibkr_adapter.ids import new_key


def routes(submit: Submit, clock: Clock) -> list[Route]:
    """``submit`` as for the streams."""

    async def fail_back(request: Request) -> Response:
        command = FailBack(command_id=new_key(), actor=actor_of(request), ts_recv_ns=clock.now_ns())
        return await submit(command, "look at `link` in GET /v1/snapshot before trying again")

    return [Route("/v1/gateway/failback", fail_back, methods=["POST"])]
