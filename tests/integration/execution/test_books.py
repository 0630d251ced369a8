"""The books check themselves: the broker's balance is the truth, and what its figures do not explain is said."""

from decimal import Decimal

import pytest
from tests.integration.execution.conftest import World, told

from sep_trader.ledger.transactions import Adjustment, Event, Financing, OrderPlaced, Other, Transfer, Unreadable


@pytest.mark.parametrize(
    ("event", "amount"),
    [
        (Financing(Decimal("-0.75"), ()), "-0.75"),
        (Transfer(Decimal(500)), "500"),
        (Adjustment(Decimal("2.5")), "2.5"),
        (OrderPlaced(1, None), "0"),
    ],
)
def test_a_difference_reduces_with_a_reason_and_becomes_an_entry(world: World, event: Event, amount: str) -> None:
    trader = world.trader()
    told(world, trader, event, amount)
    assert world.row("SELECT state FROM trading_state")["state"] == "ACTIVE", "what adds up is no reason to reduce"

    told(world, trader, event, amount, off="-0.01")
    switch = world.row("SELECT state, reason, changed_by FROM trading_state")
    assert (switch["state"], switch["changed_by"]) == ("REDUCING", "balance difference")
    assert "MADE_UP" in switch["reason"] and "-0.01" in switch["reason"]
    assert world.row("SELECT count(*) AS n FROM system_logs WHERE event = 'balance_difference'")["n"] == 1
    assert world.row("SELECT amount FROM ledger_entries WHERE entry = 'unexplained'")["amount"] == Decimal("0.01")

    told(world, trader, event, amount)
    assert world.row("SELECT count(*) AS n FROM ledger_entries WHERE entry = 'unexplained'")["n"] == 1
    assert world.row("SELECT coalesce(sum(amount), 0) AS sum FROM ledger_entries")["sum"] == 0
    booked = world.row("SELECT balance, opening_balance FROM ledger_accounts")
    cash = world.row("SELECT coalesce(sum(amount), 0) AS sum FROM ledger_entries WHERE entry = 'cash'")["sum"]
    assert booked["balance"] - booked["opening_balance"] == cash == 3 * Decimal(amount) - Decimal("0.01")


def test_money_types_of_the_specification_and_unknown_ones_end_at_the_stated_balance(world: World) -> None:
    """Finding B4: a closed list of money types booked 0 for the rest, and the books differed for ever."""
    trader = world.trader()
    told(world, trader, Financing(Decimal("-1.25"), ()), "-1.25")
    told(world, trader, Other(), "12.34")  # a dividend adjustment that this version does not know
    told(world, trader, Transfer(Decimal(100)), "100")
    assert world.row("SELECT balance FROM ledger_accounts")["balance"] == Decimal("100111.09")
    sides = {
        r["entry"]: r["amount"] for r in world.rows("SELECT entry, amount FROM ledger_entries WHERE entry <> 'cash'")
    }
    assert sides == {"financing": Decimal("1.25"), "other": Decimal("-12.34"), "transfers": Decimal(-100)}
    assert world.row("SELECT state FROM trading_state")["state"] == "ACTIVE"
    assert world.row("SELECT message FROM system_logs WHERE event = 'unknown_transaction'")["message"].startswith(
        "MADE_UP"
    )


def test_money_paid_in_is_no_gain_and_moves_what_losses_are_measured_from(world: World) -> None:
    trader = world.trader()
    told(world, trader, Transfer(Decimal(-40_000)), "-40000")
    marks = world.row("SELECT nav_high, day_nav, week_nav FROM broker_accounts")
    assert set(marks.values()) == {Decimal(60_000)}


def test_an_unreadable_transaction_halts_and_is_kept_as_it_came(world: World) -> None:
    trader = world.trader()
    told(world, trader, Unreadable("KeyError: 'orderID'"), "-3")
    switch = world.row("SELECT state, changed_by, reason FROM trading_state")
    assert (switch["state"], switch["changed_by"]) == ("HALTED", "unreadable transaction")
    assert "orderID" in switch["reason"]
    assert world.row("SELECT amount FROM broker_transactions ORDER BY id DESC LIMIT 1")["amount"] == -3


def test_an_account_whose_balance_differs_at_the_start_reduces(world: World) -> None:
    world.trader()
    world.execute("UPDATE ledger_accounts SET balance = balance + 1")
    world.trader()
    switch = world.row("SELECT state, reason FROM trading_state")
    assert switch["state"] == "REDUCING"
    assert "our books say" in switch["reason"]
    assert world.row("SELECT balance FROM ledger_accounts")["balance"] == 100_000


def test_a_persons_halt_keeps_its_words_when_the_books_differ(world: World) -> None:
    trader = world.trader()
    world.execute("UPDATE trading_state SET state = 'HALTED', reason = 'I look at it', changed_by = 'Ada'")
    told(world, trader, Transfer(Decimal(1)), "1", off="1000")
    assert world.row("SELECT state, reason FROM trading_state") == {"state": "HALTED", "reason": "I look at it"}
