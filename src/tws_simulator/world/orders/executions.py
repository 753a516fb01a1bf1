"""Which executions a client asks for."""

from dataclasses import dataclass
from typing import Final

from tws_simulator.world.accounts.records import Execution
from tws_simulator.world.instruments.listing import SMART

_SIDES: Final = {"BUY": "BOT", "SELL": "SLD", "SSHORT": "SLD"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ExecutionFilter:
    """Which executions reqExecutions asks for; None matches all. ``side`` is BUY or SELL, as clients write it."""

    client_id: int | None = None
    account: str | None = None
    since_ns: int | None = None
    symbol: str | None = None
    sec_type: str | None = None
    exchange: str | None = None
    side: str | None = None

    def matches(self, execution: Execution) -> bool:
        side = None if self.side is None else _SIDES.get(self.side, self.side)
        return (
            self.client_id in (None, execution.client_id)
            and self.account in (None, execution.account)
            and self.symbol in (None, execution.symbol)
            and self.sec_type in (None, execution.sec_type)
            and self.exchange in (None, SMART, execution.exchange)
            and side in (None, execution.side)
            and (self.since_ns is None or execution.ts_ns >= self.since_ns)
        )
