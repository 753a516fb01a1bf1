"""Our session against the bare official client and a bridge to asyncio, on the same bytes, in one run.

Three receivers, each in a process of its own, the sender in another:

- ``session``: socket → our transport → mailbox → consumer on an asyncio loop
- ``official``: the official client as it comes, ``connect`` and ``run`` on a thread, callbacks that count
- ``bridge``: the same, with one ``call_soon_threadsafe`` for each callback, as most programs do it

Three loads. *Flood*: everything at once; a receiver that has not finished in time did not finish (DNF). *Paced*:
20,000 messages a second, each at its own moment; latency is counted from that moment to the consumer. *Overload*:
120,000 a second, more than the official reader sustains; what counts is how many arrive a second, finished or not.

The mix: 45 % tickPrice, 25 % tickSize, 20 % tickString, 10 % tickGeneric over 20 requests.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import platform
import random
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "bench.json"
RECEIVERS = ("session", "official", "bridge")
PROTOCOLS = {"text": 200, "protobuf": 213}

FLOOD_MESSAGES = 200_000
FLOOD_LIMIT_S = 20.0
PACED_RATE = 20_000
PACED_S = 4.0
OVERLOAD_RATE = 120_000
OVERLOAD_S = 3.0
OVERLOAD_LIMIT_S = 12.0
STAMP_EVERY = 16

TARGETS = (
    ("paced", "CPU per message against official", 0.5),
    ("flood", "CPU per message against official", 0.5),
    ("paced", "CPU per message against bridge", 1 / 3),
    ("paced", "p99 against official", 1.0),
)
"""At most these; and under overload the session keeps 95 % of what is offered."""

OVERLOAD_KEPT = 0.95

SIZED_PRICES = {1: 0, 2: 3, 4: 5}


# --- The stream ---------------------------------------------------------------------------------------------------


def frame(body: bytes) -> bytes:
    return struct.pack("!I", len(body)) + body


def varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, value: float | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3 | 2) + varint(len(value)) + value.encode()


def message(version: int, msg_id: int, head: tuple[object, ...], values: tuple[Any, ...]) -> bytes:
    """One tick; text begins with a message version, protobuf numbers its fields."""
    if version >= 206:
        numbered = b"".join(field(number, value) for number, value in enumerate(values, 1))
        return frame(struct.pack("!I", msg_id + 200) + numbered)
    return frame("".join(f"{part}\0" for part in (msg_id, *head, *values)).encode())


def stream(version: int, count: int) -> tuple[list[bytes], int]:
    """``count`` messages, and how many callbacks the official client makes of them."""
    dice = random.Random(7)
    messages: list[bytes] = []
    callbacks = 0
    for index in range(count):
        req_id = dice.randrange(1, 21)
        kind = dice.random()
        if index == count - 1:
            messages.append(message(version, 46, (6,), (req_id, 45, "end")))
        elif index % STAMP_EVERY == 0:
            messages.append(message(version, 46, (6,), (req_id, 45, f"#{index}")))
        elif kind < 0.45:
            price_field = dice.choice((1, 2, 4, 9))
            price = round(dice.uniform(10, 600), 2)
            size = str(dice.randrange(1, 5000))
            messages.append(message(version, 1, (6,), (req_id, price_field, price, size, 1)))
            callbacks += price_field in SIZED_PRICES
        elif kind < 0.70:
            messages.append(
                message(version, 2, (6,), (req_id, dice.choice((0, 3, 5, 8)), str(dice.randrange(1, 10**6))))
            )
        elif kind < 0.90:
            words = f"{dice.uniform(10, 600):.2f};{dice.randrange(1, 900)};1795357800123;123456.78;310.11;true"
            messages.append(message(version, 46, (6,), (req_id, 48, words)))
        else:
            messages.append(message(version, 45, (6,), (req_id, 49, round(dice.uniform(0, 1), 4))))
        callbacks += 1
    return messages, callbacks


# --- Sender -------------------------------------------------------------------------------------------------------


def send(version: int, count: int, rate: int) -> None:
    """Serve one client: the handshake, then the stream, as fast as it goes or at ``rate`` messages a second."""
    messages, _ = stream(version, count)
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.recv(100)
    connection.sendall(frame(f"{version}\0".encode() + b"20261122 09:30:00 US/Eastern\0"))
    connection.recv(1000)
    time.sleep(0.3)  # every receiver is in its loop before the first tick
    with contextlib.suppress(OSError):
        if not rate:
            connection.sendall(message(version, 46, (6,), (1, 45, f"start:{time.monotonic_ns()}:0")))
            connection.sendall(b"".join(messages))
        else:
            interval_ns = 1_000_000_000 // rate
            together = max(1, rate // 20_000)
            start_ns = time.monotonic_ns() + 20_000_000
            connection.sendall(message(version, 46, (6,), (1, 45, f"start:{start_ns}:{interval_ns}")))
            for index in range(0, len(messages), together):
                due_ns = start_ns + index * interval_ns
                while time.monotonic_ns() < due_ns:
                    pass
                connection.sendall(b"".join(messages[index : index + together]))
        connection.recv(1000)


# --- Receivers ----------------------------------------------------------------------------------------------------


class Tally:
    """What a consumer saw; ``text`` gets every tickString, the others only count."""

    def __init__(self, done: Callable[[], None]) -> None:
        self.seen = 0
        self.latencies_ns: list[int] = []
        self.started_ns = 0
        self.ended_ns = 0
        self.cpu_s = 0.0
        self._cpu_from = 0.0
        self._interval_ns = 0
        self._done = done

    def text(self, words: str) -> None:
        now_ns = time.monotonic_ns()
        if words[0] == "#":
            if self._interval_ns:
                self.latencies_ns.append(now_ns - self.started_ns - int(words[1:]) * self._interval_ns)
        elif words == "end":
            self.ended_ns = now_ns
            self.cpu_s = time.process_time() - self._cpu_from
            self._done()
        elif words.startswith("start:"):
            _, start, interval = words.split(":")
            self.started_ns = int(start)
            self._interval_ns = int(interval)
            self._cpu_from = time.process_time()

    def figures(self, expected: int, messages: int, dropped: int) -> dict[str, Any]:
        finished = self.ended_ns > 0
        if not finished:
            self.ended_ns = time.monotonic_ns()
            self.cpu_s = time.process_time() - self._cpu_from
        seconds = (self.ended_ns - self.started_ns) / 1e9
        ordered = sorted(self.latencies_ns)
        return {
            "finished": finished,
            "complete": finished and self.seen + dropped >= expected,
            "events": self.seen,
            "events_expected": expected,
            "dropped": dropped,
            "seconds": round(seconds, 3),
            "messages_per_s": round(messages / seconds * min(1.0, (self.seen + dropped) / expected)),
            "cpu_us_per_message": round(self.cpu_s * 1e6 / messages, 2) if finished else None,
            "cpu_share": round(self.cpu_s / seconds, 3),
            "p50_ms": round(ordered[len(ordered) // 2] / 1e6, 3) if ordered else None,
            "p99_ms": round(ordered[len(ordered) * 99 // 100] / 1e6, 3) if ordered else None,
        }


def receive_session(port: int, expected: int, limit_s: float) -> tuple[Tally, int]:
    import structlog

    from ibkr_adapter.clock import SystemClock
    from ibkr_adapter.events import TextTick, Tick
    from ibkr_adapter.tws.mailbox import Mailbox
    from ibkr_adapter.tws.session import Endpoint, Session

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    async def consume() -> tuple[Tally, int]:
        loop = asyncio.get_running_loop()
        finished = asyncio.Event()
        tally = Tally(finished.set)

        def on_mail() -> None:
            for event in mailbox.drain(10_000):
                if type(event) is TextTick:
                    tally.text(event.text)
                tally.seen += isinstance(event, Tick)

        mailbox = Mailbox(lambda: loop.call_soon_threadsafe(on_mail))
        session = Session(
            Endpoint("bench", "127.0.0.1", port),
            client_id=1,
            epoch=1,
            mailbox=mailbox,
            clock=SystemClock(),
            orders=False,
        )
        session.start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(finished.wait(), limit_s)
        tally.seen -= 1  # the start mark
        session.close("done")
        return tally, sum(mailbox.take_dropped().values())

    return asyncio.run(consume())


def receive_official(port: int, expected: int, limit_s: float) -> tuple[Tally, int]:
    finished = threading.Event()
    tally = Tally(finished.set)
    client = official_client(tally, lambda call, *values: call(*values))
    run_official(client, port)
    finished.wait(limit_s)
    tally.seen -= 1
    return tally, 0


def receive_bridge(port: int, expected: int, limit_s: float) -> tuple[Tally, int]:
    async def consume() -> Tally:
        loop = asyncio.get_running_loop()
        finished = asyncio.Event()
        tally = Tally(finished.set)
        run_official(official_client(tally, loop.call_soon_threadsafe), port)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(finished.wait(), limit_s)
        tally.seen -= 1
        return tally

    return asyncio.run(consume()), 0


def official_client(tally: Tally, hand_over: Callable[..., object]) -> Any:
    """The official client whose callbacks hand each tick over."""
    from ibapi.client import EClient
    from ibapi.wrapper import EWrapper

    def count(*_values: object) -> None:
        tally.seen += 1

    def count_text(words: str) -> None:
        tally.seen += 1
        tally.text(words)

    class Wrapper(EWrapper):
        def tickPrice(self, reqId, tickType, price, attrib):  # noqa: N802, N803
            hand_over(count, reqId, tickType, price)

        def tickSize(self, reqId, tickType, size):  # noqa: N802, N803
            hand_over(count, reqId, tickType, size)

        def tickGeneric(self, reqId, tickType, value):  # noqa: N802, N803
            hand_over(count, reqId, tickType, value)

        def tickString(self, reqId, tickType, value):  # noqa: N802, N803
            hand_over(count_text, value)

    logging.getLogger("ibapi").setLevel(logging.WARNING)
    return EClient(Wrapper())


def run_official(client: Any, port: int) -> None:
    client.connect("127.0.0.1", port, 1)
    threading.Thread(target=client.run, daemon=True).start()


# --- Orchestra ----------------------------------------------------------------------------------------------------


def run_case(receiver: str, protocol: str, rate: int) -> dict[str, Any]:
    version = PROTOCOLS[protocol]
    count, limit_s = {
        0: (FLOOD_MESSAGES, FLOOD_LIMIT_S),
        PACED_RATE: (int(PACED_RATE * PACED_S), PACED_S * 3),
        OVERLOAD_RATE: (int(OVERLOAD_RATE * OVERLOAD_S), OVERLOAD_LIMIT_S),
    }[rate]
    base = [sys.executable, __file__]
    sender = subprocess.Popen([*base, "--send", str(version), str(count), str(rate)], stdout=subprocess.PIPE, text=True)
    try:
        assert sender.stdout is not None
        port = sender.stdout.readline().strip()
        received = subprocess.run(
            [*base, "--receive", receiver, str(version), str(count), port, str(limit_s)],
            stdout=subprocess.PIPE,
            text=True,
            timeout=limit_s + 30,
            check=True,
        )
    finally:
        sender.kill()
        sender.wait()
    return json.loads(received.stdout.splitlines()[-1])


def middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure over the runs that finished; how many did is part of the answer."""
    done = [run for run in runs if run["finished"]]
    merged: dict[str, Any] = {"runs": len(runs), "finished": len(done), "dropped": max(run["dropped"] for run in runs)}
    for name in ("messages_per_s", "cpu_us_per_message", "cpu_share", "p50_ms", "p99_ms"):
        counted = runs if name == "messages_per_s" else done
        values = [run[name] for run in counted if run[name] is not None]
        merged[name] = statistics.median(values) if values else None
    merged["complete"] = all(run["complete"] for run in runs)
    return merged


def ratio(ours: float | None, theirs: float | None) -> float | None:
    return round(ours / theirs, 3) if ours and theirs else None


def bench(reps: int) -> None:
    results: dict[str, Any] = {"machine": machine(), "mix": __doc__.strip().splitlines()[-1], "cases": {}}
    for protocol in PROTOCOLS:
        for load, rate in (("flood", 0), ("paced", PACED_RATE), ("overload", OVERLOAD_RATE)):
            runs: dict[str, list[dict[str, Any]]] = {receiver: [] for receiver in RECEIVERS}
            for _ in range(reps):  # interleaved, so that a busy moment of the machine does not hit one of them alone
                for receiver in RECEIVERS:
                    runs[receiver].append(run_case(receiver, protocol, rate))
            figures = {receiver: middle(runs[receiver]) for receiver in RECEIVERS}
            ratios = {
                f"{name} against {other}": ratio(figures["session"][key], figures[other][key])
                for other in ("official", "bridge")
                for name, key in (
                    ("CPU per message", "cpu_us_per_message"),
                    ("messages per second", "messages_per_s"),
                    ("p99", "p99_ms"),
                )
                if load == "paced" or key != "p99_ms"
            }
            results["cases"][f"{protocol} {load}"] = {**figures, "ratios": ratios}
            show(f"{protocol} {load}, " + (f"{rate}/s" if rate else f"{FLOOD_MESSAGES} messages"), figures, ratios)
    results["targets"] = judged(results["cases"])
    print("\ntargets")
    for line, met in results["targets"].items():
        print(f"  {'met   ' if met else 'MISSED'} {line}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


def judged(cases: dict[str, Any]) -> dict[str, bool]:
    """Each target in words, and whether this run met it."""
    verdicts: dict[str, bool] = {}
    for protocol in PROTOCOLS:
        for load, name, ceiling in TARGETS:
            measured = cases[f"{protocol} {load}"]["ratios"][name]
            verdicts[f"{protocol} {load}: {name} {measured}, at most {ceiling:.2f}"] = (measured or 9) <= ceiling
        overload = cases[f"{protocol} overload"]
        kept = overload["session"]["messages_per_s"] / OVERLOAD_RATE
        official = overload["official"]["messages_per_s"] / OVERLOAD_RATE
        line = (
            f"{protocol} overload: the session keeps {kept:.0%} of what is offered, the official client {official:.0%}"
        )
        verdicts[line] = kept >= OVERLOAD_KEPT
    return verdicts


def show(title: str, figures: dict[str, dict[str, Any]], ratios: dict[str, float | None]) -> None:
    print(f"\n{title}")
    for receiver, of in figures.items():
        if not of["finished"]:
            print(f"  {receiver:9} {of['messages_per_s']:>9,.0f} msg/s, DNF in all {of['runs']} runs")
            continue
        latency = f"  p50 {of['p50_ms']:.2f} p99 {of['p99_ms']:.2f} ms" if of["p50_ms"] is not None else ""
        print(
            f"  {receiver:9} {of['messages_per_s']:>9,.0f} msg/s  {of['cpu_us_per_message']:>6.2f} µs CPU/msg"
            f"{latency}  finished {of['finished']}/{of['runs']}"
            + (f"  conflated {of['dropped']}" if of["dropped"] else "")
        )
    print(
        "  session against: " + ", ".join(f"{name.replace(' against', '')} {value}" for name, value in ratios.items())
    )


def machine() -> dict[str, Any]:
    from ibkr_adapter.tws.official import PACKAGE

    return {
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "official_client": ".".join(map(str, PACKAGE.version)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--send", nargs=3, metavar=("VERSION", "COUNT", "RATE"), help=argparse.SUPPRESS)
    parser.add_argument("--receive", nargs=5, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.send:
        send(*map(int, chosen.send))
    elif chosen.receive:
        receiver, version, count, port, limit_s = chosen.receive
        _, expected = stream(int(version), int(count))
        receivers = {"session": receive_session, "official": receive_official, "bridge": receive_bridge}
        tally, dropped = receivers[receiver](int(port), expected, float(limit_s))
        print(json.dumps(tally.figures(expected, int(count), dropped)), flush=True)
        os._exit(0)  # the official client's threads do not end by themselves
    else:
        bench(chosen.reps)


if __name__ == "__main__":
    main()
