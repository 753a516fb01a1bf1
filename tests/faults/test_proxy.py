"""The bad line does what it says, so that a test which uses it proves something about the adapter."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.proxy import PATIENCE_S, Proxy


@contextmanager
def ends() -> Iterator[tuple[Proxy, socket.socket, socket.socket]]:
    """A line with a client at one end and a gateway at the other."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(PATIENCE_S)
        with (
            Proxy(listener.getsockname()[1]) as line,
            socket.create_connection(("127.0.0.1", line.port), PATIENCE_S) as client,
            listener.accept()[0] as gateway,
        ):
            for each in (client, gateway):
                each.settimeout(PATIENCE_S)
            yield line, client, gateway


def heard(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        assert more, f"ended after {len(data)} bytes"
        data += more
    return data


def test_as_it_is_everything_passes_both_ways() -> None:
    """Whole, in order, and the end of either side."""
    data = os.urandom(1_000_000)
    with ends() as (line, client, gateway):
        threading.Thread(target=client.sendall, args=(data,)).start()
        assert heard(gateway, len(data)) == data
        gateway.sendall(b"and back")
        assert heard(client, 8) == b"and back"
        client.shutdown(socket.SHUT_WR)
        assert gateway.recv(1) == b""
        gateway.sendall(b"still here")
        assert heard(client, 10) == b"still here"
        assert (line.outbound.passed, line.inbound.passed, line.connections) == (len(data), 18, 1)


def test_a_slow_direction_is_as_slow_as_it_says_and_the_other_is_not() -> None:
    """4,000 bytes at 10,000 a second take no less than 0.3 s; nothing is lost."""
    with ends() as (line, client, gateway):
        line.inbound.rate_bytes_s = 10_000
        began_s = time.monotonic()
        gateway.sendall(bytes(range(250)) * 16)
        client.sendall(b"quick")
        assert heard(gateway, 5) == b"quick"
        assert heard(client, 4_000) == bytes(range(250)) * 16
        assert time.monotonic() - began_s >= 0.3


def test_latency_delays_and_never_reorders() -> None:
    """Each piece by its own delay, but none before the one that was sent first."""
    with ends() as (line, client, gateway):
        line.outbound.latency_s, line.outbound.jitter_s = 0.05, 0.05
        began_s = time.monotonic()
        for number in range(20):
            client.sendall(bytes([number]))
            line.outbound.latency_s = max(0.01, line.outbound.latency_s - 0.002)
        assert heard(gateway, 20) == bytes(range(20))
        assert time.monotonic() - began_s >= 0.01


def test_no_piece_is_longer_than_a_slice() -> None:
    """One byte at a time, and all of them."""
    with ends() as (line, client, gateway):
        line.outbound.slice_bytes = 1
        client.sendall(b"abcdefgh" * 50)
        assert heard(gateway, 400) == b"abcdefgh" * 50


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_after_so_many_bytes_both_sides_hear_a_reset(cut: int) -> None:
    """What was passed on before is heard; nothing after it."""
    with ends() as (line, client, gateway):
        line.outbound.cut_after_bytes = cut
        client.sendall(b"abcdefgh")
        if cut:
            assert heard(gateway, cut) == b"abcdefgh"[:cut]
        with pytest.raises(ConnectionResetError):
            gateway.recv(1)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert line.outbound.passed == cut


def test_a_blackhole_takes_everything_and_tells_nothing() -> None:
    """Half open: the one side is gone without a word, the other goes on sending."""
    with ends() as (line, client, gateway):
        line.inbound.blackhole = True
        gateway.sendall(b"lost")
        gateway.shutdown(socket.SHUT_WR)
        client.sendall(b"heard")
        assert heard(gateway, 5) == b"heard"
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)


def test_a_direction_that_has_stopped_goes_on_where_it_was() -> None:
    """Nothing is lost meanwhile."""
    with ends() as (line, client, gateway):
        line.outbound.stopped = True
        client.sendall(b"later")
        gateway.settimeout(0.05)
        with pytest.raises(TimeoutError):
            gateway.recv(1)
        gateway.settimeout(PATIENCE_S)
        line.outbound.stopped = False
        assert heard(gateway, 5) == b"later"


def test_a_line_that_repeats_plays_each_piece_again() -> None:
    """Frames twice, as from a buffer that was sent again."""
    with ends() as (line, client, gateway):
        line.inbound.repeats = 2
        gateway.sendall(b"once")
        assert heard(client, 8) == b"onceonce"


def test_a_line_can_be_reset_or_closed_from_outside() -> None:
    """And the next connection is a new one."""
    with ends() as (line, client, gateway):
        line.reset()
        for each in (client, gateway):
            with pytest.raises(ConnectionResetError):
                each.recv(1)
    with ends() as (line, client, gateway):
        line.close()
        assert client.recv(1) == gateway.recv(1) == b""


def test_a_target_that_is_not_there_is_a_reset() -> None:
    """The client has connected to the line before the line knows."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with (
            Proxy(nobody.getsockname()[1]) as line,
            pytest.raises(ConnectionResetError),  # the reset may be there before the connect has returned
            socket.create_connection(("127.0.0.1", line.port), PATIENCE_S) as client,
        ):
            client.recv(1)
