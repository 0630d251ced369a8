"""What a transaction did to the balance, and whether the broker's statement agrees with our books. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from sep_trader.ledger.transactions import Adjustment, Fill, Financing, Transaction, Transfer

_ZERO = Decimal(0)
_LAST_DIGIT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction's effect on the balance, in account currency. A transfer is not profit."""

    amount: Decimal
    is_profit: bool


@dataclass(frozen=True, slots=True)
class BalanceDifference:
    """The broker states another balance than the books add up to."""

    transaction_id: int
    type: str
    expected: Decimal
    stated: Decimal

    def __str__(self) -> str:
        return (
            f"after transaction {self.transaction_id} ({self.type}) the broker states a balance of {self.stated}, "
            f"our books say {self.expected}: {self.stated - self.expected:+} is unexplained"
        )


def entry_of(transaction: Transaction) -> Entry:
    """The effect of a transaction on the balance.

    Source: OANDA v20, balance after a fill = balance + profit or loss + financing - fees. A transaction that says
    nothing about money has the amount 0.
    """
    match transaction.event:
        case Fill() as fill:
            return Entry(fill.gross_pl + fill.financing - fill.fees, is_profit=True)
        case Financing(amount=amount) | Adjustment(amount=amount):
            return Entry(amount, is_profit=True)
        case Transfer(amount=amount):
            return Entry(amount, is_profit=False)
        case _:
            return Entry(_ZERO, is_profit=True)


def same_balance(ours: Decimal, stated: Decimal) -> bool:
    """Whether two balances are equal at the four decimals in which books and brokers keep them."""
    return ours.quantize(_LAST_DIGIT) == stated.quantize(_LAST_DIGIT)


def balance_difference(before: Decimal, transaction: Transaction) -> BalanceDifference | None:
    """Compare the balance that a transaction states with the balance before it plus its amount, at four decimals.

    None when both are equal, or when the transaction states no balance. Every type is compared: an unknown type that
    moved money is a difference.
    """
    if transaction.balance is None:
        return None
    expected = before + entry_of(transaction).amount
    if same_balance(expected, transaction.balance):
        return None
    return BalanceDifference(transaction.id, transaction.type, expected, transaction.balance)
