from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import AsyncIterator
from importlib.resources import files

import httpx
import pytest

from ibkr_adapter.clock import SECOND
from ibkr_adapter.console import build
from ibkr_adapter.console.stream import CHANGED_PICTURE_EVERY_S, PICTURE_EVERY_S, STREAMS_MAX, EventStreams
from ibkr_adapter.console.wire import plain
from ibkr_adapter.events import LinkChanged, Quote
from ibkr_adapter.fanout import Fanout, Overflow
from ibkr_adapter.snapshot import Snapshot
from tests.console.fake_service import START_NS, FakePort, config, night


class _Jumps(selectors.DefaultSelector):
    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits and nobody has set a time"
        ready = super().select(0)
        if not ready:
            self.now_s += timeout
        return ready


class UnhurriedLoop(asyncio.SelectorEventLoop):
    """Its time stands still while anybody has something to do, and then jumps to the next moment someone waits for."""

    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now_s


def parsed(chunk: bytes) -> list[tuple[str, dict[str, object]]]:
    events = []
    for block in chunk.decode().strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if "event" in lines:
            events.append((lines["event"], json.loads(lines["data"])))
    return events


async def until(stream: AsyncIterator[bytes], name: str) -> dict[str, object]:
    async for chunk in stream:
        for event, data in parsed(chunk):
            if event == name:
                return data
    raise AssertionError(f"the stream ended without {name}")


def streams(port: FakePort) -> EventStreams:
    return EventStreams(port, asyncio.Event())


async def test_the_whole_picture_comes_first() -> None:
    """A page that has just opened does not wait for something to happen."""
    stream = streams(FakePort()).stream()
    ((name, picture),) = parsed(await anext(stream))
    assert name == "snapshot"
    assert {"quotes", "orders", "sinks", "gate"} <= set(picture)
    await stream.aclose()


async def test_each_event_is_named_by_its_tag_with_every_field() -> None:
    """Quotes arrive as they are published, unset fields as null."""
    port = FakePort()
    stream = streams(port).stream(0)
    await anext(stream)
    port.publish(Quote(ts_recv_ns=START_NS, instrument="SPY", bid=1.0))
    quote = await until(stream, "quote")
    assert (quote["instrument"], quote["bid"], quote["ask"]) == ("SPY", 1.0, None)
    await stream.aclose()


def test_a_change_of_state_brings_the_picture_soon() -> None:
    """What only the core can fold (orders, gate, link) does not wait for the next second."""

    async def told_after_s() -> float:
        port = FakePort()
        stream = streams(port).stream(0)
        await anext(stream)
        port.picture = night(START_NS)
        port.publish(LinkChanged(ts_recv_ns=START_NS, state="down", gateway="primary", epoch=3))
        picture = await until(stream, "snapshot")
        assert picture["gate"] == plain(port.picture.gate)
        await stream.aclose()
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=UnhurriedLoop) as runner:
        assert runner.run(told_after_s()) == pytest.approx(CHANGED_PICTURE_EVERY_S)


async def test_many_browsers_share_one_picture() -> None:
    """Ten streams that open together cost one look at the core."""
    looks: list[None] = []

    class Port(FakePort):
        def snapshot(self) -> Snapshot:
            looks.append(None)
            return super().snapshot()

    many = streams(Port())
    opened = [many.stream() for _ in range(10)]
    first = [await anext(stream) for stream in opened]
    assert len(set(first)) == len(looks) == 1
    for stream in opened:
        await stream.aclose()


def test_silence_is_broken_every_second() -> None:
    """Without any event the picture comes again, so a page can tell quiet from dead."""

    async def told_at_s() -> list[float]:
        stream = streams(FakePort()).stream()
        times_s = []
        for _ in range(4):
            await until(stream, "snapshot")
            times_s.append(asyncio.get_running_loop().time())
        await stream.aclose()
        return times_s

    with asyncio.Runner(loop_factory=UnhurriedLoop) as runner:
        assert runner.run(told_at_s()) == pytest.approx([0, PICTURE_EVERY_S, 2 * PICTURE_EVERY_S, 3 * PICTURE_EVERY_S])


async def test_a_slow_reader_gets_the_newest_value_only() -> None:
    """On a conflating subscription a thousand quotes that nobody read are one."""
    fanout = Fanout()

    class Port(FakePort):
        def subscribe(self, name: str) -> object:  # type: ignore[override]
            return fanout.subscribe(name, (Quote,), overflow=Overflow.CONFLATE, bound=100)

    stream = streams(Port()).stream(0)
    await anext(stream)
    for cents in range(1_000):
        fanout.publish([Quote(ts_recv_ns=START_NS + cents, instrument="SPY", bid=cents / 100)])
    quotes = [data["bid"] for name, data in parsed(await anext(stream)) if name == "quote"]
    assert quotes == [9.99]
    await stream.aclose()
    assert fanout.subscriptions == ()


async def test_a_stream_that_ends_gives_its_subscription_back() -> None:
    """A browser that goes away leaves nothing behind."""
    port = FakePort()
    stream = streams(port).stream()
    await anext(stream)
    await stream.aclose()
    assert port.subscriptions[0].closed


async def test_a_closed_subscription_ends_the_stream() -> None:
    """When the service goes, its streams end instead of spinning."""
    port = FakePort()
    stream = streams(port).stream(0)
    await anext(stream)
    port.subscriptions[0].close()
    assert [chunk async for chunk in stream] == []


async def test_streams_are_bounded() -> None:
    """Beyond the bound a browser is told to close one of the others."""
    many = streams(FakePort())
    opened = [many.stream() for _ in range(STREAMS_MAX)]
    for stream in opened:
        await anext(stream)
    assert many.full
    for stream in opened:
        await stream.aclose()
    assert not many.full


async def test_an_interval_is_a_number_of_milliseconds() -> None:
    """Anything else is refused before a stream opens."""
    port = FakePort()
    transport = httpx.ASGITransport(build(port, "token", config()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.get("/v1/events", params={"interval_ms": "soon"})
    assert answer.json()["error"]["field"] == "interval_ms"
    assert port.subscriptions == []


def test_a_heartbeat_fits_the_patience_of_the_page() -> None:
    """The page calls the stream lost after 3.5 s of silence; the service speaks every second."""
    script = files("ibkr_adapter.console").joinpath("static", "page.js").read_text()
    assert "const SILENT_MS = 3500;" in script
    assert 3 * PICTURE_EVERY_S * SECOND <= 3_500_000_000
