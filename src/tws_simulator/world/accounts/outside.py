"""What is booked though no exchange did it: fills of nobody's orders, corrections, transfers.

Each is booked in the account that it names, among ``ledgers``, the books of every account.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from tws_simulator.world.accounts.ledger import Ledger
from tws_simulator.world.accounts.records import ZERO, Commission, Execution

Ledgers = Mapping[str, Ledger]


def book(ledgers: Ledgers, execution: Execution, commission_usd: Decimal) -> Commission:
    return ledgers[execution.account].apply(execution, commission_usd)


def transfer(ledgers: Ledgers, moved: Execution) -> None:
    """As by assignment, transfer or split: see `Ledger.transfer`."""
    ledgers[moved.account].transfer(moved)


def latest(ledgers: Ledgers) -> Execution | None:
    """Of any account, among those that count; of several in one moment, that with the highest id."""
    standing = [execution for ledger in ledgers.values() for execution in ledger.standing()]
    return max(standing, key=lambda execution: (execution.ts_ns, execution.exec_id), default=None)


def revised(ledgers: Ledgers, exec_id: str) -> Execution | None:
    """What counts of an execution by now, however often it was corrected."""
    base = exec_id.rpartition(".")[0]
    standing = (execution for ledger in ledgers.values() for execution in ledger.standing())
    return next((execution for execution in standing if execution.exec_id.rpartition(".")[0] == base), None)


def correct(ledgers: Ledgers, wrong: Execution, shares: Decimal, price: Decimal) -> tuple[Execution, Commission]:
    """The same execution with the next number after the last dot of its id, as IB corrects; 0 shares bust it."""
    filled = wrong.cum_qty - wrong.shares + shares
    paid = wrong.cum_qty * wrong.avg_price - wrong.shares * wrong.price + shares * price
    corrected = replace(
        wrong,
        exec_id=next_revision(wrong.exec_id),
        shares=shares,
        price=price,
        cum_qty=filled,
        avg_price=paid / filled if filled else ZERO,
    )
    return corrected, ledgers[wrong.account].correct(wrong, corrected)


def next_revision(exec_id: str) -> str:
    """ "....01" becomes "....02"."""
    base, _, revision = exec_id.rpartition(".")
    return f"{base}.{int(revision) + 1:02d}"
