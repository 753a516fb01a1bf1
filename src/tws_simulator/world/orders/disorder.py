"""The order in which lists of orders are told: none that anybody could rely on, as captured, and always the same.

Neither by id nor by time. A parent still comes before its children.
"""

from __future__ import annotations

from collections.abc import Iterable

from tws_simulator.world.market.mixing import mixed
from tws_simulator.world.orders.order_events import OrderView


def disordered(views: Iterable[OrderView]) -> list[OrderView]:
    return sorted(views, key=lambda view: (mixed(view.parent_perm_id or view.perm_id), view.perm_id))
