"""The engine as a whole: what it drops, what it survives, what it shows, and that it never sleeps over its work."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ibkr_adapter import events
from ibkr_adapter.clock import SECOND
from ibkr_adapter.effects import Durable, Outbox
from ibkr_adapter.events import (
    AccountValue,
    BrokerEvent,
    FrameSent,
    NextValidId,
    OrderIntended,
    OrderStatusReported,
    PositionReported,
    PositionsEnd,
    Quote,
    SessionLost,
    Started,
    Stopped,
    Tick,
)
from ibkr_adapter.instruments import Instrument
from ibkr_adapter.requests import RequestAccountSummary, RequestPositions, SendOrder
from ibkr_adapter.snapshot import Snapshot
from tests.core.world import SPY, START_NS, World, echoed, execution, status
from tests.records import commission


def leaves(kind: type) -> list[type]:
    below = kind.__subclasses__()
    return [leaf for each in below for leaf in leaves(each)] if below else [kind]


def test_an_order_goes_from_command_to_wire_in_a_quiet_world():
    """Connected, reconciled, priced: a limit order is accepted, on disk, on the wire, and working when echoed."""
    world = World().ready()

    outcome = world.place()

    assert outcome is not None
    assert outcome.accepted
    world.say(echoed("k1", outcome.order_id))
    assert world.order().state == "working"


def test_every_broker_event_has_a_route():
    """What a session can say, the engine understands; a word without a route would stop the service."""
    routes = World(begin=False).engine._routes.table

    assert set(leaves(BrokerEvent)) - set(leaves(Tick)) | {events.OpenOrderReported} <= set(routes)


@pytest.mark.fault("A22")
def test_what_a_dead_session_says_is_dropped_and_counted():
    """Statuses, ticks, ids of an epoch that is gone belong to nobody."""
    world = World().ready()
    order = world.working()
    late = [
        world.named(NextValidId, order_id=9_999),
        world.price(1, 1.0),
        world.present(status(order.order_id, status="Cancelled")),
    ]
    world.reconnect()
    world.say(echoed("k1", order.order_id))

    world.tell(*late)

    assert world.engine.snapshot(world.now_ns).counters["stale_events"] == 3
    assert world.engine.ledger.order_ids.last < 9_998
    assert order.state == "working"


def test_facts_about_money_are_true_whoever_brings_them():
    """An execution, its commission and a frame that left count in any state of the link."""
    world = World().ready()
    world.place()
    fill, paid = world.present(execution(quantity=100)), world.present(commission())
    frame = world.named(FrameSent, order_id=11, cancel=False, frame=b"late")
    world.lose()

    world.tell(frame, fill, paid)

    assert world.order().filled == 100
    assert world.order().commission is not None
    assert world.facts(FrameSent)[-1].frame == b"late"


def test_a_second_end_of_a_session_does_no_harm():
    """Only the present epoch's end counts."""
    world = World().ready()
    end = world.named(SessionLost, gateway="a", client_id=1, cause="reset")
    world.lose()
    world.connect()

    world.tell(end)

    assert world.engine.link.ready


@pytest.mark.parametrize("records", range(1, 12))
def test_a_crash_after_any_record_never_sends_an_order_twice(records: int):
    """Wherever the journal ends, the next life sends nothing of the last, and knows every order that is on it."""
    world = World().ready()
    world.place()
    world.say(echoed("k1"))
    world.say(execution(quantity=40))
    later = World(journal=world.journal[: len(world.journal) - records], now_ns=world.now_ns)

    later.ready()
    later.wait(30 * SECOND)

    assert later.requests(SendOrder) == []
    intents = [record for record in later.journal if type(record) is OrderIntended]
    assert len(list(later.engine.ledger.orders)) == len(intents)


def test_a_crash_between_intent_and_frame_ends_with_not_found():
    """On disk, never sent, in no list: after two of them the risk is released."""
    world = World().ready()
    world.disk_works = False
    world.place()
    later = World(journal=world.journal, now_ns=world.now_ns).ready()
    assert later.order().state == "in_doubt"

    later.wait(12 * SECOND)

    assert later.order().state == "not_found"


def test_epochs_go_on_after_a_restart():
    """An epoch names one session for good, over the lives of the process."""
    world = World().ready()
    world.reconnect()

    assert world.restarted().epoch == world.epoch + 1


def test_each_life_begins_and_ends_with_a_record():
    """The journal shows when somebody was at work."""
    world = World()
    out = Outbox()
    world.engine.end(Stopped(ts_recv_ns=world.now_ns, boot_id="b"), out)

    assert isinstance(world.journal[0], Started)
    assert isinstance(out.appends[-1].event, Stopped)


def test_the_picture_is_complete_and_can_be_written():
    """Every part has its place in the snapshot, and all of it goes through JSON."""
    world = World().ready()
    world.say(
        AccountValue(ts_recv_ns=1, epoch=1, req_id=1, account="DU1", tag="NetLiquidation", value="1", currency="USD")
    )
    world.say(
        PositionReported(
            ts_recv_ns=1, epoch=1, account="DU1", instrument=world.settings.instruments[0], quantity=5, average_cost=1.0
        )
    )
    world.working()
    world.say(execution(quantity=40))
    world.notice(2104, text="Market data farm connection is OK:usfarm")

    picture = world.engine.snapshot(world.now_ns)

    assert (picture.link.state, picture.link.epoch, picture.link.server_version) == ("ready", 1, 203)
    assert picture.gate.open
    assert picture.upstream == "connected"
    assert [farm.name for farm in picture.farms] == ["usfarm"]
    assert picture.quotes["SPY"].bid == 500.0
    assert picture.streams[0].state == "live"
    assert picture.accounts[0].values["NetLiquidation"] == ("1", "USD")
    assert picture.positions[0].quantity == 5
    assert (picture.orders[0].filled, picture.orders[0].remaining) == (40, 60)
    assert picture.executions[0].quantity == 40
    assert picture.notices[0].code == 2104
    assert picture.rate.limit == 45
    assert picture.journal_seq == len(world.journal)
    assert msgspec.json.decode(msgspec.json.encode(picture), type=Snapshot) == picture


def test_the_account_is_told_once_and_again_when_it_changes():
    """The paper account has been seen to send every row twice."""
    world = World().ready()
    row = AccountValue(ts_recv_ns=1, epoch=1, req_id=1, account="DU1", tag="NetLiquidation", value="1", currency="USD")
    world.say(row)
    world.say(row)
    assert len(world.told(AccountValue)) == 1

    world.say(msgspec.structs.replace(row, value="2"))
    assert len(world.told(AccountValue)) == 2


def test_a_gateway_that_lost_ib_before_it_was_asked_does_not_know_positions():
    """1100 may come while the session identifies itself."""
    world = World().ready()
    world.say(held(world, 5))
    world.lose()
    world.wait(SECOND)
    world.open()
    world.notice(1100)
    world.identify()
    world.settle()

    assert [position.quantity for position in world.engine.snapshot(world.now_ns).positions] == [5]


def test_positions_that_share_a_key_are_two_positions():
    """Two options of one underlying have one key and two numbers: neither may hide the other."""
    world = World().ready()
    for con_id, quantity in ((101, 5), (102, -3), (102, -4)):
        option = Instrument(symbol="SPY", sec_type="OPT", con_id=con_id)
        each = {"account": "DU1", "instrument": option, "quantity": Decimal(quantity), "average_cost": 1.0}
        world.tell(world.named(PositionReported, **each))

    assert [p.quantity for p in world.engine.snapshot(world.now_ns).positions] == [5, -4]


def held(world: World, quantity: int) -> PositionReported:
    return world.named(PositionReported, account="DU1", instrument=SPY, quantity=Decimal(quantity), average_cost=1.0)


def test_a_position_closed_while_we_were_away_is_stated_as_zero():
    """A complete list that does not name it says that it is not held any more."""
    world = World().ready()
    world.say(held(world, 5))

    world.reconnect()

    assert [position.quantity for position in world.told(PositionReported)] == [5, 0]


@pytest.mark.parametrize("code", [2151, 1100])
def test_an_empty_list_of_a_gateway_that_cannot_know_does_not_mean_flat(code: int):
    """It does not have the positions yet, or has lost IB: what was last stated stands."""
    world = World().ready()
    world.say(held(world, 5))
    world.silent.add(RequestPositions)
    world.reconnect()

    world.notice(code)
    world.say(world.named(PositionsEnd))

    assert [position.quantity for position in world.engine.snapshot(world.now_ns).positions] == [5]


def test_the_account_summary_is_asked_of_every_session():
    """With the same request id: at most two summaries may stand at a time."""
    world = World().ready()
    world.reconnect()

    asked = world.requests(RequestAccountSummary)
    assert len(asked) == 2
    assert asked[0].req_id == asked[1].req_id


def test_records_are_published_when_durable_and_in_order():
    """Downstream never hears of a fact that a crash could take back."""
    world = World().ready()
    world.disk_works = False
    world.working()
    recorded = [event.seq for event in world.told(events.Recorded)]
    last = recorded[-1]

    world.tell(Durable(seq=last + 1))

    assert [event.seq for event in world.told(events.Recorded)] == [*recorded, last + 1]


def test_the_same_notice_again_is_counted_on_its_line():
    """A hundred repeats are one line."""
    world = World().ready()
    for _ in range(100):
        world.notice(2103, text="Market data farm connection is broken:usfarm")

    assert [(note.code, note.count) for note in world.engine.snapshot(world.now_ns).notices] == [(2103, 100)]


def test_code_100_halves_what_we_send_for_a_minute():
    """The gateway counted too many messages; the picture shows the limit that holds now."""
    world = World().ready()

    world.notice(100, text="Max rate of messages per second has been exceeded")

    assert world.engine.snapshot(world.now_ns).rate.limit == 22
    world.wait(60 * SECOND)
    assert world.engine.snapshot(world.now_ns).rate.limit == 45


def test_an_unknown_code_is_harmless_and_counted():
    """IB adds codes."""
    world = World().ready()

    world.notice(99_999, text="something new")

    assert world.engine.link.ready
    assert world.engine.snapshot(world.now_ns).counters["notices_unknown"] == 1


class Nights(RuleBasedStateMachine):
    """Any sequence of commands, faults and waits keeps the promises about money."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.connect()
        self.world.quote()
        self.number = 0

    @rule(sell=st.booleans(), quantity=st.integers(1, 50))
    def place(self, sell: bool, quantity: int) -> None:
        self.number += 1
        self.world.place(f"k{self.number}", sell=sell, quantity=Decimal(quantity), market=True)

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        key = f"k{data.draw(st.integers(1, self.number))}"
        if self.world.engine.ledger.orders.of(key):
            self.number += 1
            self.world.cancel(key, command_id=f"x{self.number}")

    @precondition(lambda self: self.world.engine.link.socket_open and self.world.requests(SendOrder))
    @rule(data=st.data(), said=st.sampled_from(["Submitted", "Cancelled", "Inactive", "Filled"]))
    def report(self, data: st.DataObject, said: str) -> None:
        order = data.draw(st.sampled_from(self.world.requests(SendOrder)))
        self.world.say(echoed(order.order_ref, order.order_id, perm_id=order.order_id, status=said))

    @rule(code=st.sampled_from([1100, 1101, 1102, 2103, 2104, 399, 201]), order_id=st.integers(11, 20))
    def notice(self, code: int, order_id: int) -> None:
        if self.world.engine.link.socket_open:
            self.world.notice(code, order_id if code in (399, 201) else -1, text="farm:usfarm")

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds * SECOND)

    @rule(works=st.booleans())
    def disk(self, works: bool) -> None:
        self.world.disk_works = works

    @rule()
    def lose_and_return(self) -> None:
        if self.world.engine.link.state.value not in ("down", "halted"):
            self.world.lose()
        self.world.connect()
        self.world.quote()

    @rule()
    def crash(self) -> None:
        before = self.world
        self.world = before.restarted()
        self.world.sent = before.sent
        self.world.connect()
        self.world.quote()

    @invariant()
    def no_order_is_sent_twice(self) -> None:
        ids = [order.order_id for order in self.world.requests(SendOrder)]
        refs = [order.order_ref for order in self.world.requests(SendOrder)]
        assert len(set(ids)) == len(ids)
        assert len(set(refs)) == len(refs)

    @invariant()
    def what_was_sent_was_intended(self) -> None:
        intended = {event.order_id for event in self.world.journal if type(event) is OrderIntended}
        assert {order.order_id for order in self.world.requests(SendOrder)} <= intended

    @invariant()
    def there_is_always_an_alarm(self) -> None:
        assert self.world._alarm_ns is not None

    def teardown(self) -> None:
        """Liveness: when the faults end, it becomes ready again and no question stands."""
        self.world.disk_works = True
        self.world.settle()
        self.lose_and_return()
        self.world.wait(60 * SECOND)
        assert self.world.engine.link.ready
        assert self.world.engine.ledger.orders.questioned == []
        assert self.world.engine.pacing.waiting == 0


Nights.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=20, deadline=None)
TestNights = Nights.TestCase


def test_a_quote_before_ready_is_nobodys():
    """A tick of a request that was never asked is counted, and makes no quote."""
    world = World().ready()
    tick = msgspec.structs.replace(world.price(1, 1.0), req_id=77)

    world.tell(tick)

    assert world.engine.market.late_ticks == 1
    assert [quote.bid for quote in world.told(Quote)] == [500.0]
    assert world.facts(OrderStatusReported) == []
    assert world.now_ns == START_NS
