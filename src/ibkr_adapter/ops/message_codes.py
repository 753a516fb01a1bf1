"""The table of message codes of a running service, read again when asked to; a bad file changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from typing import Final

import structlog

from ibkr_adapter import message_codes
from ibkr_adapter.effects import MessageCodesReplaced, OutsideTrouble
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.events import AlertSeverity
from ibkr_adapter.message_codes import Overrides
from ibkr_adapter.worker import Serial

ALERT: Final = "message_codes/refused"
STEERING_ALERT: Final = "message_codes/steering"
SHOWN_MAX: Final = 100
"""Changes that one line of the log names; the rest is counted."""

_log = structlog.get_logger()


class MessageCodes:
    """What is in force, and the way to change it. ``tell`` puts the new rows before the core."""

    def __init__(
        self,
        path: str,
        found: Overrides,
        *,
        tell: Callable[[MessageCodesReplaced | OutsideTrouble], None],
        keep_steering: bool = False,
    ) -> None:
        """``found`` is what ``path`` held at the start: a bad file is no start. ``keep_steering`` as for ``load``."""
        self.path = path
        self.in_force = found
        self._tell = tell
        self._keep_steering = keep_steering
        self._serial = Serial("message-codes", bound=8)
        self._hangup = asyncio.Event()
        self._heard = False
        self._warn()

    async def reload(self) -> tuple[list[str], Overrides]:
        """What changed. Raises ``ConfigurationError``, having kept, logged and alerted, where the file is bad."""
        try:
            read = await self._serial.call(lambda: message_codes.load(self.path, keep_steering=self._keep_steering))
        except ConfigurationError as error:
            _log.error("message_codes_refused", detail=error.message, remedy=error.remedy, kept="the last good table")
            text = f"{error.message}; the last good table is in force"
            self._tell(OutsideTrouble(key=ALERT, severity=AlertSeverity.WARNING, text=text, remedy=error.remedy))
            raise
        changed = message_codes.differences(self.in_force.rows, read.rows)
        self.in_force = read
        self._tell(OutsideTrouble(key=ALERT, severity=None))
        if changed:
            self._tell(MessageCodesReplaced(rows=read.rows))
        self._warn()
        _log.info("message_codes_reloaded", changed=changed[:SHOWN_MAX], count=len(changed))
        return changed, read

    def _warn(self) -> None:
        """Of what is in force: a line for each danger, and an alert as long as a code does not steer as shipped."""
        for warning in self.in_force.warnings:
            _log.warning("message_codes_warning", detail=warning)
        unsteered = self.in_force.unsteered
        self._tell(
            OutsideTrouble(
                key=STEERING_ALERT,
                severity=AlertSeverity.WARNING if unsteered else None,
                text=f"by the desk's own rows code {'; '.join(unsteered[:SHOWN_MAX])}" if unsteered else "",
                remedy="remove the effect from these rows, then `ibkr-adapter codes reload`" if unsteered else "",
            )
        )

    def hear_hangups(self) -> None:
        """From now on SIGHUP asks for the table to be read again, and never ends the service, file or none.

        Whoever has a use of their own for the signal, as the demo has, keeps it.
        """
        if signal.getsignal(signal.SIGHUP) not in (signal.SIG_DFL, signal.SIG_IGN):
            return
        with contextlib.suppress(RuntimeError, ValueError):  # not the main thread: a test's service
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._hangup.set)
            self._heard = True

    async def reload_on_hangup(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._hangup.wait()
                self._hangup.clear()
                with contextlib.suppress(ConfigurationError):  # told by `reload`
                    await self.reload()
        finally:
            if self._heard:
                asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)

    def close(self) -> None:
        self._serial.stop(0)
