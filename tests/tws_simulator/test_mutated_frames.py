"""No bytes a client can send kill the gateway, grow it, or stay behind.

The ordinary run takes some ten thousand; ``--mutations 1000000`` takes as many as it says.
"""

from __future__ import annotations

import gc
import random
import resource
import sys
from pathlib import Path

import pytest

from tests.tws_simulator.mutations import VERSIONS, Mutator, mutated_hello, payloads
from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, gateway_core, names
from tws_simulator import GatewayCore
from tws_simulator.api.session import Session, SessionState

OUTPUT_BYTES_MAX = 17 * 1024 * 1024
FRAMES_OF_A_CLIENT = 20
CLIENTS_BETWEEN_GLANCES = 10
STEPS_A_FRAME = 0.02
LINES_MAX = 100_000  # so many that no message is one too many in its second
ROUNDS = 10
GROWTH_MAX = 1.05
HELLOS_A_CLIENT = 0.3
CLIENT_IDS = 30_000


class Attack:
    """One gateway, and one bad client after another. Counts what was delivered and what came of it."""

    def __init__(self, seed: int, *, placing_orders: bool) -> None:
        self.core: GatewayCore = gateway_core(seed=seed, lines_max=LINES_MAX)
        self.bystander = ScriptedClient(self.core, client_id=99)
        self.bystander.ask("reqMktData", reqId=1, contract=AAPL)
        self.delivered = self.refused = self.output_bytes_max = 0
        self._rng = random.Random(seed)
        self._mutators = [
            (version, Mutator(self._rng, version, payloads(version, placing_orders=placing_orders)))
            for version in VERSIONS
        ]

    def __repr__(self) -> str:
        exchange = self.core.state.world.exchange
        orders = len(exchange.open_orders()) + len(exchange.completed_orders())
        return f"<Attack {self.delivered} delivered, {self.refused} refused, {orders} orders>"

    def deliver(self, count: int) -> None:
        until, clients = self.delivered + count, 0
        while self.delivered < until:
            if self._rng.random() < HELLOS_A_CLIENT:
                self._greet_badly()
            self._speak_badly(*self._rng.choice(self._mutators))
            assert self.core.state.sessions == [self.bystander.session]
            clients += 1
            if clients % CLIENTS_BETWEEN_GLANCES == 0:
                assert self._bystander_is_served()

    def _bystander_is_served(self) -> bool:
        told = self.bystander.ask("reqIds", numIds=1)
        return "nextValidId" in names(told)

    def _greet_badly(self) -> None:
        session = self.core.connect()
        assert session is not None
        hello = mutated_hello(self._rng)
        cut = self._rng.randrange(len(hello) + 1)
        for part in (hello[:cut], hello[cut:]):
            self.core.receive(session, part, self.core.state.now_ns)
        self._look_at(session)
        self.core.disconnect(session)

    def _speak_badly(self, version: int, mutator: Mutator) -> None:
        client_id = self._rng.randrange(1_000, CLIENT_IDS)  # an order id is taken only once of each client
        client = ScriptedClient(self.core, client_id=client_id, newest=version)
        session = client.session
        for _ in range(FRAMES_OF_A_CLIENT):
            step_ns = SECOND // 4 if self._rng.random() < STEPS_A_FRAME else 0
            self.core.receive(session, mutator.next_bytes(), self.core.state.now_ns + step_ns)
            self._look_at(session)
            if session.state is SessionState.CLOSED:
                break
        self.core.disconnect(session)

    def _look_at(self, session: Session) -> None:
        self.delivered += 1
        self.refused += session.state is SessionState.CLOSED
        self.output_bytes_max = max(self.output_bytes_max, len(session.take_output()))
        assert self.output_bytes_max <= OUTPUT_BYTES_MAX


def _memory_blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()


def _resident_mib() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def _expect_flat(sizes: list[int]) -> None:
    """The first are warming up: caches of layouts, the day's tapes, counters of what is unsupported."""
    settled, last = max(sizes[: ROUNDS // 3]), sizes[-1]
    assert last <= settled * GROWTH_MAX, sizes


@pytest.fixture
def frames_of_a_round(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--mutations")) // (2 * ROUNDS)


def test_one_gateway_bears_all_bad_clients(frames_of_a_round: int) -> None:
    """It serves the others, forgets the bad ones, and is no larger after the last than after the first of them."""
    attack, sizes = Attack(1, placing_orders=False), []
    for _ in range(ROUNDS):
        attack.deliver(frames_of_a_round)
        sizes.append(_memory_blocks())
        print(f"{attack} memory {sizes[-1]} blocks, {_resident_mib()} MiB", flush=True)
    _expect_flat(sizes)
    assert 0 < attack.refused < attack.delivered


def test_damaged_orders_leave_nothing_behind_their_gateway(frames_of_a_round: int) -> None:
    """Orders are remembered as long as their gateway lives, so each round has a gateway of its own."""
    sizes = []
    for seed in range(ROUNDS):
        attack = Attack(seed, placing_orders=True)
        attack.deliver(frames_of_a_round)
        said = repr(attack)
        del attack
        sizes.append(_memory_blocks())
        print(f"{said} memory {sizes[-1]} blocks, {_resident_mib()} MiB", flush=True)
    _expect_flat(sizes)
