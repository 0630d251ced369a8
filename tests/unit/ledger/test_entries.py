"""What a transaction does to the balance, and what the books say when a broker's statement differs."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.transactions import part, transaction

from sep_trader.ledger.entries import (
    BalanceDifference,
    Entry,
    EntryKind,
    amount_of,
    balance_after,
    balance_difference,
    entries_of,
    is_profit,
    unexplained,
)
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
    Unreadable,
)

FILL = Fill(
    order_id=9, client_id="sep-1", cause=FillCause.ORDER, gross_pl=Decimal("-12.34"), financing=Decimal("-0.50"),
    fees=Decimal("1.00"), opened=None, closed=(part(31, -100, "-12.34"),), reduced=None,
)  # fmt: skip


@pytest.mark.parametrize(
    ("event", "amount", "profit"),
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
def test_each_kind_moves_the_balance_by_its_amount(event: Event, amount: Decimal, profit: bool) -> None:
    one = transaction(1, event)
    assert (amount_of(one), is_profit(one)) == (amount, profit)
    assert balance_after(Decimal(100), one) == 100 + amount
    assert balance_after(Decimal(100), transaction(1, event, balance=Decimal(7))) == 7


@pytest.mark.parametrize("event", [FILL, Financing(Decimal("-0.75"), ()), Transfer(Decimal(500)), OrderPlaced(9, None)])
def test_a_stated_balance_that_adds_up_is_no_difference(event: Event) -> None:
    before = Decimal("10000.1234")
    after = before + amount_of(transaction(1, event))
    assert balance_difference(before, transaction(1, event, balance=after)) is None


@pytest.mark.parametrize("event", [FILL, Financing(Decimal("-0.75"), ()), Transfer(Decimal(500)), OrderPlaced(9, None)])
@pytest.mark.parametrize("off", ["0.0001", "-0.01", "1000"])
def test_a_stated_balance_that_does_not_add_up_is_a_difference(event: Event, off: str) -> None:
    before = Decimal("10000.1234")
    expected = before + amount_of(transaction(1, event))
    one = transaction(7, event, balance=expected + Decimal(off), kind="STRANGE")
    found = balance_difference(before, one)
    assert found == BalanceDifference(7, "STRANGE", expected, expected + Decimal(off))
    assert str(found) == (
        f"after transaction 7 (STRANGE) the broker states a balance of {expected + Decimal(off)}, "
        f"our books say {expected}: {expected + Decimal(off) - expected:+} is unexplained"
    )
    (entry,) = [e for e in entries_of(before, one) if e.kind is EntryKind.UNEXPLAINED]
    assert entry.amount == -Decimal(off)
    assert list(unexplained(before, [one])) == [found]


def test_differences_are_counted_from_what_the_broker_states() -> None:
    """One wrong statement is one difference: what follows is measured from it."""
    items = [
        transaction(1, Transfer(Decimal(10)), balance=Decimal(111)),
        transaction(2, Transfer(Decimal(10)), balance=Decimal(121)),
        transaction(3, OrderPlaced(3, None)),
        transaction(4, Transfer(Decimal(-1)), balance=Decimal(100)),
    ]
    assert [d.transaction_id for d in unexplained(Decimal(100), items)] == [1, 4]


@pytest.mark.parametrize("event", [Other(), Unreadable("KeyError")])
def test_what_is_not_known_is_booked_by_the_balance_that_is_stated(event: Event) -> None:
    one = transaction(1, event, balance=Decimal("112.34"))
    assert balance_difference(Decimal(100), one) is None
    assert entries_of(Decimal(100), one) == (
        Entry(EntryKind.CASH, Decimal("12.34")), Entry(EntryKind.OTHER, Decimal("-12.34")),
    )  # fmt: skip
    assert entries_of(Decimal(100), transaction(1, event)) == ()


def test_a_fill_has_each_of_its_parts_on_its_own_side() -> None:
    fill = replace(FILL, commission=Decimal("0.60"), conversion=Decimal("0.34"), instrument="EUR_USD")
    assert entries_of(Decimal(100), transaction(1, fill)) == (
        Entry(EntryKind.CASH, Decimal("-13.84")),
        Entry(EntryKind.TRADING, Decimal("12.00"), "EUR_USD"),
        Entry(EntryKind.CONVERSION, Decimal("0.34"), "EUR_USD"),
        Entry(EntryKind.FINANCING, Decimal("0.50"), "EUR_USD"),
        Entry(EntryKind.COMMISSION, Decimal("0.60"), "EUR_USD"),
        Entry(EntryKind.FEES, Decimal("0.40"), "EUR_USD"),
    )


def test_financing_is_entered_by_trade_and_what_no_trade_explains_beside_it() -> None:
    parts = (FinancingPart(3, Decimal("-0.5")), FinancingPart(4, Decimal("0.2")))
    assert entries_of(Decimal(100), transaction(1, Financing(Decimal("-0.4"), parts))) == (
        Entry(EntryKind.CASH, Decimal("-0.4")),
        Entry(EntryKind.FINANCING, Decimal("0.5"), trade_id=3),
        Entry(EntryKind.FINANCING, Decimal("-0.2"), trade_id=4),
        Entry(EntryKind.FINANCING, Decimal("0.1")),
    )


@pytest.mark.parametrize(
    ("event", "kind", "side"),
    [
        (Transfer(Decimal(500)), "TRANSFER_FUNDS", EntryKind.TRANSFERS),
        (Adjustment(Decimal(5)), "DIVIDEND_ADJUSTMENT", EntryKind.DIVIDENDS),
        (Adjustment(Decimal(5)), "TRANSFER_FUNDS", EntryKind.ADJUSTMENTS),
    ],
)
def test_other_money_is_entered_by_what_it_is(event: Event, kind: str, side: EntryKind) -> None:
    amount = amount_of(transaction(1, event))
    found = entries_of(Decimal(1), transaction(1, event, kind=kind))
    assert found == (Entry(EntryKind.CASH, amount), Entry(side, -amount))


def test_what_moves_no_money_has_no_entries() -> None:
    assert entries_of(Decimal(1), transaction(1, OrderPlaced(9, None))) == ()
    assert entries_of(Decimal(1), transaction(1, OrderPlaced(9, None), balance=Decimal(1))) == ()


def test_a_transaction_that_states_no_balance_cannot_differ() -> None:
    assert balance_difference(Decimal(1), transaction(1, FILL)) is None


def test_balances_are_compared_at_four_decimals() -> None:
    placed = OrderPlaced(9, None)
    assert balance_difference(Decimal("1.00004"), transaction(1, placed, balance=Decimal("1"))) is None
    assert balance_difference(Decimal("1.00006"), transaction(1, placed, balance=Decimal("1"))) is not None
    assert entries_of(Decimal("1.00004"), transaction(1, placed, balance=Decimal("1"))) == ()


money = st.decimals("-1000", "1000", places=4)


@given(money, money, money, st.none() | money, money, st.sampled_from([FILL, None]))
def test_the_entries_of_a_transaction_add_up_to_nothing(
    before: Decimal, amount: Decimal, part: Decimal, stated: Decimal | None, fee: Decimal, fill: Fill | None
) -> None:
    event: Event = Financing(amount, (FinancingPart(3, part),))
    if fill is not None:
        event = replace(fill, gross_pl=amount, financing=part, fees=fee, conversion=part)
    one = transaction(1, event, balance=stated)
    entries = entries_of(before, one)
    assert sum(entry.amount for entry in entries) == 0
    cash = sum(entry.amount for entry in entries if entry.kind is EntryKind.CASH)
    assert before + cash == balance_after(before, one)
    assert all(entry.amount for entry in entries)
