"""What a transaction does to the balance, and what the books say when a broker's statement differs."""

from decimal import Decimal

import pytest
from tests.support.transactions import part, transaction

from sep_trader.ledger.entries import BalanceDifference, balance_difference, entry_of
from sep_trader.ledger.transactions import (
    Adjustment,
    Event,
    Fill,
    FillCause,
    Financing,
    FinancingPart,
    OrderEnded,
    OrderPlaced,
    Other,
    Transfer,
)

FILL = Fill(
    order_id=9, client_id="sep-1", cause=FillCause.ORDER, gross_pl=Decimal("-12.34"), financing=Decimal("-0.50"),
    fees=Decimal("1.00"), opened=None, closed=(part(31, -100, "-12.34"),), reduced=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "amount", "is_profit"),
    [
        (FILL, Decimal("-12.34") + Decimal("-0.50") - Decimal("1.00"), True),
        (Financing(Decimal("-0.75"), (FinancingPart(31, Decimal("-0.75")),)), Decimal("-0.75"), True),
        (Adjustment(Decimal("2.50")), Decimal("2.50"), True),
        (Transfer(Decimal("-500")), Decimal(-500), False),
        (OrderPlaced(9, "sep-1"), Decimal(0), True),
        (OrderEnded(9, "sep-1", "MARKET_HALTED"), Decimal(0), True),
        (Other(), Decimal(0), True),
    ],
)
def test_each_kind_moves_the_balance_by_its_amount(event: Event, amount: Decimal, is_profit: bool) -> None:
    entry = entry_of(transaction(1, event))
    assert (entry.amount, entry.is_profit) == (amount, is_profit)


@pytest.mark.parametrize("event", [FILL, Financing(Decimal("-0.75"), ()), Transfer(Decimal(500)), Other()])
def test_a_stated_balance_that_adds_up_is_no_difference(event: Event) -> None:
    before = Decimal("10000.1234")
    after = before + entry_of(transaction(1, event)).amount
    assert balance_difference(before, transaction(1, event, balance=after)) is None


@pytest.mark.parametrize("event", [FILL, Financing(Decimal("-0.75"), ()), Transfer(Decimal(500)), Other()])
@pytest.mark.parametrize("off", ["0.0001", "-0.01", "1000"])
def test_a_stated_balance_that_does_not_add_up_is_a_difference_whatever_the_type(event: Event, off: str) -> None:
    before = Decimal("10000.1234")
    expected = before + entry_of(transaction(1, event)).amount
    found = balance_difference(before, transaction(7, event, balance=expected + Decimal(off), kind="STRANGE"))
    assert found == BalanceDifference(7, "STRANGE", expected, expected + Decimal(off))
    assert "transaction 7 (STRANGE)" in str(found)
    assert f"{Decimal(off):+}" in str(found)


def test_a_transaction_that_states_no_balance_cannot_differ() -> None:
    assert balance_difference(Decimal(1), transaction(1, FILL)) is None


def test_balances_are_compared_at_four_decimals() -> None:
    assert balance_difference(Decimal("1.00004"), transaction(1, balance=Decimal("1"))) is None
    assert balance_difference(Decimal("1.00006"), transaction(1, balance=Decimal("1"))) is not None
