"""What grows among faults has a bound, an idle stage costs nothing, and a stopped one is as new."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from tests.tws_simulator.faults.played import RESTING, Played, place
from tests.tws_simulator.scripted_client import AAPL, SECOND, START_NS, codes, names, of
from tws_simulator.faults import armed, rig
from tws_simulator.faults.director import Director
from tws_simulator.faults.pipe import Pipe
from tws_simulator.faults.reading import read_action
from tws_simulator.faults.triggers import Clock
from tws_simulator.world.time.calendar import new_york_time


def test_one_filter_too_many_is_said_to_whoever_asks_and_skipped_in_a_scenario() -> None:
    """A step for every request arms only so many."""
    played = Played.of(
        {"when": {"request": "reqIds", "every": True}, "do": "drop", "names": ["position"]},
    )
    client = played.client()
    for _ in range(armed.FILTERS_MAX + 5):
        client.ask("reqIds", numIds=1)
    assert played.director.skipped == 5
    with pytest.raises(armed.TooManyFaults):
        played.director.do(read_action({"do": "drop", "names": ["position"]}))


def test_what_waits_has_a_bound_and_then_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is told at once instead of being lost."""
    monkeypatch.setattr(rig, "TIMERS_MAX", 2)
    played = Played.of({"do": "delay", "names": ["managedAccounts"], "seconds": 5})
    client = played.client()
    assert "managedAccounts" not in names(client.greeting)
    assert client.ask("reqManagedAccts") == []
    assert names(client.ask("reqManagedAccts")) == ["managedAccounts"]


def test_stopping_leaves_no_fault_behind() -> None:
    """Orders held for the broker are sent, data flows, the port opens, messages pass."""
    played = Played.of(
        {"do": "port_down"},
        {"do": "link_lost"},
        {"do": "drop", "names": ["managedAccounts"]},
        {"when": {"at_s": 1}, "do": "close"},
        {"when": {"request": "reqIds"}, "do": "close"},
    )
    client = played.client()
    assert place(client, RESTING) == []
    played.director.stop()
    assert names(client.ask("reqManagedAccts")).count("managedAccounts") == 1
    assert of(client.ask("reqOpenOrders"), "openOrder")
    assert "nextValidId" in names(client.ask("reqIds", numIds=1))
    assert client.ask("reqMktData", reqId=1, contract=AAPL)
    assert played.core.state.door.is_open
    played.pass_s(2, client)
    assert client.session.link.end is None


def test_bytes_that_wait_when_faults_are_stopped_still_come() -> None:
    """A frame of which half is lost would be the end of the session."""
    played = Played.of({"when": {"request": "reqManagedAccts"}, "do": "latency", "seconds": 60})
    client = played.client()
    assert client.ask("reqManagedAccts") == []
    played.director.stop()
    assert names(client.ask("reqIds", numIds=1)) == ["managedAccounts", "nextValidId"]


def test_a_client_named_is_the_only_one_concerned() -> None:
    """By its id, also after it has connected again."""
    played = Played.of({"do": "drop", "names": ["managedAccounts"], "client": 2})
    assert "managedAccounts" in names(played.client(1).greeting)
    for _ in range(2):
        second = played.client(2)
        assert "managedAccounts" not in names(second.greeting)
        played.core.disconnect(second.session)


def test_frames_wait_for_each_other() -> None:
    """Coalesced by count, and by time where the count is not reached."""
    played = Played.of({"when": {"request": "reqManagedAccts"}, "do": "coalesce", "frames": 3, "for_s": 10})
    client = played.client()
    assert client.ask("reqManagedAccts") == client.ask("reqManagedAccts") == []
    assert names(client.ask("reqManagedAccts")) == ["managedAccounts"] * 3
    played.director.do(read_action({"do": "coalesce", "for_s": 1}))
    assert client.ask("reqManagedAccts") == []
    assert "managedAccounts" in names(played.pass_s(1, client))


def test_data_resumes_and_orders_end_in_silence_when_asked_to() -> None:
    """For hands at the control port."""
    played = Played.of({"do": "stop_data"})
    client = played.client()
    place(client, RESTING)
    client.ask("reqMktData", reqId=1, contract=AAPL)
    assert "tickPrice" not in names(played.pass_s(5, client))
    played.director.do(read_action({"do": "resume_data"}))
    assert "tickPrice" in names(played.pass_s(5, client))
    played.director.do(read_action({"do": "cancel_orders"}))
    assert "orderStatus" not in names(client.replies())
    assert of(client.ask("reqOpenOrders"), "openOrder") == []


def test_a_refusal_of_the_session_is_told_without_an_id() -> None:
    """Error 100 names no request."""
    played = Played.of({"do": "refuse", "names": ["reqMktData"], "code": 100})
    assert codes(played.client().ask("reqMktData", reqId=5, contract=AAPL)) == [(-1, 100)]


@pytest.mark.parametrize("clock", ["04:45:00", "11:30:00", "23:59:59", "00:00:00"])
def test_a_time_of_day_is_met_every_day_of_a_year(clock: str) -> None:
    """Exactly once a day, also in the two nights on which the clocks change."""
    trigger, now_ns, shown = Clock(clock=clock), START_NS, []
    for _ in range(366):
        now_ns = trigger.next_ns(now_ns)
        shown.append(new_york_time(now_ns).replace(tzinfo=None))
    assert {f"{each:%H:%M:%S}" for each in shown} == {clock}
    assert {later.date() - earlier.date() for earlier, later in itertools.pairwise(shown)} == {timedelta(days=1)}


def test_a_narrow_pipe_lets_through_what_time_allows_and_in_order() -> None:
    """A thousand bytes a second; none is lost."""
    pipe = Pipe()
    pipe.bytes_per_s = 1000
    sent = bytes(range(256)) * 16
    out = pipe.pass_on(sent, 0)
    for quarter in range(1, 30):
        out += pipe.pass_on(b"", quarter * SECOND // 4)
        assert len(out) <= quarter * 250
    assert sent.startswith(out)
    assert len(out) == len(sent)


def test_a_slow_pipe_keeps_the_order_of_its_bytes() -> None:
    """However the delay swings."""
    pipe = Pipe()
    pipe.latency_ns, pipe.jitter_ns = SECOND, SECOND // 2
    out = b"".join(pipe.pass_on(bytes([number]), number * SECOND // 20) for number in range(100))
    out += pipe.pass_on(b"", 100 * SECOND)
    assert out == bytes(range(100))


def test_an_idle_director_describes_itself() -> None:
    """For whoever debugs at night."""
    assert repr(Director()) == "<Director idle acted 0>"
    assert repr(Played.of({"do": "port_down"}).director) == "<Director of-a-test acted 1>"
