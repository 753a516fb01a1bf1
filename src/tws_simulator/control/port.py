"""Listens on a loopback port and lets whoever asks see, and trouble, a running gateway.

GET /status      clients, streams, counters            POST /scenario    play: {"name": ...}, a table, or TOML
GET /scenarios   the library                           DELETE /scenario  no fault is left
GET /ledger      placements, executions, positions     POST /do          one action: {"do": "reset", "client": 1}
GET /orders      working and finished                  POST /time        {"advance_s": 60}, of a virtual clock
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

from tws_simulator.clocks import VirtualClock
from tws_simulator.control import answers
from tws_simulator.control.http import HEAD_BYTES_MAX, JSON_TYPE, TOML_TYPE, Refused, Request, serve_one
from tws_simulator.faults.armed import TooManyFaults
from tws_simulator.faults.director import OptionsDiffer
from tws_simulator.faults.library import NoSuchScenario, named
from tws_simulator.faults.reading import BadScenario, read_action, read_file, read_scenario
from tws_simulator.faults.scenario import Scenario
from tws_simulator.gateway import Gateway
from tws_simulator.server import require_loopback

ADVANCE_S_MAX = 3_600.0
_STEP_S = 0.25
_UNREAD_BYTES_MAX = 256 * 1024
_PAUSE_S, _PAUSES_MAX = 0.005, 1_000
"""While time is told to pass, clients are given the time to read: five seconds of it for all of one request."""

Route = Callable[[Request], Any | Awaitable[Any]]


class ControlPort:
    """Beside ``gateway``, between entry and exit; ``port`` 0 takes any free one."""

    def __init__(self, gateway: Gateway, *, port: int = 0, host: str = "127.0.0.1") -> None:
        self.port = port
        self._gateway = gateway
        self._host = require_loopback(host)
        self._listener: asyncio.Server | None = None
        self._routes: dict[str, dict[str, Route]] = {
            "/status": {"GET": lambda request: answers.status(gateway)},
            "/scenarios": {"GET": lambda request: answers.scenarios()},
            "/ledger": {"GET": lambda request: answers.ledger(gateway, _since(request))},
            "/orders": {"GET": lambda request: answers.orders(gateway)},
            "/scenario": {"POST": self._play, "DELETE": self._stop},
            "/do": {"POST": self._do},
            "/time": {"POST": self._pass_time},
        }

    async def __aenter__(self) -> ControlPort:
        self._listener = await asyncio.start_server(self._serve, self._host, self.port, limit=HEAD_BYTES_MAX)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._listener is not None
        self._listener.close()
        await self._listener.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await serve_one(reader, writer, self._answer)

    async def _answer(self, request: Request) -> Any:
        route = self._routes.get(request.path)
        if route is None:
            raise Refused(HTTPStatus.NOT_FOUND, f"there are {', '.join(self._routes)}")
        act = route.get(request.method)
        if act is None:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} knows {', '.join(route)}")
        try:
            told = act(request)
            return await told if isinstance(told, Awaitable) else told
        except (BadScenario, OptionsDiffer, TooManyFaults) as refusal:
            raise Refused(HTTPStatus.BAD_REQUEST, str(refusal)) from None
        except NoSuchScenario as refusal:
            raise Refused(HTTPStatus.NOT_FOUND, str(refusal)) from None
        finally:
            self._gateway.server.refresh()

    def _play(self, request: Request) -> dict[str, Any]:
        scenario = _scenario(request)
        self._gateway.director.play(scenario)
        return {"playing": scenario.name}

    def _stop(self, request: Request) -> dict[str, Any]:
        stopped = self._gateway.director.scenario
        self._gateway.director.stop()
        return {"stopped": stopped.name if stopped is not None else None}

    def _do(self, request: Request) -> dict[str, Any]:
        action = read_action(_json(request))
        self._gateway.director.do(action)
        return {"did": action.do}

    async def _pass_time(self, request: Request) -> dict[str, Any]:
        clock = self._gateway.clock
        if not isinstance(clock, VirtualClock):
            raise Refused(
                HTTPStatus.CONFLICT,
                "the gateway's time passes by itself: start it with `--clock manual`, or with a VirtualClock",
            )
        table = _json(request)
        seconds = table.get("advance_s") if isinstance(table, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= ADVANCE_S_MAX:
            raise Refused(HTTPStatus.BAD_REQUEST, f'{{"advance_s": 0 to {ADVANCE_S_MAX:.0f}}} is expected')
        server = self._gateway.server
        pauses = 0
        while seconds > 0:
            clock.advance(min(_STEP_S, seconds))
            seconds -= _STEP_S
            server.advance()
            await asyncio.sleep(0)
            while server.unwritten_bytes_most > _UNREAD_BYTES_MAX and pauses < _PAUSES_MAX:
                pauses += 1
                await asyncio.sleep(_PAUSE_S)
        return {"time_ns": clock()}


def _scenario(request: Request) -> Scenario:
    if request.content_type == TOML_TYPE:
        try:
            found = read_file(request.body.decode())
        except UnicodeDecodeError:
            raise Refused(HTTPStatus.BAD_REQUEST, "not UTF-8") from None
        if len(found) != 1:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{len(found)} scenarios, where one is played at a time")
        return found[0]
    table = _json(request)
    if isinstance(table, dict) and set(table) == {"name"} and isinstance(table["name"], str):
        return named(table["name"])
    return read_scenario(table)


def _json(request: Request) -> Any:
    if request.content_type != JSON_TYPE:
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type {JSON_TYPE} is expected")
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError) as fault:
        raise Refused(HTTPStatus.BAD_REQUEST, f"not JSON: {fault}") from None


def _since(request: Request) -> int:
    texts = parse_qs(request.query, max_num_fields=4).get("since", ["0"])
    if not texts[0].isascii() or not texts[0].isdigit() or len(texts[0]) > 9:
        raise Refused(HTTPStatus.BAD_REQUEST, "since is the number of records to leave out")
    return int(texts[0])
