"""IB's message codes as data: what each means and what it does to us.

The table ships in ``data/message_codes.json`` (483 codes, from IB's published message codes, the official client's own
error list and field reports; the wording is ours). Nothing else in the package branches on a code. Beside the columns
below the file says what operators do about a code (``action``) and how sure we are of the row (``confidence``): facts
for people, which no program reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from importlib.resources import files

import msgspec
from msgspec import Struct


class Effect(StrEnum):
    """What a code does. None of them makes an order terminal: the broker is asked first."""

    INFORM = "inform"
    FAIL_REQUEST = "fail_request"
    RETRY_REQUEST = "retry_request"
    NOT_ENTITLED = "not_entitled"
    REJECT_ORDER = "reject_order"
    SUSPECT_ORDER = "suspect_order"
    UPSTREAM_LOST = "upstream_lost"
    UPSTREAM_RESTORED = "upstream_restored"
    UPSTREAM_RESTORED_STREAMS_LOST = "upstream_restored_streams_lost"
    FARM_OK = "farm_ok"
    FARM_BROKEN = "farm_broken"
    FARM_DORMANT = "farm_dormant"
    FARM_CONNECTING = "farm_connecting"
    CLIENT_ID_IN_USE = "client_id_in_use"
    DELAYED = "delayed"
    COMPETING_SESSION = "competing_session"
    POSITIONS_UNREADY = "positions_unready"
    PACE = "pace"
    PORT_CHANGED = "port_changed"
    QUOTA_LINES = "quota_lines"
    QUOTA_DEPTH = "quota_depth"
    QUOTA_TICK_BY_TICK = "quota_tick_by_tick"


class FarmKind(StrEnum):
    """What a farm of IB serves."""

    MARKET = "market"
    HISTORY = "history"
    DEFINITIONS = "definitions"


class Notice(Struct, frozen=True, kw_only=True):
    """One row of the table. ``scope`` says whose id comes with it: order, request, request-or-order, system.

    ``farm``: the kind of farm that it is about, where it is about one.
    ``alert``: somebody is told when it comes, so its counter is exported as 0 from the start.
    """

    code: int
    category: str
    scope: str
    severity: str
    effect: Effect
    text: str
    source: str
    alert: bool = False
    farm: FarmKind | None = None

    @property
    def unknown(self) -> bool:
        return self.source == _NOWHERE


_NOWHERE = "none"


class NoticeTable:
    """Codes to notices; an unknown code is harmless, and says that it is unknown.

    One table lives as long as the service; whoever holds it sees new rows as soon as they are in force.
    """

    def __init__(self, rows: Iterable[Notice]) -> None:
        self.replace(rows)

    def replace(self, rows: Iterable[Notice]) -> None:
        """All rows at once. Between two batches, so that one batch is read by one table."""
        self._rows = {row.code: row for row in rows}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, code: int) -> bool:
        return code in self._rows

    @property
    def rows(self) -> tuple[Notice, ...]:
        """By code."""
        return tuple(self._rows[code] for code in sorted(self._rows))

    @property
    def alerting(self) -> tuple[Notice, ...]:
        return tuple(row for row in self._rows.values() if row.alert)

    def of(self, code: int) -> Notice:
        return self._rows.get(code) or _unknown(code)


def shipped() -> NoticeTable:
    """A table with the rows that come with the package."""
    return NoticeTable(shipped_rows())


@cache
def shipped_rows() -> tuple[Notice, ...]:
    raw = files("ibkr_adapter").joinpath("data/message_codes.json").read_bytes()
    return tuple(msgspec.json.decode(raw, type=list[Notice]))


def _unknown(code: int) -> Notice:
    return Notice(
        code=code,
        category="warning",
        scope="request-or-order",
        severity="warning",
        effect=Effect.INFORM,
        text="A code that is not in the table",
        source=_NOWHERE,
    )
