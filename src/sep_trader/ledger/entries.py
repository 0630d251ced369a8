"""The two sides of every transaction that moves money, and whether the broker's balance agrees with our books. Pure.

Double entry in the account's currency: the entries of a transaction add up to 0. `cash` is what the account holds;
each other entry says where it came from (negative: received) or went to (positive: paid). Nothing is left out: a type
that is not known is booked by the balance that the broker states after it, and what no type explains is `unexplained`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from sep_trader.ledger.transactions import (
    Adjustment,
    Fill,
    Financing,
    Other,
    Transaction,
    Transfer,
    Unreadable,
)

_ZERO = Decimal(0)
_LAST_DIGIT = Decimal("0.0001")


class EntryKind(StrEnum):
    """The accounts of the ledger (ledger_entries.entry)."""

    CASH = "cash"
    TRADING = "trading"
    """Profit and loss of price, without what the conversion cost."""
    CONVERSION = "conversion"
    FINANCING = "financing"
    COMMISSION = "commission"
    FEES = "fees"
    """Fees of a fill that are no commission, such as a guaranteed stop's."""
    DIVIDENDS = "dividends"
    ADJUSTMENTS = "adjustments"
    TRANSFERS = "transfers"
    """Money that the owner paid in or took out: no profit."""
    OTHER = "other"
    """A type that is not known, by its stated balance."""
    UNEXPLAINED = "unexplained"
    """The broker states another balance than its own figures add up to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a transaction, in the account's currency; debit is positive, credit negative."""

    kind: EntryKind
    amount: Decimal
    pair: str | None = None
    trade_id: int | None = None


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


def amount_of(transaction: Transaction) -> Decimal:
    """What a transaction adds to the balance by its own figures; 0 where they say nothing about money.

    Source: OANDA v20, balance after a fill = balance + profit or loss + financing - fees.
    """
    match transaction.event:
        case Fill() as fill:
            return fill.gross_pl + fill.financing - fill.fees
        case Financing(amount=amount) | Adjustment(amount=amount) | Transfer(amount=amount):
            return amount
        case _:
            return _ZERO


def is_profit(transaction: Transaction) -> bool:
    """Whether what a transaction moves is profit or loss. What the owner pays in or takes out is not."""
    return not isinstance(transaction.event, Transfer)


def balance_after(before: Decimal, transaction: Transaction) -> Decimal:
    """The balance after a transaction: what the broker states, else what its figures add up to."""
    return before + amount_of(transaction) if transaction.balance is None else transaction.balance


def entries_of(before: Decimal, transaction: Transaction) -> tuple[Entry, ...]:
    """The entries of a transaction after a balance; none when it moves no money. They add up to 0."""
    sides = (replace(side, amount=side.amount.quantize(_LAST_DIGIT)) for side in _sides(transaction))
    entries = [side for side in sides if side.amount]
    cash = (balance_after(before, transaction) - before).quantize(_LAST_DIGIT)
    rest = cash + sum((entry.amount for entry in entries), _ZERO)
    if rest:
        kind = EntryKind.OTHER if _of_unknown_type(transaction) else EntryKind.UNEXPLAINED
        entries.append(Entry(kind, -rest))
    return tuple(([Entry(EntryKind.CASH, cash)] if cash else []) + entries)


def _sides(transaction: Transaction) -> Iterator[Entry]:
    """The sides of a transaction that are not cash, by its own figures."""
    match transaction.event:
        case Fill() as fill:
            pair = fill.instrument
            yield Entry(EntryKind.TRADING, -(fill.gross_pl + fill.conversion), pair)
            yield Entry(EntryKind.CONVERSION, fill.conversion, pair)
            yield Entry(EntryKind.FINANCING, -fill.financing, pair)
            yield Entry(EntryKind.COMMISSION, fill.commission, pair)
            yield Entry(EntryKind.FEES, fill.fees - fill.commission, pair)
        case Financing(amount=amount, parts=parts):
            yield from (Entry(EntryKind.FINANCING, -part.amount, trade_id=part.trade_id) for part in parts)
            yield Entry(EntryKind.FINANCING, sum((part.amount for part in parts), _ZERO) - amount)
        case Adjustment(amount=amount):
            dividend = transaction.type == "DIVIDEND_ADJUSTMENT"
            yield Entry(EntryKind.DIVIDENDS if dividend else EntryKind.ADJUSTMENTS, -amount)
        case Transfer(amount=amount):
            yield Entry(EntryKind.TRANSFERS, -amount)


def _of_unknown_type(transaction: Transaction) -> bool:
    return isinstance(transaction.event, Other | Unreadable)


def same_balance(ours: Decimal, stated: Decimal) -> bool:
    """Whether two balances are equal at the four decimals in which books and brokers keep them."""
    return ours.quantize(_LAST_DIGIT) == stated.quantize(_LAST_DIGIT)


def balance_difference(before: Decimal, transaction: Transaction) -> BalanceDifference | None:
    """Compare the balance that a transaction states with the balance before it plus its amount, at four decimals.

    None when both are equal, when the transaction states no balance, or when its type is not known: that one is booked
    by its stated balance.
    """
    if transaction.balance is None or _of_unknown_type(transaction):
        return None
    expected = before + amount_of(transaction)
    if same_balance(expected, transaction.balance):
        return None
    return BalanceDifference(transaction.id, transaction.type, expected, transaction.balance)


def unexplained(balance: Decimal, transactions: Iterable[Transaction]) -> Iterator[BalanceDifference]:
    """The differences within consecutive transactions that follow a balance."""
    for transaction in transactions:
        difference = balance_difference(balance, transaction)
        if difference is not None:
            yield difference
        balance = balance_after(balance, transaction)
