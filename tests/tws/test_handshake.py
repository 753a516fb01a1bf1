"""What we say first, and what an answer may look like."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.tws.handshake import BadHandshake, greeting, offer


def test_the_offer_is_what_the_official_client_says() -> None:
    """The bytes captured from it, without and with an option."""
    assert offer(225) == b"API\0\0\0\0\x09v100..225"
    assert offer(225, "+PACEAPI") == b"API\0\0\0\0\x12v100..225 +PACEAPI"


def test_a_greeting_has_a_version_and_a_time() -> None:
    """Two fields, the first a number."""
    answer = greeting(b"176\x0020240307 13:56:35 Greenwich Mean Time\x00")
    assert answer is not None
    assert (answer.server_version, answer.connection_time) == (176, "20240307 13:56:35 Greenwich Mean Time")


def test_another_message_is_no_greeting() -> None:
    """More fields: something that slipped in before it."""
    assert greeting(b"14\x001\x002\x001\x00news\x00NYSE\x00") is None


@pytest.mark.parametrize("body", [b"", b"\0", b"abc\0def\0", b"176\x00no end", b"SSH-2.0", b"\xff\xfe\0\0"])
def test_what_is_no_message_of_a_gateway_is_refused(body: bytes) -> None:
    """A wrong port, a proxy, a web server."""
    with pytest.raises(BadHandshake):
        greeting(body)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_greeting(body: bytes) -> None:
    """An answer, something else, or a refusal; never another exception."""
    with contextlib.suppress(BadHandshake):
        greeting(body)
