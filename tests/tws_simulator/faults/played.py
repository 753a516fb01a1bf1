"""A gateway without sockets that plays a scenario, and what its clients are to see, by scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, ScriptedClient
from tws_simulator.api.core import GatewayCore
from tws_simulator.api.options import Options
from tws_simulator.api.wire_times import exchange_time
from tws_simulator.faults.director import Director
from tws_simulator.faults.library import named
from tws_simulator.faults.reading import read_scenario
from tws_simulator.faults.scenario import Scenario
from tws_simulator.wire.row import Message
from tws_simulator.world.accounts.ledger import Ledger

MARKET = {"action": "BUY", "totalQuantity": 5, "orderType": "MKT", "tif": "DAY", "transmit": True}
RESTING = {"action": "BUY", "totalQuantity": 5, "orderType": "LMT", "lmtPrice": 10.0, "tif": "DAY", "transmit": True}

SYMBOLS = ("AAPL", "AMZN", "META", "MSFT", "NVDA", "SPY", "TSLA")
Proof = Callable[["Played"], None]


class Played:
    """Time passes only in ``pass_s``; ``client`` connects."""

    def __init__(self, scenario: Scenario, *, start_ns: int = START_NS, **options: Any) -> None:
        self.director = Director()
        wanted = {"seed": 7, "pacing": "off", "symbols": SYMBOLS, **options, **scenario.options}
        self.core = GatewayCore(Options(**wanted), start_ns, self.director.stage)
        self.director.attach(self.core)
        self.director.play(scenario)

    @classmethod
    def of(cls, *steps: dict[str, Any], **options: Any) -> Played:
        """A scenario of the steps given."""
        return cls(read_scenario({"name": "of-a-test", "step": list(steps)}), **options)

    @property
    def ledger(self) -> Ledger:
        return self.core.state.world.first_ledger

    def client(self, client_id: int = 1, **extra: Any) -> ScriptedClient:
        return ScriptedClient(self.core, client_id, **extra)

    def pass_s(self, seconds: float, *clients: ScriptedClient) -> list[Message]:
        """What the clients are told while time goes by in quarters of a second, and in one step where it is long."""
        told: list[Message] = []
        step_s = 0.25 if seconds <= 120 else 5.0
        end_ns = self.core.state.now_ns + int(seconds * SECOND)
        while self.core.state.now_ns < end_ns:
            self.core.advance(min(end_ns, self.core.state.now_ns + int(step_s * SECOND)))
            for client in clients:
                told += client.replies()
        return told

    def pass_to(self, clock: str, *clients: ScriptedClient) -> list[Message]:
        """Up to a time of day in New York, in steps of half a minute and then of a tenth of a second."""
        told: list[Message] = []
        while self._clock() != clock:
            near = _seconds(clock) - _seconds(self._clock())
            step_s = 30.0 if near % 86_400 > 60 else 0.1
            self.core.advance(self.core.state.now_ns + int(step_s * SECOND))
            for client in clients:
                told += client.replies()
        return told

    def _clock(self) -> str:
        return exchange_time(self.core.state.now_ns).split()[1]


class Proofs:
    """What is proved of each scenario, collected by ``@PROOFS.of(name)``."""

    def __init__(self) -> None:
        self.by_name: dict[str, Callable[[Played], None]] = {}
        self.starts_ns: dict[str, int] = {}

    def of(self, name: str, start_ns: int = START_NS) -> Callable[[Proof], Proof]:
        def collect(proof: Proof) -> Proof:
            assert name not in self.by_name, f"{name} is proved already"
            self.by_name[name], self.starts_ns[name] = proof, start_ns
            return proof

        return collect

    def check(self, name: str) -> None:
        self.by_name[name](Played(named(name), start_ns=self.starts_ns[name]))


def place(client: ScriptedClient, order: dict[str, Any], order_id: int = 1, **changes: Any) -> list[Message]:
    return client.ask("placeOrder", orderId=order_id, contract=AAPL, order={**order, **changes})


def _seconds(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds
