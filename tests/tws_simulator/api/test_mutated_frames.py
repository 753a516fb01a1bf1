"""No bytes a client can send kill the gateway, grow it, or stay behind.

The ordinary run takes some thousands; ``--mutations 1000000 --timeout 0`` takes as many as it says, for minutes.
"""

from __future__ import annotations

import gc
import random
import resource
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.tws_simulator.mutations import VERSIONS, Mutator, mutated_hello, payloads
from tests.tws_simulator.scripted_client import AAPL, SECOND, ScriptedClient, gateway_core, names
from tws_simulator import GatewayCore
from tws_simulator.api.session import OUTPUT_BYTES_MAX, Session, SessionState
from tws_simulator.wire.codec import frame
from tws_simulator.wire.row import message

FRAMES_OF_A_CLIENT = 20
CLIENTS_BETWEEN_GLANCES = 10
STEPS_A_FRAME = 0.02
LINES_MAX = 10_000
ROUNDS = 10
GROWTH_MAX = 1.02
HELLOS_A_CLIENT = 0.3
CLIENT_IDS = 30_000


class Attack:
    """One gateway, and one bad client after another. Counts what was delivered and what came of it."""

    def __init__(self, seed: int, *, placing_orders: bool, maintain_connection: bool = True) -> None:
        self.core: GatewayCore = gateway_core(seed=seed, lines_max=LINES_MAX, maintain_connection=maintain_connection)
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

    def warm_up(self) -> None:
        """Have every request served once as it should be: what is remembered for all clients is remembered then."""
        for version in VERSIONS:
            for payload in payloads(version, placing_orders=False):
                client = ScriptedClient(self.core, client_id=1, newest=version)
                self.core.receive(client.session, frame(payload), self.core.state.now_ns)
                self.core.disconnect(client.session)

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
    """The first are still warming up: layouts at versions, the days that were asked for, what is not supported."""
    settled, last = max(sizes[: ROUNDS // 3]), sizes[-1]
    assert last <= settled * GROWTH_MAX, sizes


@pytest.fixture
def frames_of_a_round(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--mutations")) // (2 * ROUNDS)


@pytest.mark.parametrize("maintain_connection", [True, False])
def test_one_gateway_bears_all_bad_clients(frames_of_a_round: int, *, maintain_connection: bool) -> None:
    """It serves the others, forgets the bad ones, and is no larger after the last than after the first of them."""
    attack, sizes = Attack(1, placing_orders=False, maintain_connection=maintain_connection), []
    attack.warm_up()
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


def test_the_output_of_a_session_has_a_bound() -> None:
    """Whoever asks for more than anybody reads is cut off, and nothing more is kept for them."""
    session = ScriptedClient(gateway_core()).session
    position = message("position", account="DU1" * 1_000, contract=AAPL, position=Decimal(1))
    for _ in range(OUTPUT_BYTES_MAX // 2_000):
        session.send(position)
    assert session.state is SessionState.CLOSED
    assert OUTPUT_BYTES_MAX - 4_000 < len(session.output) <= OUTPUT_BYTES_MAX


@pytest.mark.parametrize("ticks", ["9" * 5_000, "\u00b2", "233," * 10_000, "1_0", "233:" + "x" * 60_000], ids=range(5))
def test_a_list_of_generic_ticks_may_be_anything(ticks: str) -> None:
    """It is a text, and what is in it no number that Python would read."""
    client = ScriptedClient(gateway_core(), newest=200)
    client.ask("reqMktData", reqId=1, contract=AAPL, genericTickList=ticks)
    assert client.session.state is SessionState.RUNNING
    assert "nextValidId" in names(client.ask("reqIds", numIds=1))
