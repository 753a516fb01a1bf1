"""One line that says what the simulated gateway is doing, for a person who watches it."""

from __future__ import annotations

from collections import Counter

from tws_simulator.api.state import GatewayState
from tws_simulator.world.time.calendar import new_york_time
from tws_simulator.world.time.units import SECOND_NS

_CLIENTS_NAMED_MAX = 6


class Status:
    """Remembers what it said last, to tell rates from counts."""

    def __init__(self) -> None:
        self._told_ns: int | None = None
        self._counted: dict[int, tuple[int, int]] = {}

    def line(self, gateway: GatewayState) -> str:
        """ "10:31:05 New York, regular | clients 2 (1 7) | quote 14 depth 1 | orders 3 open | in 4/s out 1,204/s"."""
        received_per_s, sent_per_s = self._rates(gateway)
        world = gateway.world
        phase = "always open" if world.calendar.always_open else world.calendar.phase(gateway.now_ns).value
        parts = [
            f"{new_york_time(gateway.now_ns):%H:%M:%S} New York, {phase}",
            f"clients {_clients(gateway)}",
            _streams(gateway),
            f"orders {len(world.exchange.open_orders())} open",
            f"in {received_per_s:,}/s out {sent_per_s:,}/s",
        ]
        return " | ".join(parts)

    def _rates(self, gateway: GatewayState) -> tuple[int, int]:
        """Messages a second since the last line; those of clients that left in between are not seen."""
        now = {session.peer.connection: (session.requests, session.replies) for session in gateway.sessions}
        before, self._counted = self._counted, now
        told_ns, self._told_ns = self._told_ns, gateway.steady_ns
        seconds = 0.0 if told_ns is None else (gateway.steady_ns - told_ns) / SECOND_NS
        if seconds <= 0:
            return 0, 0
        received = sum(counts[0] - before.get(number, (0, 0))[0] for number, counts in now.items())
        sent = sum(counts[1] - before.get(number, (0, 0))[1] for number, counts in now.items())
        return round(received / seconds), round(sent / seconds)


def _clients(gateway: GatewayState) -> str:
    ids = sorted(session.client_id for session in gateway.running())
    if not ids:
        return str(len(gateway.sessions))
    named = " ".join(str(client_id) for client_id in ids[:_CLIENTS_NAMED_MAX])
    more = " …" if len(ids) > _CLIENTS_NAMED_MAX else ""
    return f"{len(gateway.sessions)} ({named}{more})"


def _streams(gateway: GatewayState) -> str:
    kinds = Counter(kind for session in gateway.running() for kind, _ in session.streams)
    return " ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "no streams"
