"""A subscription that begins while its data are stopped begins with a whole picture once they go on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tws_simulator.faults.played import Played
from tests.tws_simulator.scripted_client import AAPL, ScriptedClient, codes, names, of
from tws_simulator.faults.actions import Action
from tws_simulator.faults.actions.sessions import Farm, LinkBack, LinkLost, ResumeData, StopData
from tws_simulator.faults.library import named
from tws_simulator.wire.row import Message

DELETE, INSERT, UPDATE = 2, 0, 1
ROWS = 5
Books = tuple[list[tuple[float, Any]], list[tuple[float, Any]]]
STOPS: list[tuple[Action, Action]] = [
    (LinkLost(), LinkBack()),
    (StopData(kinds=("depth", "quote")), ResumeData()),
    (Farm(state="broken"), Farm(state="ok")),
]


def subscribe(client: ScriptedClient, req_id: int = 7) -> list[Message]:
    return client.ask("reqMktDepth", reqId=req_id, contract={**AAPL, "exchange": "NASDAQ"}, numRows=ROWS)


def cancel(client: ScriptedClient, req_id: int = 7) -> list[Message]:
    return client.ask("cancelMktDepth", reqId=req_id)


def rows_of(told: list[Message], req_id: int = 7) -> list[dict[str, Any]]:
    return [
        each["marketDepthData"]
        for each in told
        if each.name in ("updateMktDepth", "updateMktDepthL2") and each["reqId"] == req_id
    ]


def read(rows: list[dict[str, Any]], books: Books | None = None) -> Books:
    """As a strict client reads them: every row must fit."""
    sides: Books = ([], []) if books is None else books
    for row in rows:
        side, at = sides[row["side"]], row["position"]
        if row["operation"] == INSERT:
            assert at <= len(side), f"row {at} of a side of {len(side)}"
            side.insert(at, (row["price"], row["size"]))
        elif row["operation"] == UPDATE:
            assert at < len(side), f"row {at} of a side of {len(side)}"
            side[at] = (row["price"], row["size"])
        else:
            del side[at]
    return sides


def shown(played: Played) -> Books:
    """What somebody sees who subscribes now."""
    other = played.client(9)
    books = read(rows_of(subscribe(other)))
    played.core.disconnect(other.session)
    return books


@pytest.mark.parametrize(("stop", "lift"), STOPS, ids=lambda action: action.do)
def test_depth_that_begins_during_a_stop_begins_whole_after_it(stop: Action, lift: Action) -> None:
    """No row comes before the stop is over, all fit, and the book is that of any other client."""
    played = Played.of()
    client = played.client()
    played.director.do(stop)
    client.replies()
    assert rows_of(subscribe(client) + played.pass_s(10, client)) == []
    played.director.do(lift)
    books = read(rows_of(client.replies() + played.pass_s(20, client)))
    assert books == shown(played)
    assert len(books[0]) == len(books[1]) == ROWS


@pytest.mark.parametrize(("stop", "lift"), STOPS, ids=lambda action: action.do)
def test_a_line_that_begins_during_a_stop_begins_whole_after_it(stop: Action, lift: Action) -> None:
    """Bid, ask and close come although they have not changed since."""
    played = Played.of(symbols=("MSFT",))
    client = played.client()
    played.director.do(stop)
    client.replies()
    assert of(client.ask("reqMktData", reqId=8, contract=AAPL), "tickPrice") == []
    played.director.do(lift)
    assert {1, 2, 9} <= {each["tickType"] for each in of(client.replies(), "tickPrice")}


def test_a_snapshot_taken_during_a_stop_ends_after_it() -> None:
    """An end without ticks would say that there are none."""
    played = Played.of()
    client = played.client()
    played.director.do(StopData())
    assert "tickSnapshotEnd" not in names(client.ask("reqMktData", reqId=8, contract=AAPL, snapshot=True))
    played.director.do(ResumeData())
    told = names(client.replies() + played.pass_s(15, client))
    assert told.index("tickPrice") < told.index("tickSnapshotEnd")


def test_nothing_is_told_of_what_was_cancelled_during_a_stop() -> None:
    """Neither its first rows nor those of a subscription before it under the same id."""
    played = Played.of()
    client = played.client()
    played.director.do(StopData())
    subscribe(client)
    cancel(client)
    subscribe(client, req_id=8)
    played.director.do(ResumeData())
    told = client.replies()
    assert rows_of(told) == []
    assert len(read(rows_of(told, req_id=8))[0]) == ROWS


def test_nothing_is_told_of_what_ended_with_the_outage() -> None:
    """1101: a subscription made during the outage is gone like the others."""
    played = Played.of()
    client = played.client()
    played.director.do(LinkLost())
    subscribe(client)
    played.director.do(LinkBack(data="lost"))
    assert rows_of(client.replies() + played.pass_s(5, client)) == []


def test_a_halted_depth_is_over_and_another_begins_whole() -> None:
    """316 ends the subscription: no row comes under its id, cancelling it is 310, and asking again shows a book."""
    played = Played(named("depth-halted"))
    client = played.client()
    subscribe(client)
    told = played.pass_s(3, client)
    at = next(index for index, each in enumerate(told) if each.get("errorCode") == 316)
    assert rows_of(told[at:] + played.pass_s(10, client)) == []
    assert codes(cancel(client)) == [(7, 310)]
    books = read(rows_of(subscribe(client)))
    assert read(rows_of(played.pass_s(10, client)), books) == shown(played)
    assert len(books[0]) == ROWS


def test_a_reset_depth_is_told_whole_again() -> None:
    """317 is followed by the book as insertions, under the same id, and by changes of it."""
    played = Played(named("depth-reset"))
    client = played.client()
    subscribe(client)
    told = played.pass_s(3, client)
    at = next(index for index, each in enumerate(told) if each.get("errorCode") == 317)
    rows = rows_of(told[at:])
    assert [row["operation"] for row in rows[: 2 * ROWS]] == [INSERT] * 2 * ROWS
    assert read(rows + rows_of(played.pass_s(10, client))) == shown(played)
