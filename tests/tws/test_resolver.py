"""Names of hosts: looked up beside the connection, so that a resolver that hangs holds up nothing else."""

from __future__ import annotations

import socket
import threading

import pytest

from ibkr_adapter.events import LossCause, SessionLost, SessionOpened
from ibkr_adapter.tws.resolver import Address, Resolver, resolve, written
from tests.tws.scripted_gateway import PATIENCE_S, Inbox, Peer, gateway, session


class SlowLookup:
    """Knows every name as this machine, once it is let go; counts what it is asked."""

    def __init__(self) -> None:
        self.works = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        assert self.works.wait(PATIENCE_S)
        return resolve("127.0.0.1", port)


def test_what_is_written_as_an_address_needs_no_resolver() -> None:
    """Of both families; a name is not one, nor is what no name can be."""
    assert [address[4] for address in written("127.0.0.1", 4002) or []] == [("127.0.0.1", 4002)]
    assert [address[0] for address in written("::1", 4002) or []] == [socket.AF_INET6]
    assert written("gw.desk", 4002) is None
    assert written("a" * 64 + ".desk", 4002) is None


def test_whoever_asks_meanwhile_waits_for_the_same_lookup() -> None:
    """So a resolver that hangs holds one thread for each host; when it has answered, the next one asks anew."""
    lookup = SlowLookup()
    resolver = Resolver(lookup)
    asked = [resolver.look_up("gw.desk", 4002) for _ in range(50)]
    other = resolver.look_up("gw2.desk", 4002)
    lookup.works.set()

    assert len({id(each) for each in asked}) == 1
    assert asked[0].result(PATIENCE_S) == other.result(PATIENCE_S) == resolve("127.0.0.1", 4002)
    again = resolver.look_up("gw.desk", 4002)
    assert again is not asked[0]
    assert again.result(PATIENCE_S)
    assert sorted(lookup.asked) == ["gw.desk", "gw.desk", "gw2.desk"]


def test_a_name_that_does_not_exist_is_an_error_and_asked_for_again() -> None:
    """What failed is forgotten."""

    def unknown(host: str, port: int) -> list[Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolver = Resolver(unknown)
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            resolver.look_up("gw.desk", 4002).result(PATIENCE_S)


@pytest.mark.wire
@pytest.mark.fault("E17")
def test_a_resolver_that_hangs_costs_the_deadline_and_no_more() -> None:
    """The attempt fails in time and says why; when names are resolved again, the next attempt connects."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.hear_end()

    lookup = SlowLookup()
    resolver = Resolver(lookup)
    with gateway(script) as playing:
        for epoch in range(5):
            inbox = Inbox()
            subject = session(
                playing.port, inbox, epoch=epoch, host="gw.desk", resolver=resolver, handshake_deadline_s=0.05
            )
            subject.start()
            end = inbox.until(SessionLost)
            assert subject.join(PATIENCE_S)
            assert end.cause is LossCause.REFUSED
            assert end.detail == "the name gw.desk was not resolved within 0.05 s: see to the DNS, or give an address"
        assert lookup.asked == ["gw.desk"]

        lookup.works.set()
        inbox = Inbox()
        subject = session(playing.port, inbox, epoch=9, host="gw.desk", resolver=resolver)
        subject.start()
        inbox.until(SessionOpened)
        subject.close("done")
        assert inbox.until(SessionLost).cause is LossCause.ASKED


@pytest.mark.wire
@pytest.mark.fault("E17")
def test_a_gateway_given_by_its_address_does_not_need_names() -> None:
    """With the resolver gone the session connects as ever."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.hear_end()

    lookup, inbox = SlowLookup(), Inbox()
    with gateway(script) as playing:
        subject = session(playing.port, inbox, resolver=Resolver(lookup))
        subject.start()
        inbox.until(SessionOpened)
        subject.close("done")
        inbox.until(SessionLost)
    assert lookup.asked == []


@pytest.mark.wire
def test_a_session_that_is_told_to_end_does_not_wait_for_a_name() -> None:
    """Nor for its answer, which finds nobody."""
    lookup, inbox = SlowLookup(), Inbox()
    subject = session(1, inbox, host="gw.desk", resolver=Resolver(lookup))
    subject.start()
    subject.close("never mind")
    assert inbox.until(SessionLost).cause is LossCause.ASKED
    assert subject.join(PATIENCE_S)
    lookup.works.set()
