"""The books check themselves: a balance that does not add up halts trading, whatever the transaction's type."""

from decimal import Decimal

import pytest
from tests.integration.execution.conftest import World
from tests.support.transactions import transaction

from sep_trader.execution.trader import Trader
from sep_trader.ledger.transactions import Event, Financing, OrderPlaced, Other, Transfer


def book(world: World, trader: Trader, event: Event, off: str = "0", amount: str = "0") -> None:
    """Book a made-up next transaction that states the right balance, or one that is off."""
    ledger = world.row("SELECT last_transaction_id, balance FROM ledger_accounts")
    stated = ledger["balance"] + Decimal(amount) + Decimal(off)
    trader.journal.book([transaction(ledger["last_transaction_id"] + 1, event, balance=stated, kind="MADE_UP")])


@pytest.mark.parametrize(
    ("event", "amount"),
    [
        (Financing(Decimal("-0.75"), ()), "-0.75"),
        (Transfer(Decimal(500)), "500"),
        (OrderPlaced(1, None), "0"),
        (Other(), "0"),
    ],
)
def test_a_difference_halts_with_a_reason_and_the_books_go_on(world: World, event: Event, amount: str) -> None:
    trader = world.trader()
    book(world, trader, event, amount=amount)
    assert world.row("SELECT state FROM trading_state")["state"] == "ACTIVE", "what adds up is no reason to halt"

    book(world, trader, event, "-0.01", amount)
    switch = world.row("SELECT state, reason, changed_by FROM trading_state")
    assert (switch["state"], switch["changed_by"]) == ("HALTED", "the books")
    assert "MADE_UP" in switch["reason"] and "-0.01" in switch["reason"]
    assert world.row("SELECT count(*) AS n FROM system_logs WHERE event = 'balance_difference'")["n"] == 1
    assert world.row("SELECT changed_by FROM control_changes ORDER BY id DESC LIMIT 1")["changed_by"] == "the books"

    book(world, trader, event, amount=amount)
    assert world.row("SELECT count(*) AS n FROM system_logs WHERE event = 'balance_difference'")["n"] == 1


def test_an_account_whose_balance_differs_at_the_start_halts(world: World) -> None:
    world.trader()
    world.execute("UPDATE ledger_accounts SET balance = balance + 1")
    world.trader()
    switch = world.row("SELECT state, reason FROM trading_state")
    assert switch["state"] == "HALTED"
    assert "our books say" in switch["reason"]


def test_a_persons_halt_keeps_its_words_when_the_books_differ(world: World) -> None:
    trader = world.trader()
    world.execute("UPDATE trading_state SET state = 'HALTED', reason = 'I look at it', changed_by = 'Ada'")
    book(world, trader, Other(), "1000")
    assert world.row("SELECT reason FROM trading_state")["reason"] == "I look at it"
