"""How fast the simulated gateway is: it must outrun the clients that are tested against it.

- *Flood*: ticks encoded once and repeated, to one client that only counts them. Beside it the same bytes from a bare
  asyncio server: the difference is what the simulator itself costs.
- *Live*: the market model at ten times its pace, each tick generated, matched, encoded and sent, to one client with
  100 lines on 30 symbols.
- *Day*: the world alone, no protocol and no sockets, from the opening to the close with ten symbols.

Rates are per second of the simulator's own processor time, so that what the client and the machine do besides does not
count; the bare server's rate of the same run is the reference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import struct
import sys
import time
from collections.abc import Callable
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tws_simulator import Gateway
from tws_simulator.clocks import RunningClock
from tws_simulator.faults.actions.flood import Flood
from tws_simulator.faults.scenario import Scenario
from tws_simulator.wire.codec import Codec, frame
from tws_simulator.wire.row import message
from tws_simulator.world.instruments.universe import LISTINGS, everything
from tws_simulator.world.time.calendar import new_york_ns
from tws_simulator.world.world import World

RESULTS = Path(__file__).parent / "results" / "simulator.json"
SERVER_VERSION = 213
OPENING = new_york_ns(datetime(2026, 11, 23, 10))
DAY_S = 6.5 * 3600
SYMBOLS_OF_A_DAY = tuple(listing.symbol for listing in LISTINGS[:10])
LIVE_SYMBOLS = tuple(listing.symbol for listing in everything() if listing.sec_type == "STK")[:30]
LIVE_LINES = 100
CHUNK_BYTES = 1 << 20

TARGETS = {"flood": 300_000, "live": 20_000}
DAY_S_MAX = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long flood and live run")
    seconds = parser.parse_args().seconds
    flood = measured(flooding, seconds, lines=1)
    bare = measured(bare_server, seconds, lines=0)
    live = measured(living, seconds, lines=LIVE_LINES)
    day_s = day()
    results = {"flood": flood, "bare server": bare, "live": live, "day of 10 symbols": {"processor_s": day_s}}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for name in ("flood", "live"):
        rate = results[name]["ticks_per_processor_s"]
        arrived = results[name]["ticks_per_s"]
        print(f"{name:6} {rate:>12,.0f} ticks/s of one core, wanted {TARGETS[name]:,}; {arrived:,.0f}/s arrived")
    print(f"bare   {bare['ticks_per_processor_s']:>12,.0f}: flood is {_ratio(flood, bare):.2f} of it")
    print(f"day    {day_s:>12.1f} s of one core for 10 symbols, at most {DAY_S_MAX:.0f}")
    met = all(results[name]["ticks_per_processor_s"] >= wanted for name, wanted in TARGETS.items())
    return 0 if met and day_s <= DAY_S_MAX else 1


def _ratio(ours: dict[str, float], reference: dict[str, float]) -> float:
    return ours["ticks_per_processor_s"] / reference["ticks_per_processor_s"]


# The three senders, each in a process of its own


def flooding(pipe: Connection, seconds: float) -> None:
    """As fast as the client reads: more is offered than anybody takes, and a slow reader is not dropped."""
    flood = Scenario(name="bench", description="", steps=())
    gateway = Gateway(server_version=SERVER_VERSION, tick_interval_s=0.01, unread_bytes_max=1 << 30, scenario=flood)
    asyncio.run(_serve(gateway, pipe, lambda: gateway.director.do(Flood(ticks_per_s=1_500_000, for_s=seconds))))


def living(pipe: Connection, seconds: float) -> None:
    clock = RunningClock(OPENING, 10, time.monotonic_ns)
    gateway = Gateway(server_version=SERVER_VERSION, tick_interval_s=0.01, clock=clock, symbols=LIVE_SYMBOLS)
    asyncio.run(_serve(gateway, pipe, lambda: None))


async def _serve(gateway: Gateway, pipe: Connection, begin: Callable[[], object]) -> None:
    async with gateway:
        pipe.send(gateway.port)
        await _until(pipe)
        began_s = time.process_time()
        begin()
        await _until(pipe)
        pipe.send(time.process_time() - began_s)


def bare_server(pipe: Connection, seconds: float) -> None:
    """Blocks of the same ticks, written whenever the socket takes more."""
    tick = message("tickPrice", reqId=1, tickType=1, price=640.5, size=100, attrMask=1)
    block = frame(Codec(SERVER_VERSION).encode_reply(tick)) * 1000

    async def serve() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            while not writer.is_closing():
                writer.write(block)
                await writer.drain()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            pipe.send(server.sockets[0].getsockname()[1])
            await _until(pipe)
            began_s = time.process_time()
            await _until(pipe)
            pipe.send(time.process_time() - began_s)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    asyncio.run(serve())


async def _until(pipe: Connection) -> None:
    heard = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(pipe.fileno(), heard.set)
    await heard.wait()
    loop.remove_reader(pipe.fileno())
    pipe.recv()


# The client that counts


def measured(sender: Callable[[Connection, float], None], seconds: float, *, lines: int) -> dict[str, float]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=sender, args=(theirs, seconds))
    process.start()
    try:
        with socket.create_connection(("127.0.0.1", ours.recv())) as peer:
            _ask(peer, lines)
            ours.send("begin")
            ticks, elapsed_s = _count(peer, seconds)
            ours.send("end")
            processor_s = ours.recv()
    finally:
        process.terminate()
        process.join()
    return {
        "ticks": ticks,
        "elapsed_s": round(elapsed_s, 3),
        "ticks_per_s": round(ticks / elapsed_s),
        "processor_s": round(processor_s, 3),
        "ticks_per_processor_s": round(ticks / processor_s),
    }


def _ask(peer: socket.socket, lines: int) -> None:
    """Greet, and open the lines; without lines any byte will do."""
    if not lines:
        peer.sendall(b"x")
        return
    codec = Codec(SERVER_VERSION)
    peer.sendall(b"API\0" + frame(b"v100..%d" % SERVER_VERSION))
    requests: list[tuple[str, dict[str, Any]]] = [("startApi", {"clientId": 1})]
    for at in range(lines):
        contract = {"symbol": LIVE_SYMBOLS[at % len(LIVE_SYMBOLS)], "secType": "STK", "exchange": "SMART"}
        requests.append(("reqMktData", {"reqId": at, "contract": contract, "genericTickList": "233"}))
    peer.sendall(b"".join(frame(codec.encode_request(message(name, **values))) for name, values in requests))
    time.sleep(3.0)  # more than fifty requests a second wait for their turn


def _count(peer: socket.socket, seconds: float) -> tuple[int, float]:
    """Frames read; the sizes are followed, the contents are not looked at."""
    peer.settimeout(1.0)
    length = struct.Struct("!I").unpack_from
    pending = bytearray()
    frames = 0
    began = time.perf_counter()
    while (elapsed_s := time.perf_counter() - began) < seconds:
        try:
            data = peer.recv(CHUNK_BYTES)
        except TimeoutError:
            continue
        pending += data
        at, end = 0, len(pending)
        while at + 4 <= end and (after := at + 4 + length(pending, at)[0]) <= end:
            at = after
            frames += 1
        del pending[:at]
    return frames, elapsed_s


def day() -> float:
    """Processor seconds for six and a half hours, in steps of a second."""
    start_ns = new_york_ns(datetime(2026, 11, 23, 9, 30))
    world = World(seed=7, start_ns=start_ns, always_open=False, symbols=SYMBOLS_OF_A_DAY)
    began_s = time.process_time()
    for second in range(int(DAY_S)):
        world.advance(start_ns + second * 1_000_000_000)
    return round(time.process_time() - began_s, 1)


if __name__ == "__main__":
    sys.exit(main())
