"""Readers of market depth that keep rows by position hold the same book as readers that move rows."""

from __future__ import annotations

import random

import pytest

from tws_simulator.api.streams import depth_rows as depth
from tws_simulator.api.streams.book import Side


def _side(random_source: random.Random, best: float, step: float) -> Side:
    return [
        (best + step * at, random_source.randint(1, 9) * 100, random_source.choice(("ARCA", "BATS")))
        for at in sorted(random_source.sample(range(12), random_source.randint(0, 6)))
    ]


@pytest.mark.parametrize("seed", range(50))
def test_rows_come_and_go_at_the_end_only(seed: int) -> None:
    """What lies before is overwritten, so that ib_async, which moves no rows, follows."""
    source = random.Random(seed)
    held: tuple[Side, Side] = ([], [])
    by_position: dict[int, dict[int, depth.Row]] = {depth.BID: {}, depth.ASK: {}}
    for _ in range(20):
        middle = source.randint(100, 110)
        wanted = (_side(source, middle, -1.0), _side(source, middle + 1, 1.0))
        for step in depth.steps(held, wanted):
            rows = by_position[step.side]
            if step.row is None:
                assert step.position == len(rows) - 1
                del rows[step.position]
            else:
                assert step.position == len(rows) if step.operation == depth.INSERT else step.position in rows
                rows[step.position] = step.row
            prices = [row[0] for row in rows.values()]
            assert prices == sorted(prices, reverse=step.side == depth.BID)
        held = wanted
        assert tuple(list(by_position[side].values()) for side in (depth.BID, depth.ASK)) == held
