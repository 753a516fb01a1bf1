"""The accounts of the gateway as requests name them, and the contracts of what they hold."""

from __future__ import annotations

from tws_simulator.api.contracts.contracts import described
from tws_simulator.api.notices.accounts import no_account
from tws_simulator.api.refused import Refused
from tws_simulator.wire.values import Values
from tws_simulator.world.instruments.universe import find
from tws_simulator.world.options import chains as option_chains
from tws_simulator.world.time.calendar import new_york_date
from tws_simulator.world.world import World

ALL = "All"


def account_list(world: World) -> str:
    """As managedAccounts has it: with a comma after each account where there are several, as of advisors' logins."""
    names = list(world.ledgers)
    return names[0] if len(names) == 1 else "".join(f"{name}," for name in names)


def check_account(world: World, account: str) -> str:
    """One account, which must be named."""
    if account not in world.ledgers:
        raise Refused(no_account(account))
    return account


def accounts_of(world: World, account: str) -> tuple[str, ...]:
    """One account, or all of them for "All" or ""."""
    return world.accounts if account in ("", ALL) else (check_account(world, account),)


def held_contract(con_id: int, now_ns: int) -> Values:
    """With the exchange of its listing; that of an option is empty."""
    listing = find(con_id=con_id)
    if listing is not None:
        return described(listing, listing.primary_exchange)
    option = option_chains.by_con_id(con_id, new_york_date(now_ns))
    assert option is not None, f"a position in {con_id}, which is not listed"
    return described(option, "")
