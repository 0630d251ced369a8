"""What turns the switch without a person, seen in one observation."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.support.passes import (
    BEGAN,
    BOOKED,
    MONO,
    NOW,
    SETTINGS,
    SWITCH,
    books,
    execution,
    observation,
    signal,
    snapshot,
    trade,
)
from tests.support.plans import (
    BLIND,
    HALTED,
    LATER,
    REDUCING,
    acts,
    closeout,
    notes,
    remembered,
    request,
    told,
    turned,
)
from tests.support.transactions import transaction

from sep_trader.broker.port import GuaranteedStops, Transactions
from sep_trader.execution.actions import (
    Book,
    Close,
    Explain,
    Protect,
    Refuse,
    See,
    TurnDown,
)
from sep_trader.execution.marks import Owner
from sep_trader.execution.observation import Memory, Observation, Seen
from sep_trader.execution.plan import effective
from sep_trader.execution.rows import SeenAccount
from sep_trader.ledger.transactions import Transfer, Unreadable
from sep_trader.risk.days import broker_day, broker_week
from sep_trader.risk.limits import Reason, RiskLimits
from sep_trader.risk.protections import CONSEQUENCES, Consequence, Protection
from sep_trader.states import ExecutionStatus, ExitReason, TradingState


def test_a_difference_of_units_halts() -> None:
    of = books(executions=(execution(open_units=Decimal(7)),))
    found = observation(trade(), of=of)
    assert turned(found) == [(Protection.BOOKS, Consequence.HALT)]
    (turn,) = acts(found, TurnDown)
    assert turn.why == "trade 31 has 1000 units at the broker, 7 in our books"
    assert turn.state is TradingState.HALTED


def test_nothing_is_compared_at_two_different_transactions() -> None:
    """A trade that ended between two reads is no difference."""
    of = books(executions=(execution(),))
    moved = observation(of=of, account=Seen(snapshot(last_transaction_id=BOOKED + 1), MONO))
    assert turned(moved) == []
    assert turned(observation(of=of, record=BLIND)) == []
    assert turned(observation(of=of)) == [(Protection.BOOKS, Consequence.HALT)]


def test_a_balance_that_differs_is_taken_for_the_truth_and_reduces() -> None:
    """Finding B4."""
    off = observation(account=Seen(snapshot(balance=Decimal(9990)), MONO))
    found = acts(off)
    assert [type(a) for a in found] == [TurnDown, Explain]
    assert (found[0].protection, found[0].consequence) == (Protection.BALANCE, Consequence.REDUCE)
    assert found[0].why == "the broker's balance is 9990, our books say 10000"
    assert found[0].state is TradingState.REDUCING
    assert found[1] == Explain(BOOKED, Decimal(-10))
    (note,) = notes(off, "balance_difference")
    assert (note.text, note.level, note.every_s) == (f"-10 is unexplained at transaction {BOOKED}", "error", 0)


def lost(nav: int, **limits: Any) -> Observation:
    seen = SeenAccount(BEGAN, Decimal(10_000), broker_day(NOW), Decimal(10_000), broker_week(NOW), Decimal(10_000))
    return observation(of=books(seen=seen), account=Seen(snapshot(nav=Decimal(nav)), MONO))


def test_losses_turn_the_switch_in_the_pass_in_which_they_are_true() -> None:
    """Findings A3, A4: it waited for a signal, saw no partial close, and knew no drawdown."""
    assert turned(lost(9701)) == []
    assert turned(lost(9700)) == [(Protection.DAILY_LOSS, Consequence.REDUCE)]
    weekly = replace(SETTINGS, limits=RiskLimits(max_daily_loss=Decimal(1)))
    assert turned(lost(9400), weekly) == [(Protection.WEEKLY_LOSS, Consequence.REDUCE)]
    deep = replace(SETTINGS, limits=RiskLimits(max_daily_loss=Decimal(1), max_weekly_loss=Decimal(1)))
    assert turned(lost(8000), deep) == [(Protection.DRAWDOWN, Consequence.REDUCE)]
    chosen = replace(SETTINGS, consequences={**CONSEQUENCES, Protection.DAILY_LOSS: Consequence.FLATTEN})
    assert turned(lost(9700), chosen) == [(Protection.DAILY_LOSS, Consequence.FLATTEN)]
    assert turned(observation(of=books(seen=None), account=Seen(snapshot(nav=Decimal(1)), MONO))) == []


FLATTENS = replace(SETTINGS, consequences={**CONSEQUENCES, Protection.DAILY_LOSS: Consequence.FLATTEN})


def test_a_protection_that_flattens_closes_at_once_and_asks_once_whatever_the_switch_was() -> None:
    """It asked only where it turned the switch: one that was REDUCING already kept its trades."""
    bad: dict[str, Any] = {"account": Seen(snapshot(trade(), trade(50, ours=False), nav=Decimal(9700)), MONO)}
    for switch in (SWITCH, REDUCING):
        of = books(executions=(execution(),), switch=switch)
        turn, closed = acts(observation(of=of, **bad), None, FLATTENS)
        assert (turn.flatten, closed.trade.trade_id, closed.cause) == (True, 31, ExitReason.FLATTENED)
        assert closed.why == "daily loss limit: NAV is 9700 after 10000 at the start of the day, 3.0% may be lost"
    by = request(requested_by="daily loss limit")
    pending = books(executions=(execution(),), requests=(by,))
    assert [a.flatten for a in acts(observation(of=pending, **bad), TurnDown, FLATTENS)] == [False]
    blind = observation(of=books(executions=(execution(),)), **{**bad, "record": BLIND})
    assert acts(blind, Close, FLATTENS) == []
    nothing: dict[str, Any] = {"account": Seen(snapshot(trade(50, ours=False), nav=Decimal(9700)), MONO)}
    assert [a.flatten for a in acts(observation(**nothing), TurnDown, FLATTENS)] == [False]


def test_halted_a_protection_flattens_nothing() -> None:
    bad: dict[str, Any] = {"account": Seen(snapshot(trade(), nav=Decimal(9700)), MONO)}
    by = request(requested_by="daily loss limit")
    of = books(executions=(execution(),), switch=HALTED, requests=(by,))
    assert [a.flatten for a in acts(observation(of=of, **bad), None, FLATTENS)] == [False]
    person = replace(of, requests=(request(),))
    assert len(acts(observation(of=person, **bad), Close, FLATTENS)) == 1


def test_a_margin_closeout_reduces() -> None:
    found = told(closeout())
    assert turned(found) == [(Protection.MARGIN_CLOSEOUT, Consequence.REDUCE)]
    assert acts(found, TurnDown)[0].why == "the broker closed EUR_USD for want of margin (transaction 41)"


def test_an_unreadable_transaction_halts_and_is_booked() -> None:
    found = told(transaction(BOOKED + 1, Unreadable("KeyError: 'id'"), kind="ORDER_FILL"))
    assert turned(found) == [(Protection.UNREADABLE, Consequence.HALT)]
    assert acts(found, TurnDown)[0].why == "transaction 41 (ORDER_FILL) cannot be read: KeyError: 'id'"
    assert len(acts(found, Book)) == 1


def test_a_statement_that_does_not_add_up_reduces_before_it_is_booked() -> None:
    found = told(transaction(BOOKED + 1, Transfer(Decimal(5)), balance=Decimal(10_006)))
    assert turned(found) == [(Protection.BALANCE, Consequence.REDUCE)]
    assert "+1 is unexplained" in acts(found, TurnDown)[0].why
    assert turned(told(transaction(BOOKED + 1, Transfer(Decimal(5)), balance=Decimal(10_005)))) == []


def test_the_orders_of_another_account_halt() -> None:
    """Finding B3."""
    found = observation(of=books(elsewhere=("101-7", "101-8")))
    assert turned(found) == [(Protection.FOREIGN_ACCOUNT, Consequence.HALT)]
    assert acts(found, TurnDown)[0].why == "orders of ours have not ended on another account: 101-7, 101-8"


def test_an_account_begun_anew_halts_and_is_not_booked() -> None:
    """Finding B5."""
    short: dict[str, Any] = {"account": Seen(snapshot(last_transaction_id=BOOKED - 1), MONO)}
    for since in (None, MONO - 9.9):
        lagging = observation(memory=remembered(behind_since=since), of=books(signals=(signal(),)), **short)
        assert acts(lagging) == [], "an answer that lags is no other account, and nothing is concluded from it"
    shorter = observation(memory=remembered(behind_since=MONO - 10), **short)
    assert turned(shorter) == [(Protection.NEW_ACCOUNT, Consequence.HALT)]
    assert "its record ends at 39, our books are at 40" in acts(shorter, TurnDown)[0].why
    anew = replace(snapshot(last_transaction_id=BOOKED + 1), created_time=BEGAN + timedelta(seconds=1))
    record = Seen(Transactions((transaction(BOOKED + 1),), BOOKED + 1), MONO)
    found = observation(account=Seen(anew, MONO), record=record)
    assert turned(found) == [(Protection.NEW_ACCOUNT, Consequence.HALT)]
    why = "it began at 2014-01-01 00:00:01, not at 2014-01-01 00:00:00 UTC"
    assert acts(found, TurnDown)[0].why == f"the account is another one than that which we booked: {why}"
    assert acts(found, Book) == []
    unknown = replace(anew, created_time=None)
    assert turned(observation(account=Seen(unknown, MONO), record=record)) == []
    assert turned(observation(of=books(seen=None), account=Seen(anew, MONO), record=record)) == []


def test_two_databases_on_one_account_halt() -> None:
    """Finding B8."""
    found = observation(trade(tag="sep:db-2"))
    assert turned(found) == [(Protection.TWO_DATABASES, Consequence.HALT)]
    assert acts(found, TurnDown)[0].why == "trade 31 was opened by another database (sep:db-2), ours is db-1"
    assert acts(found, Close) == []
    assert acts(observation(trade(tag="sep:db-2", stop_loss=None), now=LATER), Protect) == []
    first = observation(trade(tag="sep:db-2", stop_loss=None), now=LATER, memory=Memory())
    assert turned(first) == [(Protection.TWO_DATABASES, Consequence.HALT)]
    assert acts(first, Close) == [], "the first pass of a process knows its own database, too"
    assert acts(first, See)[0].owners == {31: Owner.ANOTHER}
    asleep = observation(trade(tag="sep:db-2"), books=BLIND, record=BLIND, now=LATER)
    assert acts(asleep, Close) == [], "as it was last read"


def test_an_account_that_cannot_be_traded_halts() -> None:
    required = replace(snapshot(), guaranteed_stops=GuaranteedStops.REQUIRED)
    assert turned(observation(account=Seen(required, MONO))) == [(Protection.ACCOUNT_KIND, Consequence.HALT)]
    allowed = replace(snapshot(), guaranteed_stops=GuaranteedStops.ALLOWED)
    assert turned(observation(account=Seen(allowed, MONO))) == []
    found = observation(account_kind="account 1 is a MetaTrader 4 account")
    assert [a.why for a in acts(found, TurnDown)] == ["account 1 is a MetaTrader 4 account"]


def test_a_hole_in_the_record_halts_after_its_patience() -> None:
    for seconds, found in ((59.9, []), (60.0, [(Protection.BOOKS, Consequence.HALT)])):
        memory = remembered(incomplete_since=MONO - seconds)
        assert turned(observation(memory=memory)) == found
    assert acts(observation(memory=remembered(incomplete_since=MONO - 61)), TurnDown)[0].why == (
        "the broker's record has had a hole for 61 s"
    )


def test_orders_whose_end_nobody_knows_reduce() -> None:
    """Finding D3."""
    three = tuple(execution(n, status=ExecutionStatus.UNKNOWN, deadline=LATER) for n in (1, 2, 3))
    old = remembered(unsettled_since={1: MONO - 10, 2: MONO - 10, 3: MONO - 10})
    found = observation(of=books(executions=three), memory=old)
    assert turned(found) == [(Protection.UNKNOWN_ORDERS, Consequence.REDUCE)]
    assert acts(found, TurnDown)[0].why == "3 orders in an hour whose end nobody knows"
    young = remembered(unsettled_since={1: MONO - 10, 2: MONO - 10, 3: MONO - 9.9})
    assert turned(observation(of=books(executions=three), memory=young)) == []
    assert turned(observation(of=books(executions=three), memory=remembered())) == []
    assert turned(observation(of=books(unknown_lately=3))) == [(Protection.UNKNOWN_ORDERS, Consequence.REDUCE)]
    assert turned(observation(of=books(unknown_lately=2))) == []
    intents = tuple(replace(e, status=ExecutionStatus.INTENT) for e in three)
    assert turned(observation(of=books(executions=intents), memory=old)) == []


def test_a_turn_counts_in_its_own_pass() -> None:
    of = books(executions=(execution(open_units=Decimal(7)),), signals=(signal(),))
    found = acts(observation(trade(), of=of, now=NOW))
    refused = next(a for a in found if isinstance(a, Refuse))
    assert refused.refused.code is Reason.TRADING_HALTED
    assert refused.refused.text == "trade 31 has 1000 units at the broker, 7 in our books (books in doubt)"
    late = observation(trade(), of=books(executions=(execution(open_units=Decimal(7)),)), now=LATER)
    assert acts(late, Close) == []


def test_the_switch_as_it_counts() -> None:
    quiet = observation()
    assert effective(quiet, []) == (TradingState.ACTIVE, "begun (Ada)")
    lowered = observation(memory=remembered(floor=(TradingState.REDUCING, Protection.DAILY_LOSS, "3 %")))
    assert effective(lowered, []) == (TradingState.REDUCING, "3 % (daily loss limit)")
    halted = observation(of=books(switch=HALTED), memory=lowered.memory)
    assert effective(halted, []) == (TradingState.HALTED, "I look at it (Ada)")
    blind = observation(books=BLIND, memory=remembered(state=TradingState.REDUCING))
    assert effective(blind, []) == (TradingState.REDUCING, "as it was when the books could be read")
    assert effective(observation(books=BLIND, memory=Memory()), []) == (None, "")
    turn = TurnDown(Protection.BOOKS, Consequence.HALT, "units differ")
    assert effective(quiet, [turn]) == (TradingState.HALTED, "units differ (books in doubt)")
