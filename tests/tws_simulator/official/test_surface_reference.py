from __future__ import annotations

from scripts.surface_reference import FAMILIES, PAGE, SINCE, page
from tests.tws_simulator.official.surface_walk import SINCE as CALLBACKS_SINCE
from tws_simulator.api.requests import HANDLERS
from tws_simulator.api.requests.unsupported import OUTSIDE
from tws_simulator.wire.codec import ROWS_BY_ID, ROWS_BY_NAME
from tws_simulator.wire.row import REPLY, REQUEST

ANSWERED = {request: replies.split() for _, requests in FAMILIES for request, replies in requests.items()}


def test_the_reference_is_what_the_tables_say() -> None:
    """docs/reference/simulator-surface.md is current; else run scripts/surface_reference.py."""
    assert PAGE.read_text() == page()


def test_every_request_that_is_served_is_listed() -> None:
    """And no other; each has a table for the wire."""
    assert set(ANSWERED) == {"startApi", *HANDLERS}
    assert set(ANSWERED) == {name for direction, name in ROWS_BY_NAME if direction == REQUEST}


def test_every_reply_answers_something() -> None:
    """No table for the wire is without use."""
    told = {reply for replies in ANSWERED.values() for reply in replies}
    assert told == {name for direction, name in ROWS_BY_NAME if direction == REPLY}


def test_what_is_not_served_has_no_table() -> None:
    """A request is either served or refused."""
    assert not [msg_id for msg_id in OUTSIDE if (REQUEST, msg_id) in ROWS_BY_ID]


def test_the_page_and_the_walk_agree_on_the_first_versions() -> None:
    """Of the replies that have not always been there."""
    text = {name: since for name, since in SINCE.items() if name in CALLBACKS_SINCE}
    assert text == {name: since for name, since in CALLBACKS_SINCE.items() if not name.endswith("ProtoBuf")}
