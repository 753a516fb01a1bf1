"""The engine as a whole: what it drops, what it survives, what it shows."""

from __future__ import annotations

from world import World, echoed


def test_an_order_goes_from_command_to_wire_in_a_quiet_world():
    """Connected, reconciled, priced: a limit order is accepted, on disk, on the wire, and working when echoed."""
    world = World().ready()

    outcome = world.place()

    assert outcome is not None
    assert outcome.accepted
    world.say(echoed("k1", outcome.order_id))
    assert world.order().state == "working"
