"""The demo's simulator: a child process that is restarted when it dies and never outlives us."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from ibkr_adapter.errors import IbkrError

_log = structlog.get_logger()

ANNOUNCE_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 3.0
RESTART_AFTER_S: Final = 1.0
RESTARTS_MAX: Final = 1_000


class SimulatorError(IbkrError):
    """The simulator cannot be started."""


class Announcement(Struct, frozen=True, kw_only=True):
    """The one line it prints when it listens."""

    host: str
    port: int
    account: str
    seed: int
    server_version: int
    pid: int


class Simulator:
    """Use as an async context; ``keep_alive`` restarts it on the same port and seed until cancelled."""

    def __init__(self, *, seed: int, log: Path) -> None:
        self._seed = seed
        self._log_path = log
        self._process: asyncio.subprocess.Process | None = None
        self.restarts = 0

    async def __aenter__(self) -> Announcement:
        self.announcement = await self._start(port=0)
        return self.announcement

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def keep_alive(self) -> None:
        while self._process is not None and self.restarts < RESTARTS_MAX:
            code = await self._process.wait()
            _log.warning("simulator_died", exit_code=code, restart_in_s=RESTART_AFTER_S)
            await asyncio.sleep(RESTART_AFTER_S)
            self.restarts += 1
            try:
                await self._start(port=self.announcement.port)
            except SimulatorError as error:
                _log.warning("simulator_not_restarted", detail=error.message)

    async def _start(self, port: int) -> Announcement:
        command = [sys.executable, "-m", "tws_simulator", "run", "--port", str(port), "--seed", str(self._seed)]
        # As a desk sets up its gateway; a new installation has this on, and would be warned of here too.
        command += ["--set", "maintain_orders=false", "--announce", "--exit-with-parent"]
        with self._log_path.open("ab") as log:
            pipe = asyncio.subprocess.PIPE
            # A session of its own: Ctrl-C in the terminal is for us, who then stop it in order.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=log, start_new_session=True
            )
        self._process = process
        assert process.stdout is not None
        try:
            async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
                line = await process.stdout.readline()
            return msgspec.json.decode(line, type=Announcement)
        except (TimeoutError, msgspec.MsgspecError, ValueError):
            await self._stop()
            raise SimulatorError(
                f"the simulator did not start: {self._last_words()}", remedy="try `tws-simulator run` by itself"
            ) from None

    async def _stop(self) -> None:
        """Its standard input ends, then it is asked, then it is made to."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for act in (None, process.terminate, process.kill):
            if act is not None and process.returncode is None:
                act()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await process.wait()
                    return

    def _last_words(self) -> str:
        lines = self._log_path.read_text(errors="replace").strip().splitlines()
        return ascii(lines[-1][:300]).strip("'\"") if lines else "it said nothing"
