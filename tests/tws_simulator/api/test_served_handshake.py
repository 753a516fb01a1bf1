"""The opening of a connection."""

from __future__ import annotations

import pytest

from tests.tws_simulator.scripted_client import START_NS, gateway_core
from tws_simulator.api.session import SessionState
from tws_simulator.wire.codec import frame
from tws_simulator.wire.handshake import Hello, NotTheApi, accept, negotiate, read_hello, refuse

HELLO = b"API\0" + frame(b"v100..226")


@pytest.mark.parametrize("received", [HELLO[:length] for length in range(len(HELLO))])
def test_a_hello_may_come_in_pieces(received: bytes) -> None:
    """Every cut of it is incomplete, none is an error."""
    assert read_hello(received) is None


def test_a_hello_states_a_range_and_perhaps_options() -> None:
    """What follows the hello is not consumed."""
    assert read_hello(HELLO + b"more") == Hello(100, 226, "", len(HELLO))
    with_options = b"API\0" + frame(b"v100..226 +PACEAPI")
    assert read_hello(with_options) == Hello(100, 226, "+PACEAPI", len(with_options))
    assert read_hello(b"API\0" + frame(b"v176")) == Hello(176, 176, "", 12)


@pytest.mark.parametrize("received", [b"GET / HTTP/1.1\r\n", b"63\0", b"API\0" + frame(b"hello"), b"API\0\x7f\0\0\0"])
def test_another_protocol_is_recognised(received: bytes) -> None:
    """A browser, the dialect of before 2014, nonsense, an absurd length."""
    with pytest.raises(NotTheApi):
        read_hello(received)


@pytest.mark.parametrize(
    ("own", "oldest", "newest", "agreed"),
    [
        (226, 100, 203, 203),
        (200, 100, 226, 200),
        (213, 213, 226, 213),
        (200, 201, 226, None),
        (226, 100, 151, 151),
        (226, 100, 150, None),
    ],
)
def test_the_newest_common_version_is_agreed(own: int, oldest: int, newest: int, agreed: int | None) -> None:
    """None when the client needs newer than ours, or knows none of ours."""
    assert negotiate(own, Hello(oldest, newest, "", 0)) == agreed


def test_the_answer_is_one_frame_with_version_and_time() -> None:
    """The official client loses what shares a segment with it, so there is nothing else."""
    assert accept(213, START_NS) == frame(b"213\x0020261122 16:30:00 GMT\0")


def test_a_client_that_needs_a_newer_gateway_is_told_so() -> None:
    """503, in the form every client can read; then the connection ends."""
    assert b"503\0The TWS is out of date" in refuse(200, Hello(201, 226, "", 0))
    core = gateway_core(server_version=200)
    session = core.connect()
    assert session is not None
    core.receive(session, b"API\0" + frame(b"v201..226"), START_NS)
    assert session.state is SessionState.CLOSED
    assert b"503" in session.take_output()


def test_a_stranger_is_cut_off_without_an_answer() -> None:
    """As a real gateway does with anything but the API."""
    core = gateway_core()
    session = core.connect()
    assert session is not None
    core.receive(session, b"GET / HTTP/1.1\r\n\r\n", START_NS)
    assert session.state is SessionState.CLOSED
    assert session.take_output() == b""
