"""Transactions made up for tests: what happened is given, the rest is filled in."""

from datetime import UTC, datetime
from decimal import Decimal

from sep_trader.ledger.transactions import Event, Other, TradePart, Transaction

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
_OTHER = Other()


def transaction(
    number: int, event: Event = _OTHER, *, time: datetime = NOON, balance: Decimal | None = None, kind: str = "TEST"
) -> Transaction:
    """Make a transaction."""
    return Transaction(number, kind, time, event, balance, {})


def part(trade_id: int, units: int, pl: str = "0", *, price: str | None = "1.10000") -> TradePart:
    """Make a trade's share of a fill, without financing and fees."""
    zero = Decimal(0)
    at = None if price is None else Decimal(price)
    return TradePart(trade_id, Decimal(units), at, Decimal(pl), zero, zero, zero)
