"""IB's market rules: by which steps prices move, from which price on.

Rules 26 and 67 are captured; 239 follows the increment captured for EUR.USD. The numbers of the others are ours.
"""

from collections.abc import Mapping
from typing import Final

Steps = tuple[tuple[float, float], ...]

MARKET_RULES: Final[Mapping[int, Steps]] = {
    1: ((0.0, 0.01),),
    26: ((0.0, 0.01),),
    32: ((0.0, 0.01), (3.0, 0.05)),
    67: ((0.0, 0.25),),
    110: ((0.0, 0.05), (3.0, 0.10)),
    239: ((0.0, 0.00001),),
}


def price_increment(rule: int, price: float) -> float:
    return next(increment for low_edge, increment in reversed(MARKET_RULES[rule]) if price >= low_edge)
